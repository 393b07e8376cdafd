"""Exports that owners ask for: rows of job_requests, and the archives in the home that they become.

A file is kept for `KEPT` and is found by its request's id alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.workspaces.export import Exported, Form

JOB = "export-workspace"
KEPT = timedelta(days=7)
_COLUMNS = "id, workspace_id, arguments, state, created_at, finished_at, result"


@dataclass(frozen=True, slots=True)
class Export:
    """One export, asked for, at work, or done."""

    id: UUID
    workspace_id: UUID
    form: Form
    state: str
    requested_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    bytes: int | None
    rows: int | None
    sha256: str | None
    error: str | None


def file_of(home: Path, workspace_id: UUID, export_id: UUID) -> Path:
    """Where its archive lies, or will."""
    return home / "exports" / str(workspace_id) / f"{export_id}.zip"


async def request_export(
    connection: Connection, workspace_id: UUID, user_id: UUID | None, form: Form
) -> Export:
    """Ask for one: the request that waits already, or a new one."""
    rows = await connection.execute(
        f"WITH waiting AS (SELECT {_COLUMNS} FROM convex.job_requests"
        " WHERE workspace_id = %(workspace)s AND kind = %(kind)s AND state = 'requested'"
        "  AND arguments ->> 'form' = %(form)s LIMIT 1),"
        " made AS (INSERT INTO convex.job_requests (workspace_id, kind, arguments, requested_by)"
        "  SELECT %(workspace)s, %(kind)s, jsonb_build_object('form', %(form)s::text), %(user)s"
        "  WHERE NOT EXISTS (SELECT 1 FROM waiting)"
        f" RETURNING {_COLUMNS})"
        " SELECT * FROM waiting UNION ALL SELECT * FROM made",
        {"workspace": workspace_id, "kind": JOB, "form": form, "user": user_id},
    )
    row = await rows.fetchone()
    assert row is not None
    return _export(row)


async def get_export(connection: Connection, workspace_id: UUID, export_id: UUID) -> Export | None:
    """One of the workspace's."""
    rows = await connection.execute(
        f"SELECT {_COLUMNS} FROM convex.job_requests"
        " WHERE workspace_id = %s AND id = %s AND kind = %s",
        (workspace_id, export_id, JOB),
    )
    row = await rows.fetchone()
    return None if row is None else _export(row)


async def list_exports(
    connection: Connection, workspace_id: UUID, limit: int, cursor: str | None
) -> Page[Export]:
    """Newest first."""
    before = decode_cursor(cursor, datetime, UUID) or (None, None)
    rows = await (
        await connection.execute(
            f"SELECT {_COLUMNS} FROM convex.job_requests WHERE workspace_id = %s AND kind = %s"
            " AND (%s::timestamptz IS NULL OR (created_at, id) < (%s, %s::uuid))"
            " ORDER BY created_at DESC, id DESC LIMIT %s",
            (workspace_id, JOB, before[0], *before, limit + 1),
        )
    ).fetchall()
    items = [_export(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, encode_cursor(items[-1].requested_at, items[-1].id) if more else None)


async def take_requests(connection: Connection) -> list[tuple[UUID, UUID]]:
    """The requested exports as (request, workspace), each taken by one caller only."""
    rows = await connection.execute(
        "UPDATE convex.job_requests SET state = 'running', started_at = now() WHERE id = ANY(ARRAY("
        "SELECT id FROM convex.job_requests WHERE kind = %s AND state = 'requested'"
        " ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED)) RETURNING id, workspace_id",
        (JOB,),
    )
    return [(row["id"], row["workspace_id"]) for row in await rows.fetchall()]


async def finish_export(connection: Connection, export_id: UUID, outcome: Exported | str) -> None:
    """Say what came of it: the archive, or what went wrong."""
    result: dict[str, Any] = {"error": outcome}
    if isinstance(outcome, Exported):
        result = {"bytes": outcome.bytes, "rows": outcome.rows, "sha256": outcome.sha256}
    await connection.execute(
        "UPDATE convex.job_requests SET state = %s, finished_at = now(), result = %s WHERE id = %s",
        ("failed" if isinstance(outcome, str) else "done", Jsonb(result), export_id),
    )


def drop_expired(home: Path, before: datetime) -> int:
    """Delete archives, and drafts of those that died, made before that instant; how many."""
    gone = 0
    for file in (home / "exports").glob("*/*"):
        if file.stat().st_mtime < before.timestamp():
            file.unlink(missing_ok=True)
            gone += 1
    return gone


def _export(row: DictRow) -> Export:
    result = row["result"] or {}
    done = row["state"] == "done"
    return Export(
        id=row["id"],
        workspace_id=row["workspace_id"],
        form=row["arguments"].get("form", "ndjson"),
        state=row["state"],
        requested_at=row["created_at"],
        finished_at=row["finished_at"],
        expires_at=row["finished_at"] + KEPT if done else None,
        bytes=result.get("bytes"),
        rows=result.get("rows"),
        sha256=result.get("sha256"),
        error=result.get("error"),
    )
