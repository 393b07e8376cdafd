"""The SQL of this package: snapshots, what a detector is built with, and feedback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from convex.db import Connection
from convex.metrics.arrays import Bigints, Instants, array_cursor
from convex.metrics.model import FloatArray, IntArray, to_datetime

_BEFORE_ALL = -1  # no point is older than 1970


@dataclass(frozen=True, slots=True)
class Origin:
    """What a detector of a series starts from: its settings, and its newest snapshot if any."""

    series_id: int
    zone: str
    counter: bool
    format: int | None
    state: bytes | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A detector as bytes; `reaches` is the newest point in it, in microseconds UTC."""

    series_id: int
    reaches: int
    state: bytes


async def begin(connection: Connection, transactions: Sequence[int]) -> tuple[int, set[int]]:
    """The id of the running transaction, and which of the given ones were committed."""
    cursor = await connection.execute(
        "SELECT pg_current_xact_id()::text::bigint AS now,"
        " ARRAY(SELECT x FROM unnest(%s::bigint[]) AS x"
        " WHERE pg_xact_status(x::text::xid8) = 'committed') AS committed",
        (list(transactions),),
    )
    row = await cursor.fetchone()
    assert row is not None
    return row["now"], set(row["committed"])


async def load_origins(
    connection: Connection, workspace_id: UUID, series: Sequence[int], method: str
) -> list[Origin]:
    """One for each of the series that exist in the workspace."""
    cursor = await connection.execute(
        "SELECT s.id, w.timezone, m.is_counter, d.format, d.state"
        " FROM convex.series AS s"
        " INNER JOIN convex.metrics AS m ON m.id = s.metric_id"
        " INNER JOIN convex.workspaces AS w ON w.id = s.workspace_id"
        " LEFT JOIN convex.detector_snapshots AS d ON d.series_id = s.id AND d.method = %s"
        " WHERE s.workspace_id = %s AND s.id = ANY(%s)",
        (method, workspace_id, list(series)),
    )
    return [
        Origin(row["id"], row["timezone"], row["is_counter"], row["format"], row["state"])
        for row in await cursor.fetchall()
    ]


async def read_points(
    connection: Connection, series: IntArray, after: IntArray, until: IntArray
) -> dict[int, tuple[IntArray, FloatArray]]:
    """The points in (after, until] of each series, in order of time, by series."""
    cursor = array_cursor(connection)
    await cursor.execute(
        "SELECT w.series_id, array_agg(p.timestamp ORDER BY p.timestamp),"
        " array_agg(p.value ORDER BY p.timestamp)"
        " FROM unnest(%s, %s, %s) AS w (series_id, lower, upper)"
        " INNER JOIN convex.points AS p ON p.series_id = w.series_id"
        " AND p.timestamp > w.lower AND p.timestamp <= w.upper"
        " WHERE p.timestamp <= %s GROUP BY w.series_id",
        (
            Bigints(series),
            Instants(np.maximum(after, _BEFORE_ALL)),
            Instants(until),
            to_datetime(until.max()),
        ),
    )
    return {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}


async def save_snapshots(
    connection: Connection,
    workspace_id: UUID,
    method: str,
    version: int,
    snapshots: Sequence[Snapshot],
) -> None:
    """Save each, unless one that reaches further is there already."""
    await connection.execute(
        "INSERT INTO convex.detector_snapshots AS d"
        " (workspace_id, series_id, method, format, reaches, state)"
        " SELECT %s, t.series_id, %s, %s, t.reaches, t.state"
        " FROM unnest(%s::bigint[], %s::timestamptz[], %s::bytea[])"
        " AS t (series_id, reaches, state)"
        " ON CONFLICT (series_id, method) DO UPDATE SET format = excluded.format,"
        " reaches = excluded.reaches, state = excluded.state, updated_at = now()"
        " WHERE d.reaches < excluded.reaches OR d.format <> excluded.format",
        (
            workspace_id,
            method,
            version,
            [one.series_id for one in snapshots],
            [to_datetime(one.reaches) for one in snapshots],
            [one.state for one in snapshots],
        ),
    )


async def invalidate(connection: Connection, workspace_id: UUID, series: Sequence[int]) -> None:
    """As `forget`, for those who may not remove rows: what is there is of no format any more."""
    await connection.execute(
        "UPDATE convex.detector_snapshots SET format = 0, updated_at = now()"
        " WHERE workspace_id = %s AND series_id = ANY(%s) AND format <> 0",
        (workspace_id, list(series)),
    )


async def forget(connection: Connection, workspace_id: UUID, series: Sequence[int]) -> None:
    """Drop the snapshots of series: their detectors are built from the points again."""
    await connection.execute(
        "DELETE FROM convex.detector_snapshots WHERE workspace_id = %s AND series_id = ANY(%s)",
        (workspace_id, list(series)),
    )


async def read_feedback(
    connection: Connection, workspace_id: UUID, method: str
) -> list[tuple[float, bool]]:
    """Score (multiple of its threshold) and whether it was confirmed, of each anomaly that a member
    marked as actionable or as a false positive.
    """
    cursor = await connection.execute(
        "SELECT (context ->> 'score')::float8 AS score, feedback = 'actionable' AS confirmed"
        " FROM convex.alert_triggers"
        " WHERE workspace_id = %s AND type = 'anomaly' AND feedback IS NOT NULL"
        " AND context ->> 'method' = %s AND context ->> 'score' IS NOT NULL"
        " ORDER BY opened_at DESC LIMIT 10000",
        (workspace_id, method),
    )
    return [(row["score"], row["confirmed"]) for row in await cursor.fetchall()]
