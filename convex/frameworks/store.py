"""The SQL of frameworks. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from convex.db import Connection
from convex.frameworks.model import Framework, FrameworkOverview, Kind, OpenTriggers

_COLUMNS = "id, slug, name, kind, description, tags, version, created_at, updated_at"

# The triggers and series of all frameworks in one pass each, joined by framework.
_OVERVIEW = f"""
SELECT {", ".join("f." + name for name in _COLUMNS.split(", "))},
    coalesce(t.firing, 0) AS firing, coalesce(t.acknowledged, 0) AS acknowledged,
    coalesce(t.critical, 0) AS critical, coalesce(t.warning, 0) AS warning,
    coalesce(t.info, 0) AS info, s.last_point_at, coalesce(s.series, 0) AS series,
    coalesce(m.metrics, 0) AS metrics
FROM convex.frameworks AS f
LEFT JOIN (
    SELECT framework_id,
        count(*) FILTER (WHERE state = 'firing') AS firing,
        count(*) FILTER (WHERE state = 'acknowledged') AS acknowledged,
        count(*) FILTER (WHERE severity = 'critical') AS critical,
        count(*) FILTER (WHERE severity = 'warning') AS warning,
        count(*) FILTER (WHERE severity = 'info') AS info
    FROM convex.alert_triggers
    WHERE workspace_id = %(workspace_id)s AND state <> 'resolved'
    GROUP BY framework_id
) AS t ON t.framework_id = f.id
LEFT JOIN (
    SELECT framework_id, count(*) AS series, max(newest_at) AS last_point_at
    FROM convex.series WHERE workspace_id = %(workspace_id)s GROUP BY framework_id
) AS s ON s.framework_id = f.id
LEFT JOIN (
    SELECT framework_id, count(*) AS metrics
    FROM convex.metrics WHERE workspace_id = %(workspace_id)s GROUP BY framework_id
) AS m ON m.framework_id = f.id
WHERE f.workspace_id = %(workspace_id)s
"""


async def insert_framework(
    connection: Connection,
    workspace_id: UUID,
    *,
    slug: str,
    name: str,
    kind: Kind,
    description: str,
    tags: Sequence[str],
) -> Framework:
    """A new row. Raises `psycopg.errors.UniqueViolation` when the slug is taken."""
    row = await _one(
        connection,
        "INSERT INTO convex.frameworks (workspace_id, slug, name, kind, description, tags)"
        f" VALUES (%s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}",
        workspace_id,
        slug,
        name,
        kind.value,
        description,
        list(tags),
    )
    assert row is not None
    return _framework(row)


async def find_framework(
    connection: Connection, workspace_id: UUID, key: UUID | str
) -> FrameworkOverview | None:
    """By id or by slug."""
    column = "f.id" if isinstance(key, UUID) else "f.slug"
    rows = await connection.execute(
        f"{_OVERVIEW} AND {column} = %(key)s", {"workspace_id": workspace_id, "key": key}
    )
    row = await rows.fetchone()
    return None if row is None else _overview(row)


async def select_frameworks(
    connection: Connection, workspace_id: UUID, after: str | None, limit: int
) -> list[FrameworkOverview]:
    """By slug, those behind `after`."""
    rows = await connection.execute(
        f"{_OVERVIEW} AND f.slug > %(after)s ORDER BY f.slug LIMIT %(limit)s",
        {"workspace_id": workspace_id, "after": after or "", "limit": limit},
    )
    return [_overview(row) for row in await rows.fetchall()]


async def select_by_id(
    connection: Connection, workspace_id: UUID, ids: Sequence[UUID]
) -> list[FrameworkOverview]:
    """These, in their order; what is gone is left out."""
    rows = await connection.execute(
        f"{_OVERVIEW} AND f.id = ANY (%(ids)s) ORDER BY array_position(%(ids)s::uuid[], f.id)",
        {"workspace_id": workspace_id, "ids": list(ids)},
    )
    return [_overview(row) for row in await rows.fetchall()]


async def select_slugs(connection: Connection, workspace_id: UUID) -> dict[UUID, str]:
    """Of all frameworks, by id."""
    rows = await connection.execute(
        "SELECT id, slug FROM convex.frameworks WHERE workspace_id = %s", (workspace_id,)
    )
    return {row["id"]: row["slug"] for row in await rows.fetchall()}


async def change_framework(
    connection: Connection,
    framework_id: UUID,
    *,
    name: str | None,
    kind: Kind | None,
    description: str | None,
    tags: Sequence[str] | None,
) -> Framework | None:
    """Change what is given; a new version."""
    row = await _one(
        connection,
        "UPDATE convex.frameworks SET name = coalesce(%s, name), kind = coalesce(%s, kind),"
        " description = coalesce(%s, description), tags = coalesce(%s, tags),"
        f" version = version + 1, updated_at = now() WHERE id = %s RETURNING {_COLUMNS}",
        name,
        kind and kind.value,
        description,
        None if tags is None else list(tags),
        framework_id,
    )
    return None if row is None else _framework(row)


async def lock_version(connection: Connection, framework_id: UUID) -> int | None:
    """The version of the row, which stays locked; None when there is none to change."""
    row = await _one(
        connection, "SELECT version FROM convex.frameworks WHERE id = %s FOR UPDATE", framework_id
    )
    return None if row is None else int(row["version"])


async def remove_framework(connection: Connection, workspace_id: UUID, framework_id: UUID) -> bool:
    """The row, its points, and by their keys everything else that hangs on it."""
    await connection.execute(
        "DELETE FROM convex.points WHERE series_id IN (SELECT id FROM convex.series"
        " WHERE workspace_id = %s AND framework_id = %s)",
        (workspace_id, framework_id),
    )
    row = await _one(
        connection, "DELETE FROM convex.frameworks WHERE id = %s RETURNING id", framework_id
    )
    return row is not None


async def _one(connection: Connection, statement: str, *parameters: Any) -> dict[str, Any] | None:
    return await (await connection.execute(statement, parameters)).fetchone()


def _framework(row: dict[str, Any]) -> Framework:
    values = {name: row[name] for name in _COLUMNS.split(", ")}
    return Framework(**{**values, "kind": Kind(row["kind"])})


def _overview(row: dict[str, Any]) -> FrameworkOverview:
    return FrameworkOverview(
        _framework(row),
        OpenTriggers(
            row["firing"], row["acknowledged"], row["critical"], row["warning"], row["info"]
        ),
        row["last_point_at"],
        row["metrics"],
        row["series"],
    )
