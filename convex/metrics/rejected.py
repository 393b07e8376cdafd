"""Points that were not taken: as a list, and once more with what was wrong put right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.metrics.model import PointBatch, Rejection
from convex.metrics.push import from_rows


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


async def get_rejected(
    connection: Connection, workspace_id: UUID, ids: Sequence[int]
) -> dict[int, Any]:
    """The points as they came, by id; locked until the transaction ends. Those that were taken
    later, or are not there, are left out.
    """
    rows = await connection.execute(
        "SELECT id, point FROM convex.rejected_points WHERE workspace_id = %s AND id = ANY(%s)"
        " AND reingested_at IS NULL ORDER BY id FOR UPDATE",
        (workspace_id, list(ids)),
    )
    return {row["id"]: row["point"] for row in await rows.fetchall()}


def correct(points: Mapping[int, Any], corrections: Mapping[int, Mapping[str, Any]]) -> PointBatch:
    """A batch of these points, each with its corrections (of framework, metric, labels, timestamp,
    value) over what came. Pure.
    """
    rows = [
        {**(point if isinstance(point, dict) else {}), **corrections.get(number, {})}
        for number, point in points.items()
    ]
    return from_rows(rows, "reingested")


async def mark_reingested(
    connection: Connection, workspace_id: UUID, ids: Sequence[int], now: datetime
) -> None:
    """These were sent again; what was still wrong with them is a rejected point of its own."""
    await connection.execute(
        "UPDATE convex.rejected_points SET reingested_at = %s"
        " WHERE workspace_id = %s AND id = ANY(%s)",
        (now, workspace_id, list(ids)),
    )


EXPORTED = (
    "id",
    "received_at",
    "source",
    "reason",
    "detail",
    "framework",
    "metric",
    "labels",
    "timestamp",
    "value",
)


def export_row(one: Rejected) -> list[str]:
    """A row of the export, under `EXPORTED`; what was no point is kept whole in the last column."""
    point = one.point if isinstance(one.point, dict) else {}
    labels = point.get("labels")
    cells = [
        str(one.id),
        one.received_at.isoformat(),
        one.source,
        one.reason,
        one.detail,
        str(point.get("framework", "")),
        str(point.get("metric", "")),
        orjson.dumps(labels).decode() if labels else "",
        str(point.get("timestamp", "")),
        str(point.get("value", "")) if point else orjson.dumps(one.point, default=str).decode(),
    ]
    return [f"'{cell}" if _is_formula(cell) else cell for cell in cells]


def _is_formula(cell: str) -> bool:
    """Whether a spreadsheet would run it; a number with a sign is none."""
    if not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False
