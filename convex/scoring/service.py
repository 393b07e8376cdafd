"""Scoring a workspace, and reading what came of it. The caller owns the transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from convex.db import Connection
from convex.scoring import risk, store
from convex.scoring.grid import CATEGORIES, HealthGrid, ScoredMetric, score_grid, status_codes
from convex.scoring.health import explain_metric, points_lost, score_framework, status_of
from convex.scoring.model import CategoryScore, Factor, Health, Risk, Status, Trend
from convex.scoring.standing import read_urgent
from convex.scoring.store import Snapshot, SnapshotColumns
from convex.scoring.trend import theil_sen
from convex.scoring.windows import aggregate_windows

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
BACK_FILL = timedelta(days=30)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES = (*(category.value for category in CATEGORIES), "overall")


@dataclass(frozen=True, slots=True)
class ScoreReport:
    """What one run did: frameworks scored, snapshots written, the newest live cursor if any."""

    frameworks: int
    snapshots: int
    cursor: int | None


async def score_workspace(
    connection: Connection,
    workspace_id: UUID,
    *,
    now: datetime,
    again: bool = False,
    framework_id: UUID | None = None,
) -> ScoreReport:
    """Snapshots of health for every whole hour since the last one, at most 30 days back, and risk.

    With `again` all 30 days are scored once more: for points that came late, or a changed target;
    of one framework, if it is named.
    Hours without any point of a framework are left out, except the newest: there it is unknown.
    A framework whose status changed makes a live event.
    """
    metrics = await store.list_scored_metrics(connection, workspace_id, framework_id)
    newest_hour = now.replace(minute=0, second=0, microsecond=0)
    done = None if again else await store.newest_snapshot(connection, workspace_id)
    start = newest_hour - BACK_FILL if done is None else max(done, newest_hour - BACK_FILL)
    hours = [start + HOUR * (i + 1) for i in range(int((newest_hour - start) / HOUR))]
    hours = hours or [newest_hour]
    if not metrics:
        return ScoreReport(0, 0, None)
    values, counts = await _read_grid(connection, metrics, hours)
    scored = list({metric.framework_id for metric in metrics})
    before = await store.latest_statuses(connection, scored)
    grid = score_grid(metrics, values)
    past = await _save_past(connection, workspace_id, grid, hours)
    snapshots = _newest(metrics, grid, values, counts, hours[-1])
    await store.save_snapshots(connection, workspace_id, snapshots)
    current = {s.framework_id: s for s in snapshots if s.category == "overall"}
    risks = await _assess(
        connection, workspace_id, {f: s.coverage for f, s in current.items()}, now
    )
    risk_rows = [_risk_snapshot(f, hours[-1], r) for f, r in risks.items()]
    await store.save_snapshots(connection, workspace_id, risk_rows)
    events = [
        (f, _status_event(s, before.get(f)))
        for f, s in current.items()
        if before.get(f, s.status) != s.status
    ]
    cursor = await store.append_status_events(connection, workspace_id, events)
    return ScoreReport(len(current), past + len(snapshots) + len(risk_rows), cursor)


async def current_health(
    connection: Connection, workspace_id: UUID, framework_id: UUID, now: datetime
) -> Health:
    """Health from the points of the last 24 hours, to the minute."""
    metrics = await store.list_scored_metrics(connection, workspace_id, framework_id)
    if not metrics:
        return score_framework([])
    values, counts = await _read_grid(connection, metrics, [now])
    return score_framework(
        [
            m.read(None if np.isnan(v) else float(v), int(n))
            for m, v, n in zip(metrics, values[:, 0], counts[:, 0], strict=True)
        ]
    )


async def read_trend(
    connection: Connection, workspace_id: UUID, framework_id: UUID, now: datetime, days: int
) -> Trend | None:
    """The trend over the last `days` days; None with too few of them scored."""
    daily = await store.daily_scores(connection, workspace_id, [framework_id], now - DAY * days)
    return _trend(daily.get(framework_id, []))


async def current_risk(
    connection: Connection, workspace_id: UUID, coverage: dict[UUID, float], now: datetime
) -> dict[UUID, Risk]:
    """Risk now of the frameworks in `coverage` (each with its health's coverage)."""
    return await _assess(connection, workspace_id, coverage, now)


async def read_health(
    connection: Connection, workspace_id: UUID, framework_id: UUID, now: datetime, days: int
) -> dict[str, Any]:
    """Health now, its trend and its hourly snapshots over `days` days, as the API shows them."""
    health = await current_health(connection, workspace_id, framework_id, now)
    trend = await read_trend(connection, workspace_id, framework_id, now, days)
    return {
        "framework_id": framework_id,
        "at": now,
        "days": days,
        **health_json(health),
        "trend": trend_json(trend),
        "history": await store.read_history(connection, framework_id, now - DAY * days),
    }


async def read_risk(
    connection: Connection, workspace_id: UUID, framework_id: UUID, now: datetime
) -> dict[str, Any]:
    """Risk now with its factors, as the API shows it."""
    health = await current_health(connection, workspace_id, framework_id, now)
    # Without any scored metric there is nothing that could be missing.
    coverage = health.coverage if health.categories else 1.0
    found = await current_risk(connection, workspace_id, {framework_id: coverage}, now)
    return {"framework_id": framework_id, "at": now, **risk_json(found[framework_id])}


def health_json(health: Health) -> dict[str, Any]:
    """Health as the API shows it, down to the metric. All five categories, with or without data."""
    lost = points_lost(health)
    found = {c.category: c for c in health.categories}
    empty: dict[str, Any] = {
        "score": None,
        "status": Status.UNKNOWN,
        "coverage": 0.0,
        "metrics": [],
    }
    return {
        "score": health.score,
        "status": health.status,
        "coverage": health.coverage,
        "categories": [
            {
                "category": category,
                **(_category_json(found[category], lost) if category in found else empty),
            }
            for category in CATEGORIES
        ],
    }


def trend_json(trend: Trend | None) -> dict[str, Any] | None:
    """A trend as the API shows it; slopes in points of score per day, the interval of 90 %."""
    if trend is None:
        return None
    return {
        "slope_per_day": trend.slope_per_day,
        "low": trend.low,
        "high": trend.high,
        "direction": trend.direction,
        "days_scored": trend.n,
    }


def _category_json(scored: CategoryScore, lost: Mapping[UUID, float]) -> dict[str, Any]:
    return {
        "score": scored.score,
        "status": scored.status,
        "coverage": scored.coverage,
        "metrics": [
            {
                "id": m.reading.metric_id,
                "name": m.reading.name,
                "unit": m.reading.unit,
                "value": m.reading.value,
                "score": m.score,
                "target": m.reading.target,
                "limit": m.reading.limit,
                "weight": m.reading.weight,
                "points": m.reading.points,
                "points_lost": lost.get(m.reading.metric_id),
                "explanation": explain_metric(m),
            }
            for m in scored.metrics
        ],
    }


def risk_json(found: Risk) -> dict[str, Any]:
    """Risk as the API shows it, with every factor."""
    return {
        "score": found.score,
        "factors": [
            {
                "kind": f.kind,
                "name": f.name,
                "probability": f.probability,
                "impact": f.impact,
                "explanation": f.explanation,
            }
            for f in found.factors
        ],
    }


async def _read_grid(
    connection: Connection, metrics: Sequence[ScoredMetric], ends: Sequence[datetime]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    position, timestamps, values = await store.read_points(
        connection, [m.metric_id for m in metrics], ends[0] - DAY, ends[-1]
    )
    aggregates = [m.aggregate for m in metrics]
    return aggregate_windows(position, timestamps, values, _microseconds(ends), aggregates)


def _microseconds(instants: Sequence[datetime]) -> NDArray[np.int64]:
    return np.array([(each - _EPOCH) // timedelta(microseconds=1) for each in instants], np.int64)


async def _save_past(
    connection: Connection, workspace_id: UUID, grid: HealthGrid, hours: Sequence[datetime]
) -> int:
    """Snapshots of all hours but the newest, those without any point left out; how many."""
    scores, coverage = grid.scores[:, :, :-1], grid.coverage[:, :, :-1]
    kept = ~np.isnan(coverage) & (coverage[:, -1:, :] > 0)
    framework, category, hour = np.nonzero(kept)
    chosen = np.clip(scores[kept], 0.0, 100.0)
    instants = _microseconds(hours[:-1])
    await store.save_columns(
        connection,
        workspace_id,
        SnapshotColumns(
            grid.frameworks,
            _NAMES,
            framework,
            category,
            instants[hour],
            chosen,
            status_codes(chosen),
            coverage[kept],
        ),
    )
    return len(chosen)


def _newest(
    metrics: Sequence[ScoredMetric],
    grid: HealthGrid,
    values: NDArray[np.float64],
    counts: NDArray[np.int64],
    at: datetime,
) -> list[Snapshot]:
    """Snapshots of the newest hour, with or without points, and what they were made from."""
    details: dict[tuple[UUID, str], dict[str, Any]] = {}
    for m, value, count in zip(metrics, values[:, -1], counts[:, -1], strict=True):
        read = {"value": None if np.isnan(value) else float(value), "points": int(count)}
        details.setdefault((m.framework_id, m.category.value), {})[m.name] = read
    found = []
    for f, framework_id in enumerate(grid.frameworks):
        for c, name in enumerate(_NAMES):
            covered = float(grid.coverage[f, c, -1])
            if np.isnan(covered):
                continue
            score = float(grid.scores[f, c, -1])
            known = None if np.isnan(score) else min(100.0, max(0.0, score))
            text = orjson.dumps(details.get((framework_id, name), {})).decode()
            found.append(Snapshot(framework_id, at, name, known, status_of(known), covered, text))
    return found


async def _assess(
    connection: Connection, workspace_id: UUID, coverage: dict[UUID, float], now: datetime
) -> dict[UUID, Risk]:
    ids = list(coverage)
    factors: dict[UUID, list[Factor | None]] = {
        f: [risk.stale_data(share)] for f, share in coverage.items()
    }
    for framework_id, factor in await read_urgent(connection, workspace_id, ids, now):
        factors[framework_id].append(factor)
    daily = await store.daily_scores(connection, workspace_id, ids, now - DAY * 7)
    for framework_id, scores in daily.items():
        trend = _trend(scores)
        if trend is not None:
            factors[framework_id].append(risk.worsening_trend(trend, 7))
    return {f: risk.combine(x for x in found if x is not None) for f, found in factors.items()}


def _trend(scores: Sequence[tuple[datetime, float]]) -> Trend | None:
    days = [(day - _EPOCH) / DAY for day, _ in scores]
    return theil_sen(days, [score for _, score in scores])


def _risk_snapshot(framework_id: UUID, at: datetime, found: Risk) -> Snapshot:
    detail = orjson.dumps(risk_json(found)).decode()
    return Snapshot(
        framework_id, at, "risk", found.score, status_of(100 - found.score), 1.0, detail
    )


def _status_event(snapshot: Snapshot, before: str | None) -> str:
    return orjson.dumps(
        {
            "framework_id": snapshot.framework_id,
            "score": snapshot.score,
            "status": snapshot.status,
            "previous_status": before or Status.UNKNOWN,
            "coverage": snapshot.coverage,
            "at": snapshot.at,
        }
    ).decode()
