"""The SQL of sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.db import Connection
from convex.errors import NotFound
from convex.metrics.sources.model import ScheduledSource, Source

_COLUMNS = (
    "id, workspace_id, name, kind, config, cursor, enabled, points_total, last_run_at, last_state,"
    " last_error"
)


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


async def save_cursor(
    connection: Connection, source_id: UUID, cursor: Mapping[str, Any], *, points: int
) -> None:
    """Say where to go on; `points` were taken up since the cursor before."""
    await connection.execute(
        "UPDATE convex.sources SET cursor = %s, points_total = points_total + %s,"
        " updated_at = now() WHERE id = %s",
        (Jsonb(cursor), points, source_id),
    )


async def record_run(connection: Connection, source_id: UUID, error: str | None = None) -> None:
    """Note that a run ended now, and how; None is success."""
    await connection.execute(
        "UPDATE convex.sources SET last_run_at = now(), last_state = %s, last_error = %s,"
        " updated_at = now() WHERE id = %s",
        ("succeeded" if error is None else "failed", error, source_id),
    )


async def list_scheduled(connection: Connection) -> list[ScheduledSource]:
    """Every source of the visible workspaces that is switched on, for its deployment."""
    rows = await connection.execute(
        "SELECT s.id, s.name, w.slug AS workspace, s.schedule FROM convex.sources AS s"
        " INNER JOIN convex.workspaces AS w ON w.id = s.workspace_id WHERE s.enabled"
        " ORDER BY w.slug, s.name"
    )
    return [ScheduledSource(**row) for row in await rows.fetchall()]
