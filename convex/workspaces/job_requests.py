"""Runs of a flow that members ask for: rows of job_requests that the flows look for.

A request is of a whole workspace. Pulls of one source and exports bring arguments of their own and
have their own functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.db import Connection

_LONGEST_ERROR = 2000


class Job(StrEnum):
    """What may be asked for, by the name of its flow."""

    DETECT_PATTERNS = "detect-patterns"
    FORECAST_ALERTS = "forecast-alerts"


async def request_run(
    connection: Connection, workspace_id: UUID, job: Job, user_id: UUID | None
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
        {"workspace": workspace_id, "kind": job, "user": user_id},
    )
    row = await rows.fetchone()
    assert row is not None
    return row


async def take_requests(connection: Connection, job: Job) -> list[tuple[UUID, UUID]]:
    """The requested runs as (request, workspace), each taken by one caller only."""
    rows = await connection.execute(
        "UPDATE convex.job_requests SET state = 'running', started_at = now() WHERE id = ANY(ARRAY("
        "SELECT id FROM convex.job_requests WHERE kind = %s AND state = 'requested'"
        " ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED)) RETURNING id, workspace_id",
        (job,),
    )
    return [(row["id"], row["workspace_id"]) for row in await rows.fetchall()]


async def finish_requests(
    connection: Connection,
    workspace_id: UUID,
    job: Job,
    *,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """What was asked for this workspace has been done, or could not be."""
    said = dict(result or {}) if error is None else {"error": error[:_LONGEST_ERROR]}
    await connection.execute(
        "UPDATE convex.job_requests SET state = %s, finished_at = now(), result = %s"
        " WHERE workspace_id = %s AND kind = %s AND state = 'running'",
        ("done" if error is None else "failed", Jsonb(said), workspace_id, job),
    )
