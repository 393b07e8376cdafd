"""Facts about how things are and will be: health, risk, metrics, patterns, predictions, data
quality. Reads only.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from convex.db import Connection
from convex.insights import fact_store
from convex.insights.model import HUNDRED, PERCENT, RATIO
from convex.insights.packing import About, Packer, Scope
from convex.scoring import service as scoring
from convex.scoring.model import FactorKind

_FACTORS = {
    FactorKind.OPEN_TRIGGER: "an open alert",
    FactorKind.PREDICTED_FIRING: "an alert that is predicted",
    FactorKind.WORSENING_TREND: "a worsening trend",
    FactorKind.STALE_DATA: "missing data",
}


async def add_health(connection: Connection, scope: Scope, packer: Packer) -> None:
    """Score, trend and worst metrics of one framework, or the newest scores of all."""
    if scope.framework_id is None:
        for row in await fact_store.latest_scores(connection, scope.workspace_id):
            risk = row["category"] == "risk"
            packer.add(
                "frameworks.risk" if risk else "frameworks.health",
                "risk score" if risk else "health score",
                row["score"],
                HUNDRED,
                of=row["framework"],
                end=row["at"],
            )
        return
    health = await scoring.current_health(
        connection, scope.workspace_id, scope.framework_id, scope.as_of
    )
    at = scope.as_of
    packer.add("health.score", "health score", health.score, HUNDRED, end=at)
    packer.add("health.status", "health in a word", health.status.value, end=at)
    packer.add(
        "health.coverage",
        "share of the scored metrics that sent data in the last 24 h",
        health.coverage,
        RATIO,
        end=at,
    )
    trend = await scoring.read_trend(connection, scope.workspace_id, scope.framework_id, at, 7)
    if trend is not None:
        packer.add(
            "health.trend",
            f"change of the health score over 7 days, which is {trend.direction}",
            trend.slope_per_day,
            "points a day",
            start=at - timedelta(days=7),
            end=at,
            change=True,
        )
    scored = [m for c in health.categories for m in c.metrics if m.score is not None]
    for metric in sorted(scored, key=lambda m: (m.score or 0.0, m.reading.name))[:3]:
        of, unit = metric.reading.name, metric.reading.unit
        window = (at - timedelta(days=1), at)
        packer.add(
            "health.metric.value",
            "aggregate of the metric over the last 24 h",
            metric.reading.value,
            unit,
            of=of,
            start=window[0],
            end=window[1],
        )
        packer.add("health.metric.score", "score of the metric", metric.score, HUNDRED, of=of)
        packer.add(
            "health.metric.target", "target of the metric", metric.reading.target, unit, of=of
        )
        packer.add("health.metric.limit", "limit of the metric", metric.reading.limit, unit, of=of)


async def add_risk(connection: Connection, scope: Scope, packer: Packer) -> None:
    """The risk score of one framework and what it comes from."""
    if scope.framework_id is None:
        return
    health = await scoring.current_health(
        connection, scope.workspace_id, scope.framework_id, scope.as_of
    )
    found = await scoring.current_risk(
        connection, scope.workspace_id, {scope.framework_id: health.coverage}, scope.as_of
    )
    risk = found[scope.framework_id]
    packer.add("risk.score", "risk score", risk.score, HUNDRED, end=scope.as_of)
    for factor in risk.factors[:4]:
        named = factor.kind in (FactorKind.OPEN_TRIGGER, FactorKind.PREDICTED_FIRING)
        packer.add(
            f"risk.factor.{factor.kind.value}",
            f"chance times impact of one factor of the risk: {_FACTORS[factor.kind]}",
            factor.probability * factor.impact,
            RATIO,
            of=factor.name if named else "",
            end=scope.as_of,
        )


async def add_metrics(connection: Connection, scope: Scope, packer: Packer) -> None:
    """The mean of each metric, and how it changed."""
    end = scope.as_of
    start = end - timedelta(days=scope.days)
    rows = await fact_store.metric_levels(
        connection, scope.workspace_id, scope.framework_id, start, end
    )
    for row in rows[:12]:
        names = About(of=row["name"], within=row["framework"], start=start, end=end)
        packer.add("metric.mean", "mean of the metric", row["mean"], row["unit"], names)
        if row["mean"] is None or row["before"] is None:
            continue
        packer.add(
            "metric.before",
            "mean of the metric in the window before",
            row["before"],
            row["unit"],
            of=row["name"],
            within=row["framework"],
            start=start - (end - start),
            end=start,
        )
        packer.add(
            "metric.change",
            "change of that mean",
            row["mean"] - row["before"],
            row["unit"],
            names,
            change=True,
        )


async def add_patterns_of_scope(connection: Connection, scope: Scope, packer: Packer) -> None:
    """The patterns of all rules."""
    await add_patterns(connection, scope, packer, None)


async def add_patterns(
    connection: Connection, scope: Scope, packer: Packer, rule_id: UUID | None
) -> None:
    """Facts of the patterns of one rule, or of all."""
    for row in await fact_store.patterns(
        connection, scope.workspace_id, framework_id=scope.framework_id, rule_id=rule_id
    ):
        of = row["rule"] or ""
        if row["other_rule"]:
            of = f"{of} / {row['other_rule']}"
        names = About(of=of, within=row["framework"] or "")
        kind = f"{row['type'].replace('_', ' ')} pattern"
        packer.add(
            "pattern.confidence", f"confidence in a {kind}", row["confidence"], PERCENT, names
        )
        packer.add(
            "pattern.support", f"occurrences behind the {kind}", row["support"], "times", names
        )
        if row["period_seconds"]:
            hours = row["period_seconds"] / 3600
            packer.add("pattern.period", f"period of the {kind}", hours, "h", names)
        packer.add(
            "pattern.next",
            f"when the {kind} is expected next",
            row["next_expected_at"],
            about=names,
        )


async def add_predictions(connection: Connection, scope: Scope, packer: Packer) -> None:
    """What is expected, and how good such expectations were."""
    rows = await fact_store.predictions(
        connection, scope.workspace_id, scope.as_of, framework_id=scope.framework_id
    )
    for row in rows:
        about = About(
            of=row["rule"] or "",
            within=row["framework"],
            start=row["window_start"],
            end=row["window_end"],
        )
        kind = row["kind"].replace("_", " ")
        packer.add(
            "prediction.probability",
            f"predicted probability ({kind}, confidence {row['confidence']})",
            row["probability"],
            PERCENT,
            about,
        )
        packer.add(
            "prediction.usual", "how probable it usually is", row["climatology"], PERCENT, about
        )
    card = await fact_store.scorecard(
        connection, scope.workspace_id, scope.as_of - timedelta(days=30)
    )
    if card and card["n"]:
        window = About(start=scope.as_of - timedelta(days=30), end=scope.as_of)
        packer.add(
            "scorecard.n", "predictions that were verified", card["n"], "predictions", window
        )
        packer.add(
            "scorecard.brier", "their Brier score (0 is perfect)", card["brier"], about=window
        )
        packer.add("scorecard.base", "Brier score of the usual rates", card["base"], about=window)


async def add_quality(connection: Connection, scope: Scope, packer: Packer) -> None:
    """What the newest checks of the data said."""
    rows = await fact_store.quality(connection, scope.workspace_id)
    if not rows:
        return
    at = About(end=max(row["finished_at"] for row in rows))
    held = sum(row["passed"] for row in rows)
    packer.add("quality.passed", "checks of the data that held", held, "checks", at)
    for row in rows:
        if row["failed"]:
            what = f"checks of {row['suite']} that failed"
            packer.add("quality.failed", what, row["failed"], "checks", at)
    if not any(row["failed"] for row in rows):
        packer.add("quality.failed", "checks of the data that failed", 0, "checks", at)
