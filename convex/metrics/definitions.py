"""Metrics as people define them: unit, category, target and limit. The caller owns the transaction.

Points create metrics by name on their own (`catalog`); here they are described, changed, removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.errors import ForeignKeyViolation, UniqueViolation

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import Conflict, InvalidInput, NotFound, PreconditionFailed

_COLUMNS = (
    'id, framework_id, name, unit, category, target, "limit", weight, default_aggregate,'
    " description, is_counter, version, created_at, updated_at,"
    " (SELECT count(*) FROM convex.series AS s WHERE s.metric_id = metrics.id) AS series"
)
_CHANGEABLE = (
    "unit",
    "category",
    "target",
    "limit",
    "weight",
    "default_aggregate",
    "description",
    "is_counter",
)


@dataclass(frozen=True, slots=True)
class Metric:
    """What a framework measures. `limit` is the worst bearable value, `target` the wanted one."""

    id: UUID
    framework_id: UUID
    name: str
    unit: str
    category: str
    target: float | None
    limit: float | None
    weight: float
    default_aggregate: str
    description: str
    is_counter: bool
    version: int
    created_at: datetime
    updated_at: datetime
    series: int


async def create_metric(
    connection: Connection, workspace_id: UUID, framework_id: UUID, name: str, **values: Any
) -> Metric:
    """Define a metric; `values` are fields of `Metric` that can be changed later.

    Raises `Conflict` when the framework has one of that name, `NotFound` for an unknown framework,
    `InvalidInput` when target and limit are equal.
    """
    _check(values)
    names = ["workspace_id", "framework_id", "name", *values]
    columns = ", ".join(f'"{column}"' for column in names)
    places = ", ".join(["%s"] * len(names))
    try:
        async with connection.transaction():
            rows = await connection.execute(
                f"INSERT INTO convex.metrics ({columns}) VALUES ({places}) RETURNING {_COLUMNS}",
                (workspace_id, framework_id, name, *values.values()),
            )
            row = await rows.fetchone()
    except UniqueViolation:
        raise Conflict(f"The framework has a metric {name!r} already.") from None
    except ForeignKeyViolation:
        raise NotFound(f"There is no framework {framework_id} in this workspace.") from None
    assert row is not None
    return Metric(**row)


async def get_metric(connection: Connection, metric_id: UUID) -> Metric:
    """By id. Raises `NotFound`."""
    rows = await connection.execute(
        f"SELECT {_COLUMNS} FROM convex.metrics WHERE id = %s", (metric_id,)
    )
    row = await rows.fetchone()
    if row is None:
        raise NotFound(f"There is no metric {metric_id} in this workspace.")
    return Metric(**row)


async def list_metrics(
    connection: Connection,
    workspace_id: UUID,
    *,
    framework_id: UUID | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Metric]:
    """A page of metrics by name, of one framework or of all."""
    after = decode_cursor(cursor, str, UUID)
    rows = await connection.execute(
        f"SELECT {_COLUMNS} FROM convex.metrics WHERE workspace_id = %(workspace_id)s"
        " AND (%(framework_id)s::uuid IS NULL OR framework_id = %(framework_id)s)"
        " AND (%(name)s::text IS NULL OR (name, id) > (%(name)s, %(id)s::uuid))"
        " ORDER BY name, id LIMIT %(limit)s",
        {
            "workspace_id": workspace_id,
            "framework_id": framework_id,
            "name": None if after is None else after[0],
            "id": None if after is None else after[1],
            "limit": limit + 1,
        },
    )
    found = [Metric(**row) for row in await rows.fetchall()]
    items = found[:limit]
    more = len(found) > limit
    return Page(items, encode_cursor(items[-1].name, items[-1].id) if more else None)


async def update_metric(
    connection: Connection,
    metric_id: UUID,
    changes: dict[str, Any],
    *,
    expected_version: int | None = None,
) -> Metric:
    """Change the given fields; None takes target or limit away.

    Raises `NotFound`, `PreconditionFailed` at another version, `InvalidInput`.
    """
    current = await _lock(connection, metric_id)
    if expected_version is not None and current.version != expected_version:
        raise PreconditionFailed(
            f"The metric was changed meanwhile (version {current.version}, not"
            f" {expected_version}); read it again and repeat the change."
        )
    _check({"target": current.target, "limit": current.limit, **changes})
    assigned = "".join(f'"{column}" = %s, ' for column in changes)
    rows = await connection.execute(
        f"UPDATE convex.metrics SET {assigned}version = version + 1, updated_at = now()"
        f" WHERE id = %s RETURNING {_COLUMNS}",
        (*changes.values(), metric_id),
    )
    row = await rows.fetchone()
    if row is None:
        raise NotFound(f"There is no metric {metric_id} in this workspace.")
    return Metric(**row)


async def delete_metric(connection: Connection, metric_id: UUID) -> None:
    """Remove it with its series, points and rules. Raises `NotFound`."""
    await connection.execute(
        "DELETE FROM convex.points WHERE series_id IN"
        " (SELECT id FROM convex.series WHERE metric_id = %s)",
        (metric_id,),
    )
    removed = await connection.execute("DELETE FROM convex.metrics WHERE id = %s", (metric_id,))
    if not removed.rowcount:
        raise NotFound(f"There is no metric {metric_id} in this workspace.")


async def _lock(connection: Connection, metric_id: UUID) -> Metric:
    locked = await connection.execute(
        "SELECT FROM convex.metrics WHERE id = %s FOR UPDATE", (metric_id,)
    )
    if not locked.rowcount:
        raise NotFound(f"There is no metric {metric_id} in this workspace.")
    return await get_metric(connection, metric_id)


def _check(values: dict[str, Any]) -> None:
    unknown = set(values) - set(_CHANGEABLE)
    if unknown:
        raise InvalidInput(f"A metric has no field {', '.join(sorted(unknown))}.")
    if values.get("target") is not None and values.get("target") == values.get("limit"):
        raise InvalidInput(
            "Target and limit are equal, so nothing lies between good and bad; change one of them.",
            parameter="target",
        )
