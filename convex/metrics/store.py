"""The SQL of metrics, series and points. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from psycopg import AsyncCursor
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from convex.db import Connection
from convex.metrics.arrays import Bigints, Doubles, Instants, array_cursor
from convex.metrics.model import (
    BoolArray,
    FloatArray,
    IntArray,
    MetricHint,
    RejectedPoint,
    to_datetime,
)

NEVER = -(2**63) + 946_684_800_000_000  # how '-infinity' reads: before every instant
FOREVER = 253_402_300_799_000_000  # the year 9999: after every instant that is taken


@dataclass(frozen=True, slots=True)
class Limits:
    """What a workspace allows, and how many series it has."""

    auto_create_metrics: bool
    auto_create_frameworks: bool
    series_limit: int | None
    framework_limit: int | None
    series: int
    frameworks: int


@dataclass(frozen=True, slots=True)
class LockedSeries:
    """Columns of the locked rows, by id; instants in microseconds, `NEVER` for none.

    `newest` is the newest point before this transaction, `distrusted` since when a check of the
    data's quality found the series wrong.
    """

    ids: IntArray
    newest: IntArray
    ended: IntArray
    created: IntArray
    distrusted: IntArray

    def overridden(self, earlier: LockedSeries) -> LockedSeries:
        """The same with what an earlier look had found, where it had found it."""
        known = np.isin(self.ids, earlier.ids)
        row_of = np.searchsorted(earlier.ids, self.ids[known])
        newest, ended = self.newest.copy(), self.ended.copy()
        newest[known], ended[known] = earlier.newest[row_of], earlier.ended[row_of]
        return LockedSeries(self.ids, newest, ended, self.created, self.distrusted)


async def framework_ids(
    connection: Connection, workspace_id: UUID, slugs: Collection[str]
) -> dict[str, UUID]:
    """The frameworks that exist, by slug."""
    rows = await connection.execute(
        "SELECT slug, id FROM convex.frameworks WHERE workspace_id = %s AND slug = ANY(%s)",
        (workspace_id, list(slugs)),
    )
    return {row["slug"]: row["id"] for row in await rows.fetchall()}


async def metric_ids(
    connection: Connection, workspace_id: UUID, pairs: Collection[tuple[UUID, str]]
) -> dict[tuple[UUID, str], UUID]:
    """The metrics that exist, by framework and name."""
    rows = await connection.execute(
        "SELECT m.framework_id, m.name, m.id FROM convex.metrics AS m"
        " INNER JOIN unnest(%s::uuid[], %s::text[]) AS w (framework_id, name)"
        " ON w.framework_id = m.framework_id AND w.name = m.name WHERE m.workspace_id = %s",
        ([pair[0] for pair in pairs], [pair[1] for pair in pairs], workspace_id),
    )
    return {(row["framework_id"], row["name"]): row["id"] for row in await rows.fetchall()}


async def create_frameworks(
    connection: Connection, workspace_id: UUID, slugs: Sequence[str]
) -> None:
    """Frameworks as a pushed point knows them; what exists stays as it is."""
    await connection.execute(
        "INSERT INTO convex.frameworks (workspace_id, slug, name) SELECT %s, w.slug, w.slug"
        " FROM unnest(%s::text[]) AS w (slug) ON CONFLICT (workspace_id, slug) DO NOTHING",
        (workspace_id, list(slugs)),
    )


async def create_metrics(
    connection: Connection, workspace_id: UUID, hints: Mapping[tuple[UUID, str], MetricHint]
) -> None:
    """Metrics as a pushed point knows them, by framework and name; what exists stays as it is."""
    ordered = sorted(hints)
    await connection.execute(
        "INSERT INTO convex.metrics (workspace_id, framework_id, name, unit, category, is_counter,"
        " description) SELECT %s, w.* FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[],"
        " %s::boolean[], %s::text[]) AS w ON CONFLICT (framework_id, name) DO NOTHING",
        (
            workspace_id,
            [pair[0] for pair in ordered],
            [pair[1] for pair in ordered],
            [hints[pair].unit for pair in ordered],
            [hints[pair].category for pair in ordered],
            [hints[pair].is_counter for pair in ordered],
            [hints[pair].description for pair in ordered],
        ),
    )


async def lock_limits(connection: Connection, workspace_id: UUID) -> Limits:
    """What the workspace allows; until the end of the transaction nobody else creates there."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('convex.series ' || %s::text, 0))",
        (workspace_id,),
    )
    rows = await connection.execute(
        "SELECT settings, (SELECT count(*) FROM convex.series WHERE workspace_id = w.id) AS series,"
        " (SELECT count(*) FROM convex.frameworks WHERE workspace_id = w.id) AS frameworks"
        " FROM convex.workspaces AS w WHERE id = %s",
        (workspace_id,),
    )
    row = await rows.fetchone()
    settings: Mapping[str, Any] = {} if row is None else row["settings"]
    return Limits(
        auto_create_metrics=settings.get("auto_create_metrics", True) is not False,
        auto_create_frameworks=settings.get("auto_create_frameworks", True) is not False,
        series_limit=_count_of(settings.get("series_limit")),
        framework_limit=_count_of(settings.get("framework_limit")),
        series=0 if row is None else row["series"],
        frameworks=0 if row is None else row["frameworks"],
    )


def _count_of(limit: object) -> int | None:
    return limit if isinstance(limit, int) and limit >= 0 else None


async def series_ids(
    connection: Connection, workspace_id: UUID, rows: Collection[tuple[UUID, bytes]]
) -> dict[tuple[UUID, bytes], int]:
    """The series that exist, by metric and hash of their labels."""
    found = await connection.execute(
        "SELECT s.metric_id, s.labels_hash, s.id FROM convex.series AS s"
        " INNER JOIN unnest(%s::uuid[], %s::bytea[]) AS w (metric_id, labels_hash)"
        " ON w.metric_id = s.metric_id AND w.labels_hash = s.labels_hash"
        " WHERE s.workspace_id = %s",
        ([row[0] for row in rows], [row[1] for row in rows], workspace_id),
    )
    return {
        (row["metric_id"], bytes(row["labels_hash"])): row["id"] for row in await found.fetchall()
    }


async def create_series(
    connection: Connection,
    workspace_id: UUID,
    rows: Sequence[tuple[UUID, UUID, bytes, Mapping[str, Any]]],
    now: datetime,
) -> None:
    """Series from (framework, metric, hash, labels), met at `now`; what exists stays as it is."""
    await connection.execute(
        "INSERT INTO convex.series (workspace_id, framework_id, metric_id, labels_hash, labels,"
        " created_at) SELECT %s, w.framework_id, w.metric_id, w.labels_hash, w.labels, %s"
        " FROM unnest(%s::uuid[], %s::uuid[], %s::bytea[], %s::jsonb[])"
        " AS w (framework_id, metric_id, labels_hash, labels)"
        " ON CONFLICT (metric_id, labels_hash) DO NOTHING",
        (
            workspace_id,
            now,
            [row[0] for row in rows],
            [row[1] for row in rows],
            [row[2] for row in rows],
            [Jsonb(row[3]) for row in rows],
        ),
    )


LOCK_SERIES = (
    "SELECT array_agg(l.id), array_agg(l.newest_at), array_agg(l.ended_at),"
    " array_agg(l.created_at), array_agg(l.distrusted_since) FROM"
    " (SELECT id, coalesce(newest_at, '-infinity') AS newest_at,"
    " coalesce(ended_at, '-infinity') AS ended_at, created_at,"
    " coalesce(distrusted_since, '-infinity') AS distrusted_since FROM convex.series"
    " WHERE id = ANY(%s) AND workspace_id = %s ORDER BY id FOR NO KEY UPDATE) AS l"
)


async def lock_series(connection: Connection, workspace_id: UUID, ids: IntArray) -> LockedSeries:
    """Lock these rows in the order of their ids, so that writers never wait for each other in a
    circle. Those that do not exist are left out.
    """
    cursor = array_cursor(connection)
    await cursor.execute(LOCK_SERIES, (Bigints(ids), workspace_id))
    row = await cursor.fetchone()
    if row is None or row[0] is None:
        none = np.empty(0, np.int64)
        return LockedSeries(none, none, none, none, none)
    return LockedSeries(*row)


@dataclass(frozen=True, slots=True)
class PointColumns:
    """Points to be stored."""

    series: IntArray
    timestamps: IntArray
    values: FloatArray

    def of(self, chosen: BoolArray) -> PointColumns:
        """Some of them."""
        return PointColumns(self.series[chosen], self.timestamps[chosen], self.values[chosen])


@dataclass(frozen=True, slots=True)
class Moves:
    """What a batch has of each series, by ascending id: its first and last point (`FOREVER` and
    `NEVER` where it has none), and when the series ends (`NEVER`: it goes on).
    """

    series: IntArray
    firsts: IntArray
    lasts: IntArray
    ends: IntArray


class Taking:
    """The answer of `send_points`, once the pipeline it was sent in is through."""

    def __init__(self, cursor: AsyncCursor[TupleRow]) -> None:
        self._cursor = cursor

    async def read(self) -> tuple[LockedSeries, bool]:
        """The series as they were before, and whether the points are stored."""
        row = await self._cursor.fetchone()
        assert row is not None
        ids = row[0]
        if (ids[1:] > ids[:-1]).all():
            return LockedSeries(*row[:5]), row[5]
        order = np.argsort(ids)
        return LockedSeries(*(column[order] for column in row[:5])), row[5]


async def send_points(
    connection: Connection, workspace_id: UUID, moves: Moves, points: PointColumns
) -> Taking:
    """Lock the series and move them on; store the points if all of them are newer than what their
    series had and none of the series is missing.
    """
    cursor = array_cursor(connection)
    await cursor.execute(
        "SELECT ids, newest, ended, created, distrusted, stored"
        " FROM convex.take_points(%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            workspace_id,
            Bigints(moves.series),
            Instants(moves.firsts),
            Instants(moves.lasts),
            Instants(moves.ends),
            Bigints(points.series),
            Instants(points.timestamps),
            Doubles(points.values),
        ),
    )
    return Taking(cursor)


async def insert_points(connection: Connection, workspace_id: UUID, points: PointColumns) -> None:
    """Store points that are newer than what their series had: nothing can be in conflict."""
    await array_cursor(connection).execute(
        "INSERT INTO convex.points (workspace_id, series_id, timestamp, value)"
        " SELECT %s, w.series_id, w.timestamp, w.value FROM unnest(%s, %s, %s)"
        " AS w (series_id, timestamp, value)",
        (
            workspace_id,
            Bigints(points.series),
            Instants(points.timestamps),
            Doubles(points.values),
        ),
    )


async def insert_late_points(
    connection: Connection, workspace_id: UUID, points: PointColumns
) -> tuple[IntArray, IntArray, int]:
    """Store points of which some may be there: the new ones (series, timestamps), and how many of
    the others got another value.
    """
    series, timestamps = points.series, points.timestamps
    bound = (workspace_id, Bigints(series), Instants(timestamps), Doubles(points.values))
    cursor = await array_cursor(connection).execute(
        "WITH new AS (INSERT INTO convex.points (workspace_id, series_id, timestamp, value)"
        " SELECT %s, w.series_id, w.timestamp, w.value FROM unnest(%s, %s, %s)"
        " AS w (series_id, timestamp, value) ON CONFLICT (series_id, timestamp) DO NOTHING"
        " RETURNING series_id, timestamp)"
        " SELECT coalesce(array_agg(series_id), '{}'), coalesce(array_agg(timestamp), '{}')"
        " FROM new",
        bound,
    )
    row = await cursor.fetchone()
    assert row is not None
    corrected = 0
    if len(row[0]) < len(series):
        # Against the values that are there now, those just inserted included: they are equal.
        cursor = await array_cursor(
            connection
        ).execute(
            "UPDATE convex.points AS p SET value = w.value"
            " FROM unnest(%s, %s, %s) AS w (series_id, timestamp, value)"
            " WHERE p.workspace_id = %s AND p.series_id = w.series_id"
            " AND p.timestamp = w.timestamp AND p.value <> w.value"
            " AND p.timestamp BETWEEN %s AND %s",  # so that only their partitions are opened
            (
                *bound[1:],
                workspace_id,
                to_datetime(timestamps.min()),
                to_datetime(timestamps.max()),
            ),
        )
        corrected = cursor.rowcount
    return row[0], row[1], corrected


async def read_ranges(
    connection: Connection, series: IntArray, after: IntArray, until: IntArray
) -> dict[int, tuple[IntArray, FloatArray]]:
    """The points in (after, until] of each series, in order of time. Ranges of one series may not
    overlap.
    """
    cursor = array_cursor(connection)
    await cursor.execute(
        "SELECT w.series_id, array_agg(p.timestamp ORDER BY p.timestamp),"
        " array_agg(p.value ORDER BY p.timestamp)"
        " FROM unnest(%s, %s, %s) AS w (series_id, lower, upper)"
        " INNER JOIN convex.points AS p ON p.series_id = w.series_id"
        " AND p.timestamp > w.lower AND p.timestamp <= w.upper"
        " WHERE p.timestamp > %s AND p.timestamp <= %s GROUP BY w.series_id",
        (
            Bigints(series),
            Instants(after),
            Instants(until),
            to_datetime(after.min()),
            to_datetime(until.max()),
        ),
    )
    return {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}


async def read_previous(connection: Connection, before: Mapping[int, int]) -> dict[int, int]:
    """The instant of the newest point before the given one, by series; at most 40 days earlier."""
    cursor = array_cursor(connection)
    await cursor.execute(
        "SELECT w.series_id, p.timestamp FROM unnest(%s, %s) AS w (series_id, before)"
        " CROSS JOIN LATERAL (SELECT q.timestamp FROM convex.points AS q"
        " WHERE q.series_id = w.series_id AND q.timestamp < w.before"
        " AND q.timestamp >= w.before - interval '40 days'"
        " ORDER BY q.timestamp DESC LIMIT 1) AS p",
        (
            Bigints(np.array(list(before), np.int64)),
            Instants(np.array(list(before.values()), np.int64)),
        ),
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def total_before(connection: Connection, series_id: int, before: int) -> float:
    """The sum of the points before an instant."""
    rows = await connection.execute(
        "SELECT coalesce(sum(value), 0) AS total FROM convex.points"
        " WHERE series_id = %s AND timestamp < %s",
        (series_id, to_datetime(before)),
    )
    row = await rows.fetchone()
    return 0.0 if row is None else float(row["total"])


async def insert_rejected(
    connection: Connection, workspace_id: UUID, source: str, rejected: Sequence[RejectedPoint]
) -> None:
    """Keep points that were not taken."""
    await connection.execute(
        "INSERT INTO convex.rejected_points (workspace_id, source, reason, detail, point)"
        " SELECT %s, %s, w.reason, w.detail, w.point FROM unnest(%s::text[], %s::text[],"
        " %s::text[]::jsonb[]) AS w (reason, detail, point)",
        (
            workspace_id,
            source,
            [one.reason.value for one in rejected],
            [one.detail[:1000].replace("\0", "\ufffd") for one in rejected],
            [_storable(one.point) for one in rejected],
        ),
    )


def _storable(point: Any) -> str:
    """JSON that PostgreSQL can hold: it has no zero character."""
    return orjson.dumps(point, default=str).decode().replace("\\u0000", "\\ufffd")
