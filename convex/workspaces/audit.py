"""Reading the audit trail, and checking its chain. The rows are written by triggers alone."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.workspaces.model import AuditEntry


@dataclass(frozen=True, slots=True)
class Break:
    """Where the chain does not hold."""

    sequence: int
    problem: str


async def list_entries(
    connection: Connection,
    workspace_id: UUID,
    *,
    table: str | None,
    row_key: str | None,
    limit: int,
    cursor: str | None,
) -> Page[AuditEntry]:
    """Newest first."""
    (before,) = decode_cursor(cursor, int) or (None,)
    rows = await (
        await connection.execute(
            "SELECT a.sequence, a.at, a.user_id, u.name AS user_name, a.api_key_id, a.role,"
            " a.action, a.table_name, a.row_key, a.change, a.hash"
            " FROM convex.audit_log AS a LEFT JOIN convex.users AS u ON u.id = a.user_id"
            " WHERE a.workspace_id = %(workspace)s"
            " AND (%(before)s::bigint IS NULL OR a.sequence < %(before)s)"
            " AND (%(table)s::text IS NULL OR a.table_name = %(table)s)"
            " AND (%(row_key)s::text IS NULL OR a.row_key = %(row_key)s)"
            " ORDER BY a.sequence DESC LIMIT %(limit)s",
            {
                "workspace": workspace_id,
                "before": before,
                "table": table,
                "row_key": row_key,
                "limit": limit + 1,
            },
        )
    ).fetchall()
    items = [AuditEntry(**row) for row in rows[:limit]]
    return Page(items, encode_cursor(items[-1].sequence) if len(rows) > limit else None)


async def count_entries(connection: Connection, workspace_id: UUID) -> int:
    """How long the chain is."""
    row = await (
        await connection.execute(
            "SELECT count(*) AS n FROM convex.audit_log WHERE workspace_id = %s", (workspace_id,)
        )
    ).fetchone()
    return 0 if row is None else int(row["n"])


async def verify(connection: Connection, workspace_id: UUID) -> list[Break]:
    """Every break of the workspace's chain; an empty list when it is whole. Owners and flows."""
    rows = await connection.execute(
        "SELECT sequence, problem FROM convex.verify_audit(%s)", (workspace_id,)
    )
    return [Break(row["sequence"], row["problem"]) for row in await rows.fetchall()]
