"""Points that were not taken, as a list. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.metrics.model import Rejection


@dataclass(frozen=True, slots=True)
class Rejected:
    """One of them: why, in a word and in words, and the point as it came."""

    id: int
    received_at: datetime
    source: str
    reason: str
    detail: str
    point: Any
    reingested_at: datetime | None


async def list_rejected(
    connection: Connection,
    workspace_id: UUID,
    *,
    reason: Rejection | None = None,
    source: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Rejected]:
    """Newest first."""
    after = decode_cursor(cursor, datetime, int)
    received_at, rejected_id = after if after is not None else (None, None)
    rows = await connection.execute(
        "SELECT id, received_at, source, reason, detail, point, reingested_at"
        " FROM convex.rejected_points WHERE workspace_id = %(workspace)s"
        " AND (%(reason)s::text IS NULL OR reason = %(reason)s)"
        " AND (%(source)s::text IS NULL OR source = %(source)s)"
        " AND (%(at)s::timestamptz IS NULL"
        " OR (received_at, id) < (%(at)s::timestamptz, %(id)s::bigint))"
        " ORDER BY received_at DESC, id DESC LIMIT %(limit)s",
        {
            "workspace": workspace_id,
            "reason": None if reason is None else reason.value,
            "source": source,
            "at": received_at,
            "id": rejected_id,
            "limit": limit + 1,
        },
    )
    found = [Rejected(**row) for row in await rows.fetchall()]
    items = found[:limit]
    last = items[-1] if len(found) > limit else None
    return Page(items, encode_cursor(last.received_at.isoformat(), last.id) if last else None)
