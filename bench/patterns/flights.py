"""Real triggers: the demo's rules replayed over its year of flights and weather."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any
from uuid import UUID

import numpy as np

from bench.patterns.histories import Made
from convex.alerts.backtest import History as Past
from convex.alerts.backtest import backtest
from convex.alerts.measure import Points
from convex.alerts.model import Condition, Rule, RuleType, Severity
from convex.metrics.model import Aggregate
from convex.patterns.model import DAY, NEVER, WEEK, History, Subject
from demo.blueprint import read_blueprint
from demo.timeline import DATA, END, START, derive_points, read_flights, read_weather

ZONE = "America/New_York"
_UNITS = {"h": 3600, "d": 86_400, "m": 60, "s": 1}
_SECONDS = 1_000_000


@cache
def read_triggers() -> History:
    """Every threshold, anomaly and performance rule of demo/workspace.yaml over 2013."""
    blueprint = read_blueprint((DATA.parent / "workspace.yaml").read_text(), _Anything())
    columns: dict[tuple[str, str], tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for point in derive_points(read_flights(), read_weather()):
        at, values = columns[(point.framework, point.metric)]
        at.append(int(point.timestamp.timestamp()) * _SECONDS)
        values.append(point.value)
    start, end = (int(moment.timestamp()) * _SECONDS for moment in (START, END))
    subjects: list[Subject] = []
    subject, opened, resolved = [], [], []
    for entry in blueprint.rules:
        if entry["type"] == "milestone":
            continue
        at, values = columns[(entry["framework"], entry["metric"])]
        past = Past(1, {}, Points(np.array(at, np.int64), np.array(values)), ZONE)
        for episode in backtest(_rule(entry), [past], start, end).episodes:
            subject.append(len(subjects))
            opened.append(episode.opened_at)
            resolved.append(NEVER if episode.resolved_at is None else episode.resolved_at)
        name = str(entry["name"])
        subjects.append(Subject(name, name, str(entry["framework"]), since=start))
    return History(
        subjects,
        np.array(subject, np.int64),
        np.array(opened, np.int64),
        np.array(resolved, np.int64),
        end,
        ZONE,
    )


def shifted(rng: np.random.Generator) -> Made:
    """The real triggers, each rule moved by whole weeks of its own around the year's end.

    Whatever holds between rules is undone; what each does in the day and the week stays.
    """
    history = read_triggers()
    weeks = int((history.end - min(s.since for s in history.subjects)) // WEEK)
    start = history.end - weeks * WEEK
    by = rng.permutation(np.arange(1, weeks))[: len(history.subjects)] * WEEK
    kept = history.opened >= start
    subject = history.subject[kept]
    opened = history.opened[kept]
    lasts = np.minimum(history.resolved[kept] - opened, 3 * DAY)
    moved = start + (opened - start + by[subject]) % (weeks * WEEK)
    return Made(History(history.subjects, subject, moved, moved + lasts, history.end, history.zone))


def _rule(entry: Mapping[str, Any]) -> Rule:
    fields = {
        "id": UUID(int=1),
        "workspace_id": UUID(int=2),
        "framework_id": UUID(int=3),
        "metric_id": UUID(int=4),
        "name": entry["name"],
        "type": RuleType(entry["type"]),
        "condition": Condition(entry["condition"]),
        "severity": Severity(entry["severity"]),
        "created_at": START,
        "updated_at": START,
        "window_seconds": _seconds(entry.get("window", "0s")),
        "for_seconds": _seconds(entry.get("for", "0s")),
    }
    for name in ("threshold_value", "recovery_threshold", "change_percentage"):
        if name in entry:
            fields[name] = float(entry[name])
    if "aggregate" in entry:
        fields["aggregate"] = Aggregate(entry["aggregate"])
    return Rule(**fields)


def _seconds(written: str) -> int:
    return int(written[:-1]) * _UNITS[written[-1]]


class _Anything(dict[str, str]):
    """Values for the blueprint's channels, which are not used here."""

    def __missing__(self, name: str) -> str:
        return ""
