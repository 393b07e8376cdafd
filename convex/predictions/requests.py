"""Runs that members ask for: rows of job_requests that the flows look for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.db import Connection

JOB = "forecast-alerts"


async def request_run(
    connection: Connection, workspace_id: UUID, user_id: UUID | None
) -> dict[str, Any]:
    """Ask for a run now: the request that waits already, or a new one; id, state, created_at."""
    rows = await connection.execute(
        "WITH waiting AS (SELECT id, state, created_at FROM convex.job_requests"
        " WHERE workspace_id = %(workspace)s AND kind = %(kind)s AND state = 'requested'"
        " ORDER BY created_at LIMIT 1),"
        " made AS (INSERT INTO convex.job_requests (workspace_id, kind, requested_by)"
        " SELECT %(workspace)s, %(kind)s, %(user)s WHERE NOT EXISTS (SELECT 1 FROM waiting)"
        " RETURNING id, state, created_at)"
        " SELECT * FROM waiting UNION ALL SELECT * FROM made",
        {"workspace": workspace_id, "kind": JOB, "user": user_id},
    )
    row = await rows.fetchone()
    assert row is not None
    return row


async def take_requests(connection: Connection) -> list[tuple[UUID, UUID]]:
    """The requested runs as (request, workspace), each taken by one caller only."""
    rows = await connection.execute(
        "UPDATE convex.job_requests SET state = 'running', started_at = now() WHERE id = ANY(ARRAY("
        "SELECT id FROM convex.job_requests WHERE kind = %s AND state = 'requested'"
        " ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED)) RETURNING id, workspace_id",
        (JOB,),
    )
    return [(row["id"], row["workspace_id"]) for row in await rows.fetchall()]


async def finish_requests(
    connection: Connection,
    workspace_id: UUID,
    *,
    predictions: int = 0,
    error: str | None = None,
) -> None:
    """What was asked for this workspace has been done, or could not be."""
    result: dict[str, Any] = {"predictions": predictions}
    if error is not None:
        result = {"error": error[:2000]}
    await connection.execute(
        "UPDATE convex.job_requests SET state = %s, finished_at = now(), result = %s"
        " WHERE workspace_id = %s AND kind = %s AND state = 'running'",
        ("failed" if error is not None else "done", Jsonb(result), workspace_id, JOB),
    )
