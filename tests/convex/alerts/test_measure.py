"""What is compared: the fast way against the definition, and each kind of rule."""

from __future__ import annotations

import math
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex.alerts.measure import Points, measure
from convex.alerts.model import Condition, Rule, RuleType, Sensitivity
from convex.metrics.model import DAY, HOUR, MINUTE, SECOND, Aggregate
from tests.convex.alerts.rules import make_rule


def aggregate(kind: Aggregate, values: list[float]) -> float:
    """By the book."""
    if kind is Aggregate.COUNT:
        return len(values)
    if kind is Aggregate.LAST:
        return values[-1]
    if kind in (Aggregate.MIN, Aggregate.MAX):
        return min(values) if kind is Aggregate.MIN else max(values)
    if kind in (Aggregate.P50, Aggregate.P95):
        ordered, share = sorted(values), 0.5 if kind is Aggregate.P50 else 0.95
        place = (len(values) - 1) * share
        low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
        return low if low == high else low + (high - low) * (place - math.floor(place))
    total = 0.0
    for value in values:
        total += value
    return total / len(values) if kind is Aggregate.MEAN else total


@st.composite
def points(draw: st.DrawFn) -> Points:
    gaps = draw(st.lists(st.integers(1, 20), min_size=1, max_size=60))
    values = draw(
        st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=len(gaps), max_size=len(gaps))
    )
    return Points(np.cumsum(np.array(gaps, np.int64)) * 10 * SECOND, np.array(values, np.float64))


@settings(max_examples=200, deadline=None)
@given(
    held=points(), kind=st.sampled_from(list(Aggregate)), window=st.sampled_from([10, 60, 95, 900])
)
def test_every_aggregate_is_its_definition_to_the_last_bit(
    held: Points, kind: Aggregate, window: int
) -> None:
    rule = make_rule(aggregate=kind, window_seconds=window)
    measured = measure(rule, held, held.timestamps)
    for index, now in enumerate(held.timestamps.tolist()):
        inside = [
            value
            for at, value in zip(held.timestamps.tolist(), held.values.tolist(), strict=True)
            if now - window * SECOND < at <= now
        ]
        assert measured[index].value == aggregate(kind, inside)
        alone = measure(rule, held, held.timestamps[index : index + 1])
        assert alone[0] == measured[index], "it does not matter how many are measured at once"


@pytest.mark.parametrize(
    ("window", "values", "scores", "known"),
    [
        (0, [10, 15, 15, 0, 5], [None, 50, 0, 100, float("inf")], [False, True, True, True, True]),
        (60, [10, 15, 30], [None, 50, 100], [False, True, True]),
    ],
)
def test_a_change_in_percent_against_what_was_before(
    window: int, values: list[float], scores: list[float | None], known: list[bool]
) -> None:
    rule = make_rule(
        condition=Condition.CHANGES_BY,
        threshold_value=None,
        change_percentage=40.0,
        window_seconds=window,
    )
    at = np.arange(1, len(values) + 1, dtype=np.int64) * MINUTE
    measured = measure(rule, Points(at, np.array(values, np.float64)), at)
    assert measured.known.tolist() == known
    for index, expected in enumerate(scores):
        if expected is not None and math.isfinite(expected):
            assert measured.scores[index] == pytest.approx(expected)
        elif expected is not None:
            assert measured.scores[index] > 1e300


def weekly(weeks: int, rise: float = 0.0) -> Points:
    """Hourly: by the hour of the day, and `rise` in the last hour."""
    hours = np.arange(weeks * 168)
    values = 100.0 + hours % 24
    values[-1] += rise
    return Points((hours + 1).astype(np.int64) * HOUR, values.astype(np.float64))


@pytest.mark.parametrize(
    ("condition", "target", "limit", "rise", "sign"),
    [
        (Condition.ABOVE, None, None, 50, 1),
        (Condition.BELOW, None, None, -50, 1),
        (Condition.ABOVE, None, None, -50, -1),
        (Condition.CHANGES_BY, None, None, -50, 1),
        (Condition.CHANGES_BY, 0.0, 200.0, 50, 1),
        (Condition.CHANGES_BY, 200.0, 0.0, 50, -1),
    ],
)
def test_performance_is_how_much_worse_than_the_same_hour_of_earlier_weeks(
    condition: Condition, target: float | None, limit: float | None, rise: float, sign: int
) -> None:
    rule = make_rule(
        type=RuleType.PERFORMANCE,
        condition=condition,
        threshold_value=None,
        change_percentage=20.0,
        target=target,
        limit=limit,
    )
    held = weekly(6, rise)
    measured = measure(rule, held, held.timestamps[-1:])
    assert measured.known.all()
    assert measured.scores[0] == pytest.approx(sign * 50 / 123 * 100)
    short = weekly(2, rise)
    assert not measure(rule, short, short.timestamps[-1:]).known.any()


def robust(condition: Condition = Condition.ABOVE) -> Rule:
    return make_rule(
        type=RuleType.ANOMALY,
        condition=condition,
        threshold_value=None,
        sensitivity=Sensitivity.MEDIUM,
        method="robust_z",
    )


@settings(max_examples=40, deadline=None)
@given(noise=st.integers(0, 10_000), place=st.integers(4 * 168, 9 * 168))
def test_the_robust_score_is_its_definition(noise: int, place: int) -> None:
    hours = np.arange(10 * 168)
    values = 50 + 10 * np.sin(hours / 24 * 2 * np.pi)
    values += np.random.default_rng(noise).standard_normal(len(values))
    held = Points((hours + 1).astype(np.int64) * HOUR, values)
    now = int(held.timestamps[place])
    measured = measure(robust(), held, held.timestamps[place : place + 1])[0]
    profile = [
        float(value)
        for at, value in zip(held.timestamps.tolist(), values, strict=True)
        for week in range(1, 9)
        if now - week * 7 * DAY - 90 * MINUTE < at <= now - week * 7 * DAY + 90 * MINUTE
    ]
    middle = median(profile)
    scale = max(1.4826 * median(abs(one - middle) for one in profile), abs(middle) / 100)
    assert measured.score == pytest.approx((float(values[place]) - middle) / scale)
    assert measured.known


def test_a_milestone_counts_on_from_what_was() -> None:
    rule = make_rule(type=RuleType.MILESTONE, aggregate=Aggregate.SUM, threshold_value=10.0)
    at = np.arange(3, dtype=np.int64) * MINUTE
    measured = measure(rule, Points(at, np.array([1.0, 2.0, 3.0])), at, 4.0)
    assert measured.scores.tolist() == [5.0, 7.0, 10.0]


@settings(max_examples=60, deadline=None)
@given(held=points(), cut=st.integers(1, 60), rise=st.floats(-1e3, 1e3))
def test_nothing_later_changes_what_was_measured(held: Points, cut: int, rise: float) -> None:
    cut = min(cut, len(held.values))
    later = held.values.copy()
    later[cut:] += rise
    for kind in (Aggregate.MEAN, Aggregate.P95):
        rule = make_rule(aggregate=kind, window_seconds=120)
        before = measure(rule, held, held.timestamps[:cut])
        after = measure(rule, Points(held.timestamps, later), held.timestamps[:cut])
        assert before.scores.tolist() == after.scores.tolist()
