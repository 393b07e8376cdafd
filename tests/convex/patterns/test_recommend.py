"""What follows from a pattern, and what does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np

from convex.patterns.detect import detect
from convex.patterns.model import MINUTE, Finding, History, Subject, Type
from convex.patterns.recommend import Recommendation, recommend
from convex.patterns.wall_clock import to_instant

START = datetime(2026, 1, 5, 6, 3, tzinfo=UTC)
END = START + timedelta(days=91)


def find(kind: Type, *rules: list[datetime], severity: str = "warning") -> Finding:
    """The pattern of that type in the triggers of some rules, each open for five minutes."""
    subjects = [
        Subject(str(n), f"rule {n}", "f", uuid4(), uuid4(), severity, to_instant(START))
        for n in range(len(rules))
    ]
    rows = [(n, to_instant(t)) for n, times in enumerate(rules) for t in times]
    opened = np.array([at for _, at in rows], np.int64)
    made = History(
        subjects,
        np.array([n for n, _ in rows], np.int64),
        opened,
        opened + 5 * MINUTE,
        to_instant(END),
    )
    (found,) = [one for one in detect(made).findings if one.type is kind]
    return found


def days(*which: int) -> list[datetime]:
    return [START + timedelta(days=n) for n in range(91) if n % 7 in which]


def scattered(count: int, seed: int = 1) -> list[datetime]:
    offsets = np.sort(np.random.default_rng(seed).uniform(0, 90, count))
    return [START + timedelta(days=float(each)) for each in offsets]


def beside(times: list[datetime]) -> list[datetime]:
    """By turns a little before and a little after."""
    return [t + timedelta(seconds=40 * (-1) ** n) for n, t in enumerate(times)]


def certain(found: Recommendation | None) -> Recommendation:
    assert found is not None
    return found


def test_a_weekly_hour_wants_a_window_of_that_day() -> None:
    advice = certain(recommend(find(Type.SEASONAL, days(0)), 13))
    assert advice.action["intervals"] == [{"days": ["mon"], "start": "06:00", "end": "07:00"}]
    assert advice.action["matchers"] == [{"label": "rule", "operator": "=", "value": "rule 0"}]
    assert advice.effect["triggers_spared_a_week"] == 1.0


def test_a_daily_hour_wants_one_of_every_day() -> None:
    advice = certain(recommend(find(Type.SEASONAL, days(*range(7))), 13))
    assert advice.action["intervals"] == [{"start": "06:00", "end": "07:00"}]


def test_what_is_critical_is_muted_with_less_conviction() -> None:
    usual = certain(recommend(find(Type.SEASONAL, days(0)), 13))
    severe = certain(recommend(find(Type.SEASONAL, days(0), severity="critical"), 13))
    assert severe.actionability < usual.actionability


def test_a_season_that_seldom_holds_recommends_nothing() -> None:
    found = find(Type.SEASONAL, [day for n, day in enumerate(days(*range(7))) if n % 5 == 0])
    assert found.evidence["effect"]["low"] < 0.5
    assert recommend(found, 13) is None


def test_two_rules_that_always_meet_are_told_as_one() -> None:
    times = scattered(40)
    found = find(Type.CORRELATED, times, beside(times))
    advice = certain(recommend(found, 13))
    assert advice.action["kind"] == "merge_rules"
    assert sorted(advice.action["names"]) == ["rule 0", "rule 1"]
    assert len(set(advice.action["rules"])) == 2


def test_rules_that_meet_now_and_then_stay_two() -> None:
    times = scattered(60)
    found = find(Type.CORRELATED, times, sorted([*beside(times[::3]), *scattered(30, 9)]))
    assert recommend(found, 13) is None


def test_what_always_follows_is_held_back_while_its_cause_is_open() -> None:
    times = scattered(40)
    found = find(Type.TRIGGERED_BY, times, [t + timedelta(minutes=10) for t in times[:36]])
    advice = certain(recommend(found, 13))
    assert advice.action["kind"] == "inhibition_rule"
    (source,), (target,) = advice.action["source_matchers"], advice.action["target_matchers"]
    assert (source["value"], target["value"]) == ("rule 0", "rule 1")


def test_more_and_more_is_to_be_looked_into() -> None:
    late = np.sqrt(np.random.default_rng(2).uniform(0, 1, 300)) ** 0.5 * 91
    found = find(Type.ESCALATING, [START + timedelta(days=float(each)) for each in np.sort(late)])
    advice = certain(recommend(found, 13))
    assert advice.action == {"kind": "tune_rule", "rule_id": str(found.subject.rule_id)}
    assert 0 <= advice.actionability <= 100


def test_little_confidence_recommends_nothing() -> None:
    assert recommend(replace(find(Type.SEASONAL, days(0)), confidence=60), 13) is None
