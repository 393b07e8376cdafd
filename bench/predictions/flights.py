"""The demo's year without a database: its rules replayed over its points, as ingestion would."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np

from convex.alerts.backtest import History, backtest
from convex.alerts.describe import parse_duration
from convex.alerts.measure import Points
from convex.alerts.model import Condition, Rule, RuleType, Severity
from convex.metrics.model import HOUR, Aggregate, IntArray, to_microseconds
from convex.predictions.history import margins_of
from convex.predictions.model import RuleFacts, RuleHistory
from convex.predictions.panel import Panel, build_panel, hourly_margins
from demo.blueprint import FILE, Entry, read_blueprint
from demo.timeline import END, START, derive_points, read_flights, read_weather

ZONE = "America/New_York"
_CHANNELS = {"webhook_url": "", "webhook_secret": "", "slack_url": ""}


def read_year() -> dict[tuple[str, str], Points]:
    """The points of the unshifted year by framework and metric."""
    columns: dict[tuple[str, str], tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for point in derive_points(read_flights(), read_weather()):
        at, values = columns[point.framework, point.metric]
        at.append(to_microseconds(point.timestamp))
        values.append(point.value)
    return {key: Points(np.array(at), np.array(values)) for key, (at, values) in columns.items()}


def flights_panel() -> Panel:
    """Every rule of the demo but the milestones, with its firings and margins of 2013."""
    year = read_year()
    blueprint = read_blueprint(FILE.read_text(), _CHANNELS)
    metrics = {(one["framework"], one["name"]): one for one in blueprint.metrics}
    begin, end = to_microseconds(START), to_microseconds(END)
    hours = (end - begin) // HOUR
    histories = []
    for entry in blueprint.rules:
        if entry["type"] == RuleType.MILESTONE:
            continue
        metric = metrics[entry["framework"], entry["metric"]]
        rule, points = _rule(entry, metric), year[entry["framework"], entry["metric"]]
        found = backtest(rule, [History(1, {}, points)], begin - 1, end).episodes
        margins = margins_of(rule, points)
        hourly = None
        if margins is not None:
            hourly = hourly_margins(points.timestamps, margins, begin, hours)
        histories.append(
            RuleHistory(
                RuleFacts(
                    rule.id,
                    rule.name,
                    rule.framework_id,
                    rule.metric,
                    rule.type.value,
                    rule.severity.value,
                    metric.get("category", "performance"),
                    -(-rule.for_seconds // 3600),
                ),
                _instants([one.opened_at for one in found]),
                _instants([one.resolved_at or 2**61 for one in found]),
                hourly,
            )
        )
    return build_panel(histories, end, hours, ZONE)


def _instants(values: list[int]) -> IntArray:
    return np.array(values, np.int64)


def _id(*words: str) -> UUID:
    return uuid5(NAMESPACE_URL, " ".join(words))


def _rule(entry: Entry, metric: Entry) -> Rule:
    moment = datetime(2013, 1, 1, tzinfo=UTC)
    return Rule(
        id=_id(entry["name"]),
        workspace_id=_id("demo"),
        created_at=moment,
        updated_at=moment,
        name=entry["name"],
        framework_id=_id(entry["framework"]),
        metric_id=_id(entry["framework"], entry["metric"]),
        type=RuleType(entry["type"]),
        condition=Condition(entry["condition"]),
        threshold_value=entry.get("threshold_value"),
        change_percentage=entry.get("change_percentage"),
        recovery_threshold=entry.get("recovery_threshold"),
        aggregate=Aggregate(entry.get("aggregate", "last")),
        window_seconds=parse_duration(entry.get("window", "0s"), "window"),
        for_seconds=parse_duration(entry.get("for", "0s"), "for"),
        severity=Severity(entry["severity"]),
        framework=entry["framework"],
        metric=entry["metric"],
        target=metric.get("target"),
        limit=metric.get("limit"),
    )
