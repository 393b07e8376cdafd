"""The SQL of sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import Conflict, NotFound
from convex.metrics.sources.model import ScheduledSource, Source

_COLUMNS = (
    "id, workspace_id, name, kind, config, schedule, cursor, enabled, secret IS NOT NULL AS"
    " has_secret, points_total, progress, failed_runs, last_run_at, last_state, last_error,"
    " created_at, updated_at"
)
JOB = "pull-source"  # the kind of job_requests that asks for a run now
_LONGEST_ERROR = 2000


async def get_source(connection: Connection, source_id: UUID, *, lock: bool = False) -> Source:
    """The source; with `lock` no other transaction reads or moves its cursor until this one ends.

    Raises `NotFound`.
    """
    query = f"SELECT {_COLUMNS} FROM convex.sources WHERE id = %s{' FOR UPDATE' if lock else ''}"
    row = await (await connection.execute(query, (source_id,))).fetchone()
    if row is None:
        raise NotFound(f"There is no source {source_id}.")
    return Source(**row)


async def save_source(
    connection: Connection,
    workspace_id: UUID,
    *,
    name: str,
    kind: str,
    config: Mapping[str, Any],
    schedule: str | None = None,
) -> Source:
    """Create the source, or give the one of that name this configuration; its cursor stays."""
    query = (
        "INSERT INTO convex.sources AS s (workspace_id, name, kind, config, schedule)"
        " VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (workspace_id, name) DO UPDATE SET kind = excluded.kind,"
        " config = excluded.config, schedule = excluded.schedule, updated_at = now()"
        " WHERE (s.kind, s.config, s.schedule)"
        " IS DISTINCT FROM (excluded.kind, excluded.config, excluded.schedule)"
    )
    await connection.execute(query, (workspace_id, name, kind, Jsonb(config), schedule))
    found = f"SELECT {_COLUMNS} FROM convex.sources WHERE workspace_id = %s AND name = %s"
    row = await (await connection.execute(found, (workspace_id, name))).fetchone()
    if row is None:
        raise NotFound(f"The source {name!r} cannot be seen in this workspace.")
    return Source(**row)


async def list_sources(
    connection: Connection, workspace_id: UUID, *, limit: int = 50, cursor: str | None = None
) -> Page[Source]:
    """By name."""
    after = decode_cursor(cursor, str)
    rows = await connection.execute(
        f"SELECT {_COLUMNS} FROM convex.sources WHERE workspace_id = %s"
        " AND (%s::text IS NULL OR name > %s) ORDER BY name LIMIT %s",
        (workspace_id, *((after[0], after[0]) if after else (None, None)), limit + 1),
    )
    found = [Source(**row) for row in await rows.fetchall()]
    items = found[:limit]
    return Page(items, encode_cursor(items[-1].name) if len(found) > limit else None)


async def create_source(
    connection: Connection,
    workspace_id: UUID,
    *,
    name: str,
    kind: str,
    config: Mapping[str, Any],
    secret: bytes | None,
    schedule: str | None,
    enabled: bool,
) -> Source:
    """A new source, which has read nothing yet. Raises `Conflict` for a name that is taken."""
    try:
        async with connection.transaction():
            rows = await connection.execute(
                "INSERT INTO convex.sources (workspace_id, name, kind, config, secret, schedule,"
                f" enabled) VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}",
                (workspace_id, name, kind, Jsonb(config), secret, schedule, enabled),
            )
            row = await rows.fetchone()
    except UniqueViolation:
        raise Conflict(f"There is a source {name!r} already.") from None
    assert row is not None
    return Source(**row)


_CHANGEABLE = frozenset({"config", "secret", "schedule", "enabled", "cursor"})


async def update_source(
    connection: Connection, workspace_id: UUID, source_id: UUID, changes: Mapping[str, Any]
) -> Source:
    """Give these columns other values. Raises `NotFound`."""
    assert changes.keys() <= _CHANGEABLE
    values = [
        Jsonb(value) if name in ("config", "cursor") else value for name, value in changes.items()
    ]
    assigned = "".join(f"{name} = %s, " for name in changes)
    rows = await connection.execute(
        f"UPDATE convex.sources SET {assigned}updated_at = now()"
        f" WHERE workspace_id = %s AND id = %s RETURNING {_COLUMNS}",
        (*values, workspace_id, source_id),
    )
    row = await rows.fetchone()
    if row is None:
        raise NotFound(f"There is no source {source_id}.")
    return Source(**row)


async def delete_source(connection: Connection, workspace_id: UUID, source_id: UUID) -> None:
    """Forget it; its points stay. Raises `NotFound`."""
    done = await connection.execute(
        "DELETE FROM convex.sources WHERE workspace_id = %s AND id = %s", (workspace_id, source_id)
    )
    if done.rowcount == 0:
        raise NotFound(f"There is no source {source_id}.")


async def get_secret(connection: Connection, source_id: UUID) -> bytes | None:
    """What is sealed with the source, as it is stored."""
    rows = await connection.execute("SELECT secret FROM convex.sources WHERE id = %s", (source_id,))
    row = await rows.fetchone()
    return None if row is None or row["secret"] is None else bytes(row["secret"])


async def request_run(
    connection: Connection, workspace_id: UUID, source_id: UUID, user_id: UUID | None
) -> UUID:
    """Ask for a run now; the flows find it within a minute. The id of the request."""
    rows = await connection.execute(
        "INSERT INTO convex.job_requests (workspace_id, kind, arguments, requested_by)"
        " VALUES (%s, %s, %s, %s) RETURNING id",
        (workspace_id, JOB, Jsonb({"source_id": str(source_id)}), user_id),
    )
    row = await rows.fetchone()
    assert row is not None
    request_id: UUID = row["id"]
    return request_id


async def take_requests(connection: Connection) -> list[tuple[UUID, UUID]]:
    """The requested runs as (request, source), each taken by one caller only."""
    rows = await connection.execute(
        "UPDATE convex.job_requests SET state = 'running', started_at = now() WHERE id = ANY(ARRAY("
        "SELECT id FROM convex.job_requests WHERE kind = %s AND state = 'requested'"
        " ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED)) RETURNING id, arguments",
        (JOB,),
    )
    return [(row["id"], UUID(row["arguments"]["source_id"])) for row in await rows.fetchall()]


async def finish_requests(connection: Connection, source_id: UUID, error: str | None) -> None:
    """What was asked of this source has been done, or could not be."""
    await connection.execute(
        "UPDATE convex.job_requests SET state = %s, finished_at = now(), result = %s"
        " WHERE kind = %s AND state = 'running' AND arguments ->> 'source_id' = %s",
        (
            "done" if error is None else "failed",
            Jsonb({} if error is None else {"error": error[:_LONGEST_ERROR]}),
            JOB,
            str(source_id),
        ),
    )


async def save_cursor(
    connection: Connection,
    source_id: UUID,
    cursor: Mapping[str, Any],
    *,
    points: int,
    progress: float | None = None,
) -> None:
    """Say where to go on; `points` were taken up since the cursor before."""
    await connection.execute(
        "UPDATE convex.sources SET cursor = %s, points_total = points_total + %s, progress = %s,"
        " updated_at = now() WHERE id = %s",
        (Jsonb(cursor), points, progress, source_id),
    )


async def record_run(connection: Connection, source_id: UUID, error: str | None = None) -> None:
    """Note that a run ended now, and how; None is success."""
    await connection.execute(
        "UPDATE convex.sources SET last_run_at = now(), last_state = %s, last_error = %s,"
        " failed_runs = CASE WHEN %s THEN 0 ELSE failed_runs + 1 END, updated_at = now()"
        " WHERE id = %s",
        (
            "succeeded" if error is None else "failed",
            None if error is None else error[:_LONGEST_ERROR],
            error is None,
            source_id,
        ),
    )


async def list_scheduled(connection: Connection) -> list[ScheduledSource]:
    """Every source of the visible workspaces that is switched on, for its deployment."""
    rows = await connection.execute(
        "SELECT s.id, s.name, w.slug AS workspace, s.schedule FROM convex.sources AS s"
        " INNER JOIN convex.workspaces AS w ON w.id = s.workspace_id WHERE s.enabled"
        " ORDER BY w.slug, s.name"
    )
    return [ScheduledSource(**row) for row in await rows.fetchall()]
