"""Whatever the hour, the demo's last day has something to show, by the product's own evaluator."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from uuid import UUID

import numpy as np
import pytest

from api.schemas.rules import RuleNew, draft_changes
from convex.alerts.measure import Points, measure
from convex.alerts.model import Rule, RuleDraft, RuleState
from convex.alerts.replay import replay
from convex.metrics.model import to_datetime, to_microseconds
from demo.blueprint import FILE, read_blueprint
from demo.timeline import DAY, END, HOUR, WEEK, derive_points, read_flights, read_weather

NOBODY = UUID(int=0)
MARCH, FEBRUARY = 3, 2


@pytest.fixture(scope="module")
def openings() -> dict[str, list[datetime]]:
    """When each threshold rule of the demo opened a trigger in 2013, by the rule's name."""
    series: dict[tuple[str, str], Points] = {}
    columns: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for point in derive_points(read_flights(), read_weather()):
        moment = to_microseconds(point.timestamp)
        columns[point.framework, point.metric].append((moment, point.value))
    for key, rows in columns.items():
        stamps, values = zip(*rows, strict=True)
        series[key] = Points(np.array(stamps, np.int64), np.array(values, np.float64))
    values_of = dict.fromkeys(("webhook_url", "webhook_secret", "slack_url"), "x")
    found: dict[str, list[datetime]] = {}
    for entry in read_blueprint(FILE.read_text(), values_of).rules:
        if entry["type"] != "threshold":
            continue
        aside = ("framework", "metric", "as_code")
        said = {name: value for name, value in entry.items() if name not in aside}
        body = RuleNew(**said, framework_id=NOBODY, metric_id=NOBODY)
        draft = RuleDraft(**draft_changes(body))
        fields = {name: getattr(draft, name) for name in RuleDraft.__dataclass_fields__}
        rule = Rule(**fields, id=NOBODY, workspace_id=NOBODY, created_at=END, updated_at=END)
        points = series[entry["framework"], entry["metric"]]
        at = points.timestamps
        outcome = replay(rule, entry["name"], at, measure(rule, points, at), RuleState(), 0)
        found[entry["name"]] = [
            to_datetime(episode.opened.at)
            for episode in outcome.episodes
            if episode.opened is not None
        ]
    return found


def test_something_opens_in_each_day_that_can_be_the_last(
    openings: dict[str, list[datetime]],
) -> None:
    opened = sorted(moment for moments in openings.values() for moment in moments)
    for number in range(WEEK // HOUR):
        now = END - number * HOUR
        assert any(now - DAY <= moment < now for moment in opened), now


def test_the_february_blizzard_cancels_and_the_march_storm_delays_at_all_three_airports(
    openings: dict[str, list[datetime]],
) -> None:
    def opened(words: str, month: int, days: tuple[int, ...]) -> set[str]:
        return {
            name.partition(":")[0]
            for name, moments in openings.items()
            if words in name
            and any((t.month, t.day) in {(month, d) for d in days} for t in moments)
        }

    assert len(opened("many cancellations", FEBRUARY, (8, 9))) == 3
    assert len(opened("long delays", MARCH, (7, 8))) == 3
