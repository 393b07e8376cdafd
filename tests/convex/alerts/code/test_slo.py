"""Objectives as rules: when they fire on an incident, held against a reference calculation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.alerts import backtest
from convex.alerts.backtest import History
from convex.alerts.code.read import Entry, read_files
from convex.alerts.code.rule_tests import as_rule
from convex.alerts.code.slo import BURNS
from convex.alerts.evaluate import evaluate
from convex.alerts.measure import Points, measure
from convex.alerts.model import Condition, RuleState
from convex.metrics.model import MINUTE, Aggregate, BoolArray, FloatArray
from tests.convex.alerts.rules import make_rule

FILE = """\
slos:
  - {name: checkout, framework: shop, metric: error_ratio, objective: 99.9, channels: [pager]}
  - {name: login, framework: shop, metric: good_ratio, objective: 99.5, counts: good}
"""
WINDOWS = {14.4: (60, 5), 6.0: (360, 30), 1.0: (4320, 360)}  # minutes


def entries() -> dict[str, Entry]:
    reading = read_files([("slo.yaml", FILE)])
    assert reading.problems == []
    return {entry.name: entry for entry in reading.entries}


def test_an_objective_becomes_three_rules() -> None:
    found = entries()
    assert len(found) == 6
    said = [
        (
            one.draft.threshold_value,
            one.draft.window_seconds,
            one.draft.confirm_window_seconds,
            one.draft.severity.value,
            one.draft.condition.value,
        )
        for one in found.values()
    ]
    assert said == [
        (0.0144, 3600, 300, "critical", "above"),
        (0.006, 21_600, 1800, "critical", "above"),
        (0.001, 259_200, 21_600, "warning", "above"),
        (0.928, 3600, 300, "critical", "below"),
        (0.97, 21_600, 1800, "critical", "below"),
        (0.995, 259_200, 21_600, "warning", "below"),
    ]
    assert {one.line for one in found.values()} == {2, 3}


def test_an_objective_that_no_failure_could_miss_that_fast_is_refused() -> None:
    (problem,) = read_files([("a.yaml", FILE.replace("99.9", "90"))]).problems
    assert str(problem).startswith("a.yaml:2: slos[0].objective:")
    assert "above 93.1 %" in problem.message


def reference(errors: FloatArray, rate: float, budget: float) -> BoolArray:
    """At which minutes both means are above rate × budget, by cumulative sums."""
    sums = np.concatenate(([0.0], np.cumsum(errors)))
    ends = np.arange(1, len(errors) + 1)

    def mean(minutes: int) -> FloatArray:
        starts = np.maximum(ends - minutes, 0)
        return np.asarray((sums[ends] - sums[starts]) / (ends - starts), np.float64)

    long, short = WINDOWS[rate]
    limit = rate * budget
    return np.asarray((mean(long) > limit + 1e-12) & (mean(short) > limit + 1e-12))


def fired(entry: Entry, errors: FloatArray) -> list[tuple[int, int | None]]:
    """First and last minute of each episode."""
    at = np.arange(len(errors), dtype=np.int64) * MINUTE
    rule = as_rule(entry)
    found = backtest.backtest(rule, [History(1, {}, Points(at, errors))], -1, int(at[-1]))
    return [
        (one.opened_at // MINUTE, None if one.resolved_at is None else one.resolved_at // MINUTE)
        for one in found.episodes
    ]


# Minutes from the beginning of an incident until its rule fires, by the share of events that fail:
# long window × rate × budget / share, once the short window agrees.
INCIDENTS = [
    (14.4, 1.0, 1),
    (14.4, 0.1, 9),
    (14.4, 0.02, 44),
    (6.0, 0.1, 22),
    (6.0, 0.011, 197),
    (1.0, 0.011, 393),
]


@pytest.mark.parametrize(("rate", "share", "minutes"), INCIDENTS)
def test_an_incident_is_found_within_its_minutes(rate: float, share: float, minutes: int) -> None:
    entry = entries()[f"checkout: burn rate {rate:g}"]
    begin, lasts = 5000, 600
    errors = np.zeros(12_000)
    errors[begin : begin + lasts] = share
    firing = np.flatnonzero(reference(errors, rate, 0.001))
    ((opened, resolved),) = fired(entry, errors)
    assert opened == firing[0]
    assert abs((opened - begin + 1) - minutes) <= 1
    assert resolved == firing[-1] + 1
    short = WINDOWS[rate][1]
    assert resolved - (begin + lasts) <= short


@pytest.mark.parametrize("rate", [burn.rate for burn in BURNS])
def test_noise_within_the_budget_does_not_fire(rate: float) -> None:
    noise = np.random.default_rng(5).gamma(0.25, 0.0008 / 0.25, 20_000)  # bursts, 0.08 % on average
    noise[:4320] = 0.0008  # whose long windows are still filling
    assert noise.max() > 0.01
    firing = reference(noise, rate, 0.001)
    assert not firing.any()
    assert fired(entries()[f"checkout: burn rate {rate:g}"], noise) == []


@pytest.mark.parametrize(("minutes", "share"), [(3, 0.2), (30, 0.006)])
def test_a_short_blip_wakes_nobody(minutes: int, share: float) -> None:
    errors = np.zeros(10_000)
    errors[6000 : 6000 + minutes] = share
    for rate in (14.4, 6.0):
        assert fired(entries()[f"checkout: burn rate {rate:g}"], errors) == []


@given(
    values=st.lists(st.sampled_from([0.0, 5.0, 9.0, 11.0, 15.0, 30.0]), min_size=1, max_size=60),
    gaps=st.lists(st.integers(1, 400), min_size=60, max_size=60),
    condition=st.sampled_from([Condition.ABOVE, Condition.BELOW]),
    aggregate=st.sampled_from(
        [Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.P50, Aggregate.P95]
    ),
)
def test_confirmed_means_that_both_windows_agree(
    values: list[float], gaps: list[int], condition: Condition, aggregate: Aggregate
) -> None:
    """The vectorised measurement and the pure decision against two rules of one window each."""
    at = np.cumsum(np.array(gaps[: len(values)], np.int64)) * MINUTE // 4
    points = Points(at, np.array(values))
    changes = {"condition": condition, "aggregate": aggregate}
    both = make_rule(**changes, window_seconds=3600, confirm_window_seconds=300)
    long = make_rule(**changes, window_seconds=3600)
    short = make_rule(**changes, window_seconds=300)
    for index, instant in enumerate(at.tolist()):
        said = [
            evaluate(rule, measure(rule, points, at)[index], RuleState(), instant).change
            for rule in (both, long, short)
        ]
        assert (said[0] is not None) == (said[1] is not None and said[2] is not None)
        alone = measure(both, points, at[index : index + 1])[0]
        assert alone == measure(both, points, at)[index]
