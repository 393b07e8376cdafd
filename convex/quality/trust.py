"""What follows from a check: series that are not trusted, ranges that are learned, an alert.

A critical expectation that fails on a series marks it: rules answer `error` on it, instead of
firing on bad data, until a later check finds it right. A critical expectation that fails anywhere
is an alert of the workspace, which ends when it holds again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from convex.alerts.external import Report, Reported, Source, report
from convex.alerts.model import Severity as AlertSeverity
from convex.db import Connection
from convex.errors import NotFound
from convex.quality.model import ExpectationResult, Severity, SuiteRun
from convex.quality.suites import SERIES

_ENOUGH = 200  # values from which a range is learned
_NAMED = 20  # series in an alert's context


@dataclass(frozen=True, slots=True)
class Range:
    """Between which values a metric must lie (`low`, `high`: a member said so, None: open), or
    usually lies (learned from so many values).
    """

    metric_id: UUID
    framework: str
    metric: str
    low: float | None
    high: float | None
    learned_low: float | None
    learned_high: float | None
    learned_points: int
    learned_at: datetime | None


async def learn_ranges(connection: Connection, workspace_id: UUID, now: datetime) -> int:
    """Learn from four weeks, the last day left out, where each metric's values lie: the middle 99 %
    and as much again on both sides. How many metrics have one now.
    """
    done = await connection.execute(
        "INSERT INTO convex.metric_ranges AS r (workspace_id, metric_id, learned_low, learned_high,"
        " learned_points, learned_at)"
        " SELECT %(workspace)s, q.metric_id, q.cut[1] - (q.cut[2] - q.cut[1]),"
        " q.cut[2] + (q.cut[2] - q.cut[1]), q.n, %(now)s FROM ("
        " SELECT s.metric_id, count(*) AS n,"
        " percentile_cont('{0.005,0.995}'::float8[]) WITHIN GROUP (ORDER BY p.value) AS cut"
        " FROM convex.points AS p INNER JOIN convex.series AS s ON s.id = p.series_id"
        " INNER JOIN convex.metrics AS m ON m.id = s.metric_id"
        " WHERE p.workspace_id = %(workspace)s AND NOT m.is_counter"
        " AND p.timestamp > %(now)s - interval '29 days'"
        " AND p.timestamp <= %(now)s - interval '1 day'"
        " GROUP BY s.metric_id HAVING count(*) >= %(enough)s) AS q"
        " ON CONFLICT (metric_id) DO UPDATE SET learned_low = excluded.learned_low,"
        " learned_high = excluded.learned_high, learned_points = excluded.learned_points,"
        " learned_at = excluded.learned_at, updated_at = now()",
        {"workspace": workspace_id, "now": now, "enough": _ENOUGH},
    )
    return done.rowcount


_RANGES = (
    "SELECT m.id AS metric_id, f.slug AS framework, m.name AS metric, r.low, r.high, r.learned_low,"
    " r.learned_high, coalesce(r.learned_points, 0) AS learned_points, r.learned_at"
    " FROM convex.metrics AS m"
    " INNER JOIN convex.frameworks AS f ON f.id = m.framework_id"
    " LEFT JOIN convex.metric_ranges AS r ON r.metric_id = m.id WHERE m.workspace_id = %s"
)


async def list_ranges(connection: Connection, workspace_id: UUID) -> list[Range]:
    """Those of metrics that have one, by framework and metric."""
    rows = await connection.execute(
        f"{_RANGES} AND r.metric_id IS NOT NULL ORDER BY f.slug, m.name", (workspace_id,)
    )
    return [Range(**row) for row in await rows.fetchall()]


async def get_range(connection: Connection, workspace_id: UUID, metric_id: UUID) -> Range:
    """Of one metric, empty where nothing is known. Raises `NotFound`."""
    rows = await connection.execute(f"{_RANGES} AND m.id = %s", (workspace_id, metric_id))
    row = await rows.fetchone()
    if row is None:
        raise NotFound(f"There is no metric {metric_id}.")
    return Range(**row)


async def set_range(
    connection: Connection,
    workspace_id: UUID,
    metric_id: UUID,
    low: float | None,
    high: float | None,
) -> Range:
    """Say where a metric must lie; both None: the learned range counts again."""
    await get_range(connection, workspace_id, metric_id)
    await connection.execute(
        "INSERT INTO convex.metric_ranges (workspace_id, metric_id, low, high)"
        " VALUES (%s, %s, %s, %s) ON CONFLICT (metric_id) DO UPDATE SET low = excluded.low,"
        " high = excluded.high, updated_at = now()",
        (workspace_id, metric_id, low, high),
    )
    return await get_range(connection, workspace_id, metric_id)


async def mark_series(
    connection: Connection, workspace_id: UUID, run: SuiteRun, now: datetime
) -> tuple[int, int]:
    """Distrust the series on which a critical expectation of this run failed, and trust the others
    again; how many were marked and how many unmarked. A run with errors changes nothing.
    """
    if any(result.error for result in run.results):
        return 0, 0
    reasons = distrusted_by(run.results)
    marked = await connection.execute(
        "UPDATE convex.series AS s SET distrusted_because = w.reason,"
        " distrusted_since = coalesce(s.distrusted_since, %s)"
        " FROM unnest(%s::bigint[], %s::text[]) AS w (id, reason)"
        " WHERE s.workspace_id = %s AND s.id = w.id"
        " AND s.distrusted_because IS DISTINCT FROM w.reason",
        (now, list(reasons), list(reasons.values()), workspace_id),
    )
    trusted = await connection.execute(
        "UPDATE convex.series SET distrusted_since = NULL, distrusted_because = NULL"
        " WHERE workspace_id = %s AND distrusted_since IS NOT NULL AND id <> ALL(%s)",
        (workspace_id, list(reasons)),
    )
    return marked.rowcount, trusted.rowcount


def distrusted_by(results: Sequence[ExpectationResult]) -> dict[int, str]:
    """Why which series is not trusted. Pure."""
    reasons: dict[int, list[str]] = {}
    for result in results:
        if not result.succeeded and result.severity is Severity.CRITICAL:
            for series_id in dict.fromkeys(result.series):
                reasons.setdefault(series_id, []).append(result.says)
    return {series_id: " ".join(said) for series_id, said in sorted(reasons.items())}


async def list_distrusted(connection: Connection, workspace_id: UUID) -> list[dict[str, Any]]:
    """The series on which rules answer `error` now: `{series_id, framework, metric, labels, since,
    because}`, the longest first.
    """
    rows = await connection.execute(
        "SELECT s.id AS series_id, f.slug AS framework, m.name AS metric, s.labels,"
        " s.distrusted_since AS since, s.distrusted_because AS because FROM convex.series AS s"
        " INNER JOIN convex.metrics AS m ON m.id = s.metric_id"
        " INNER JOIN convex.frameworks AS f ON f.id = s.framework_id"
        " WHERE s.workspace_id = %s AND s.distrusted_since IS NOT NULL"
        " ORDER BY s.distrusted_since, s.id LIMIT 1000",
        (workspace_id,),
    )
    return await rows.fetchall()


async def tell(
    connection: Connection, workspace_id: UUID, runs: Sequence[SuiteRun], now: datetime
) -> Reported:
    """Report every critical expectation of these runs. Last in the caller's transaction."""
    reports = [
        _as_report(run, result)
        for run in runs
        for result in run.results
        if result.severity is Severity.CRITICAL and not result.error
    ]
    return await report(connection, workspace_id, reports, now=now)


def _as_report(run: SuiteRun, result: ExpectationResult) -> Report:
    labels: Mapping[str, str] = {"suite": run.suite, "expectation": result.name}
    of = f" ({result.unexpected} of {result.rows})" if result.unexpected else ""
    return Report(
        source=Source.QUALITY,
        name=f"Data quality: {run.suite}",
        labels={**labels, "column": result.column} if result.column else labels,
        key=f"{run.suite} {result.name} {result.column}",
        firing=not result.succeeded,
        severity=AlertSeverity.CRITICAL,
        reason=f"This does not hold{of}: {result.says}",
        context={
            "examples": list(result.examples),
            "series": list(result.series)[:_NAMED] if run.suite == SERIES.name else [],
            "report": run.report_path,
        },
    )
