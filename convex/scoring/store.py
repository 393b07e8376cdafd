"""The SQL of health and risk. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from convex.db import Connection
from convex.metrics.arrays import Bigints, Doubles, Instants, array_cursor
from convex.metrics.model import Category
from convex.scoring.grid import STATUSES, ScoredMetric

# A row of COPY's binary format: number of fields, then each with its length before it.
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("metric_length", ">i4"),
        ("metric", ">i8"),
        ("at_length", ">i4"),
        ("at", ">i8"),
        ("value_length", ">i4"),
        ("value", ">f8"),
    ]
)
_HEADER, _TRAILER = 19, 2
_YEAR_2000 = 946_684_800_000_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One row of health_metrics; `category` is one of the five, `overall` or `risk`."""

    framework_id: UUID
    at: datetime
    category: str
    score: float | None
    status: str
    coverage: float
    detail: str


@dataclass(frozen=True, slots=True)
class SnapshotColumns:
    """Many rows of health_metrics as columns of equal length; instants in microseconds since 1970.

    `framework`, `category` and `status` are positions in `frameworks`, `categories` and `STATUSES`;
    a score is NaN where it is not known.
    """

    frameworks: Sequence[UUID]
    categories: Sequence[str]
    framework: NDArray[np.int64]
    category: NDArray[np.int64]
    at: NDArray[np.int64]
    score: NDArray[np.float64]
    status: NDArray[np.int64]
    coverage: NDArray[np.float64]


async def list_scored_metrics(
    connection: Connection, workspace_id: UUID, framework_id: UUID | None = None
) -> list[ScoredMetric]:
    """The metrics with a target and a limit, of one framework or of all."""
    rows = await connection.execute(
        'SELECT id, framework_id, name, unit, category, target, "limit", weight, default_aggregate'
        " FROM convex.metrics WHERE workspace_id = %s"
        ' AND target IS NOT NULL AND "limit" IS NOT NULL'
        " AND (%s::uuid IS NULL OR framework_id = %s) ORDER BY framework_id, name",
        (workspace_id, framework_id, framework_id),
    )
    return [
        ScoredMetric(
            row["id"],
            row["framework_id"],
            row["name"],
            row["unit"],
            Category(row["category"]),
            row["target"],
            row["limit"],
            row["weight"],
            row["default_aggregate"],
        )
        for row in await rows.fetchall()
    ]


async def read_points(
    connection: Connection, metrics: Sequence[UUID], start: datetime, end: datetime
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Points in (start, end] of all series of these metrics, by metric and time.

    Columns: position in `metrics`, microseconds since 1970 (UTC), value.
    """
    async with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY (SELECT m.position - 1, p.timestamp, p.value"
            " FROM unnest(%s::uuid[]) WITH ORDINALITY AS m (metric_id, position)"
            " INNER JOIN convex.series AS s ON s.metric_id = m.metric_id"
            " INNER JOIN convex.points AS p ON p.series_id = s.id"
            " WHERE p.timestamp > %s AND p.timestamp <= %s ORDER BY 1, 2)"
            " TO STDOUT (FORMAT binary)",
            (list(metrics), start, end),
        ) as copy,
    ):
        parts = [bytes(part) async for part in copy]
    rows = np.frombuffer(b"".join(parts)[_HEADER:-_TRAILER], _ROW)
    return (
        rows["metric"].astype(np.int64),
        rows["at"].astype(np.int64) + _YEAR_2000,
        rows["value"].astype(np.float64),
    )


async def newest_snapshot(connection: Connection, workspace_id: UUID) -> datetime | None:
    """When this workspace was scored last."""
    rows = await connection.execute(
        "SELECT max(at) AS at FROM convex.health_metrics"
        " WHERE workspace_id = %s AND category = 'overall'",
        (workspace_id,),
    )
    row = await rows.fetchone()
    return row["at"] if row else None


async def save_snapshots(
    connection: Connection, workspace_id: UUID, snapshots: Sequence[Snapshot]
) -> None:
    """Write or overwrite; one statement for all."""
    columns = list(
        zip(
            *(
                (s.framework_id, s.at, s.category, s.score, s.status, s.coverage, s.detail)
                for s in snapshots
            ),
            strict=True,
        )
    )
    if not columns:
        return
    await connection.execute(
        "INSERT INTO convex.health_metrics"
        " (workspace_id, framework_id, at, category, score, status, coverage, detail)"
        " SELECT %s, * FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[], %s::float8[],"
        " %s::text[], %s::float8[], %s::jsonb[])"
        " ON CONFLICT (framework_id, category, at) DO UPDATE SET score = excluded.score,"
        " status = excluded.status, coverage = excluded.coverage, detail = excluded.detail",
        (workspace_id, *map(list, columns)),
    )


async def save_columns(connection: Connection, workspace_id: UUID, rows: SnapshotColumns) -> None:
    """Write or overwrite, without detail; one statement for all."""
    if not len(rows.at):
        return
    await array_cursor(connection).execute(
        "INSERT INTO convex.health_metrics"
        " (workspace_id, framework_id, at, category, score, status, coverage, detail)"
        " SELECT %s, (%s::uuid[])[u.framework + 1], u.at, (%s::text[])[u.category + 1],"
        " nullif(u.score, 'NaN'), (%s::text[])[u.status + 1], u.coverage, '{}'"
        " FROM unnest(%s, %s, %s, %s, %s, %s)"
        " AS u (framework, category, at, score, status, coverage)"
        " ON CONFLICT (framework_id, category, at) DO UPDATE SET score = excluded.score,"
        " status = excluded.status, coverage = excluded.coverage, detail = excluded.detail",
        (
            *(workspace_id, list(rows.frameworks), list(rows.categories), list(STATUSES)),
            *(Bigints(rows.framework), Bigints(rows.category), Instants(rows.at)),
            *(Doubles(rows.score), Bigints(rows.status), Doubles(rows.coverage)),
        ),
    )


async def latest_statuses(connection: Connection, framework_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The status of each of these frameworks at its newest snapshot."""
    rows = await connection.execute(
        "SELECT f.id AS framework_id, h.status FROM unnest(%s::uuid[]) AS f (id)"
        " INNER JOIN LATERAL (SELECT status FROM convex.health_metrics AS m"
        " WHERE m.framework_id = f.id AND m.category = 'overall'"
        " ORDER BY m.at DESC LIMIT 1) AS h ON true",
        (list(framework_ids),),
    )
    return {row["framework_id"]: row["status"] for row in await rows.fetchall()}


async def daily_scores(
    connection: Connection, workspace_id: UUID, framework_ids: Sequence[UUID], since: datetime
) -> dict[UUID, list[tuple[datetime, float]]]:
    """The last known overall score of each UTC day."""
    rows = await connection.execute(
        "SELECT DISTINCT ON (framework_id, date_trunc('day', at, 'UTC')) framework_id,"
        " date_trunc('day', at, 'UTC') AS day, score FROM convex.health_metrics"
        " WHERE workspace_id = %s AND framework_id = ANY (%s) AND category = 'overall'"
        " AND at >= %s AND score IS NOT NULL"
        " ORDER BY framework_id, date_trunc('day', at, 'UTC'), at DESC",
        (workspace_id, list(framework_ids), since),
    )
    days: dict[UUID, list[tuple[datetime, float]]] = {}
    for row in await rows.fetchall():
        days.setdefault(row["framework_id"], []).append((row["day"], row["score"]))
    return days


async def newest_snapshots(
    connection: Connection, workspace_id: UUID, framework_ids: Sequence[UUID] | None
) -> list[dict[str, Any]]:
    """framework_id, and of the newest snapshots score, status, coverage, at, risk_detail (each may
    be None): of these frameworks, or of all.
    """
    newest = (
        "SELECT * FROM convex.health_metrics AS m WHERE m.framework_id = f.id"
        " AND m.category = '{}' ORDER BY m.at DESC LIMIT 1"
    )
    chosen = None if framework_ids is None else list(framework_ids)
    rows = await connection.execute(
        "SELECT f.id AS framework_id, h.score, h.status, h.coverage, h.at, r.detail AS risk_detail"
        " FROM convex.frameworks AS f"
        f" LEFT JOIN LATERAL ({newest.format('overall')}) AS h ON true"
        f" LEFT JOIN LATERAL ({newest.format('risk')}) AS r ON true"
        " WHERE f.workspace_id = %s AND (%s::uuid[] IS NULL OR f.id = ANY (%s))",
        (workspace_id, chosen, chosen),
    )
    return await rows.fetchall()


async def read_history(
    connection: Connection, framework_id: UUID, since: datetime
) -> list[dict[str, Any]]:
    """Overall snapshots, oldest first: at, score, status, coverage."""
    rows = await connection.execute(
        "SELECT at, score, status, coverage FROM convex.health_metrics"
        " WHERE framework_id = %s AND category = 'overall' AND at >= %s ORDER BY at",
        (framework_id, since),
    )
    return await rows.fetchall()


async def open_triggers(
    connection: Connection, workspace_id: UUID, framework_ids: Sequence[UUID]
) -> list[dict[str, Any]]:
    """framework_id, rule_name, severity, state of every trigger that is open."""
    rows = await connection.execute(
        "SELECT framework_id, rule_name, severity, state FROM convex.alert_triggers"
        " WHERE workspace_id = %s AND framework_id = ANY (%s) AND state <> 'resolved'",
        (workspace_id, list(framework_ids)),
    )
    return await rows.fetchall()


async def predicted_firings(
    connection: Connection, workspace_id: UUID, framework_ids: Sequence[UUID], now: datetime
) -> list[dict[str, Any]]:
    """The newest prediction per rule whose window is running: with rule_name, severity, hours."""
    rows = await connection.execute(
        "SELECT DISTINCT ON (p.rule_id) p.framework_id, r.name AS rule_name, r.severity,"
        " p.probability / 100 AS probability,"
        " round(extract(epoch FROM p.window_end - p.window_start) / 3600)::int AS hours"
        " FROM convex.alert_predictions AS p INNER JOIN convex.alert_rules AS r ON r.id = p.rule_id"
        " WHERE p.workspace_id = %s AND p.framework_id = ANY (%s) AND p.kind = 'next_alert'"
        " AND p.confidence <> 'low' AND p.window_start <= %s AND p.window_end > %s"
        " AND r.deleted_at IS NULL AND r.enabled ORDER BY p.rule_id, p.made_at DESC",
        (workspace_id, list(framework_ids), now, now),
    )
    return await rows.fetchall()


async def append_status_events(
    connection: Connection, workspace_id: UUID, events: Sequence[tuple[UUID, str]]
) -> int | None:
    """Live events of type health; the newest cursor. Last in a transaction."""
    if not events:
        return None
    rows = await connection.execute(
        "SELECT convex.append_live_events(%s, %s::uuid[], %s::text[], %s::jsonb[]) AS cursor",
        (
            workspace_id,
            [framework_id for framework_id, _ in events],
            ["health"] * len(events),
            [data for _, data in events],
        ),
    )
    row = await rows.fetchone()
    return row["cursor"] if row else None
