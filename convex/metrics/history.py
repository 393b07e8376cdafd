"""Series as a list, and their points thinned out by the server. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import InvalidInput, NotFound

MOST_POINTS = 5_000  # of one answer; a chart shows fewer
_STEPS = (0, 10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800)

_SERIES = """
SELECT s.id, s.metric_id, s.framework_id, m.name AS metric, f.slug AS framework, s.labels,
    s.newest_at, s.ended_at, s.created_at
FROM convex.series AS s
INNER JOIN convex.metrics AS m ON m.id = s.metric_id
INNER JOIN convex.frameworks AS f ON f.id = s.framework_id
"""


@dataclass(frozen=True, slots=True)
class Series:
    """One metric with one set of labels; `ended_at` is set when its target went away."""

    id: int
    metric_id: UUID
    framework_id: UUID
    metric: str
    framework: str
    labels: Mapping[str, str]
    newest_at: datetime | None
    ended_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """The points of one step: its beginning (UTC), their mean, extremes and number."""

    timestamp: datetime
    value: float
    min: float
    max: float
    count: int


async def list_series(
    connection: Connection,
    workspace_id: UUID,
    *,
    framework_id: UUID | None = None,
    metric_id: UUID | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Series]:
    """A page of series by id, of one framework or metric or of all."""
    after = decode_cursor(cursor, int)
    rows = await connection.execute(
        _SERIES + " WHERE s.workspace_id = %(workspace_id)s AND s.id > %(after)s"
        " AND (%(framework_id)s::uuid IS NULL OR s.framework_id = %(framework_id)s)"
        " AND (%(metric_id)s::uuid IS NULL OR s.metric_id = %(metric_id)s)"
        " ORDER BY s.id LIMIT %(limit)s",
        {
            "workspace_id": workspace_id,
            "framework_id": framework_id,
            "metric_id": metric_id,
            "after": 0 if after is None else after[0],
            "limit": limit + 1,
        },
    )
    found = [Series(**row) for row in await rows.fetchall()]
    items = found[:limit]
    return Page(items, encode_cursor(items[-1].id) if len(found) > limit else None)


async def get_series(connection: Connection, series_id: int) -> Series:
    """By id. Raises `NotFound`."""
    rows = await connection.execute(_SERIES + " WHERE s.id = %s", (series_id,))
    row = await rows.fetchone()
    if row is None:
        raise NotFound(f"There is no series {series_id} in this workspace.")
    return Series(**row)


def choose_step(start: datetime, end: datetime, most: int = 1_000) -> int:
    """The shortest step in seconds that gives at most `most` steps between two instants."""
    seconds = (end - start).total_seconds()
    return next((step for step in _STEPS[1:] if seconds / step <= most), _STEPS[-1])


# The finest that is left of each time: a summary is there only where points were dropped.
_LEFT = """
WITH hours AS (
    SELECT timestamp, mean, low, high, points FROM convex.hourly_points
    WHERE series_id = %(series)s AND timestamp >= %(start)s AND timestamp < %(end)s
),
left_over AS (
    SELECT timestamp, value AS mean, value AS low, value AS high, 1 AS points FROM convex.points
    WHERE series_id = %(series)s AND timestamp >= %(start)s AND timestamp < %(end)s
    UNION ALL SELECT * FROM hours
    UNION ALL
    SELECT d.timestamp, d.mean, d.low, d.high, d.points FROM convex.daily_points AS d
    WHERE d.series_id = %(series)s AND d.timestamp >= %(start)s AND d.timestamp < %(end)s
    AND NOT EXISTS (
        SELECT 1 FROM hours AS h
        WHERE h.timestamp >= d.timestamp AND h.timestamp < d.timestamp + interval '1 day'
    )
)
"""
_BINNED = (
    f"{_LEFT} SELECT date_bin(%(step)s, timestamp, timestamptz 'epoch') AS timestamp,"
    " sum(mean * points) / sum(points) AS value, min(low) AS min, max(high) AS max,"
    " sum(points) AS count FROM left_over GROUP BY 1 ORDER BY 1"
)
_AS_THEY_ARE = (
    f"{_LEFT} SELECT timestamp, mean AS value, low AS min, high AS max, points AS count"
    " FROM left_over ORDER BY 1 LIMIT %(most)s"
)


async def read_steps(
    connection: Connection, series_id: int, start: datetime, end: datetime, step_seconds: int
) -> list[Step]:
    """Points in [start, end), gathered into steps that begin at whole multiples since 1970 UTC.

    A step of 0 gives the points as they were measured. Where the points are gone by the workspace's
    retention, their hours are given, and where those are gone too, their days. Raises
    `InvalidInput` when the answer would hold more than `MOST_POINTS`, `NotFound` for a series that
    is not there.
    """
    await get_series(connection, series_id)
    if end <= start:
        raise InvalidInput("`from` must lie before `to`.", parameter="from")
    if step_seconds and (end - start).total_seconds() / step_seconds > MOST_POINTS:
        raise InvalidInput(
            f"That would be more than {MOST_POINTS} points; ask for a longer step or less time.",
            parameter="step",
        )
    rows = await connection.execute(
        _BINNED if step_seconds else _AS_THEY_ARE,
        {
            "step": timedelta(seconds=step_seconds),
            "series": series_id,
            "start": start,
            "end": end,
            "most": MOST_POINTS + 1,
        },
    )
    found = [Step(**row) for row in await rows.fetchall()]
    if len(found) > MOST_POINTS:
        raise InvalidInput(
            f"There are more than {MOST_POINTS} points; ask for a step or less time.",
            parameter="step",
        )
    return found
