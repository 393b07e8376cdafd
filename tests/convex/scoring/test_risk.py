"""Risk and trend: bounded, monotone, and explained."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import theilslopes

from convex.scoring import risk
from convex.scoring.model import Factor, FactorKind, Trend
from convex.scoring.trend import probability_of_decline, theil_sen

_factors = st.lists(
    st.builds(
        Factor,
        st.sampled_from(FactorKind),
        st.just("x"),
        st.floats(0, 1),
        st.floats(0, 1),
        st.just("why"),
    ),
    max_size=10,
)


def test_no_factor_no_risk() -> None:
    assert risk.combine([]).score == 0


def test_risk_is_the_chance_that_one_factor_bites() -> None:
    factors = [
        risk.open_trigger("slow", "critical", acknowledged=False),
        risk.predicted_firing("late", "warning", 0.5, 24),
    ]
    combined = risk.combine(factors)
    assert combined.score == pytest.approx(100 * (1 - 0.5 * 0.9))
    assert [f.name for f in combined.factors] == ["slow", "late"]
    assert combined.factors[1].explanation == "late fires within 24 h with a probability of 50%"


def test_somebody_at_work_halves_an_open_trigger() -> None:
    firing = risk.open_trigger("r", "critical", acknowledged=False)
    taken = risk.open_trigger("r", "critical", acknowledged=True)
    assert taken.impact == firing.impact / 2


@given(_factors, _factors)
def test_risk_is_bounded_and_another_factor_never_lowers_it(
    few: list[Factor], more: list[Factor]
) -> None:
    less, all_of_them = risk.combine(few).score, risk.combine(few + more).score
    assert 0 <= less <= all_of_them + 1e-9
    assert all_of_them <= 100


def test_data_that_is_all_there_is_no_factor() -> None:
    assert risk.stale_data(1.0) is None
    factor = risk.stale_data(0.5)
    assert factor is not None
    assert factor.impact == pytest.approx(0.15)


def test_only_a_falling_score_is_a_factor() -> None:
    assert risk.worsening_trend(Trend(1.0, 0.5, 1.5, 30), 30) is None
    factor = risk.worsening_trend(Trend(-4.0, -5.0, -3.0, 30), 30)
    assert factor is not None
    assert factor.impact == pytest.approx(0.3)
    assert factor.probability > 0.99


def test_a_straight_line_has_its_slope_and_no_doubt() -> None:
    trend = theil_sen(range(10), [3.0 * day for day in range(10)])
    assert trend == Trend(3.0, 3.0, 3.0, 10)
    assert trend.direction == "improving"
    assert probability_of_decline(trend) == 0


def test_one_bad_day_does_not_turn_the_trend() -> None:
    scores = [float(day) for day in range(20)]
    scores[10] = -1000.0
    trend = theil_sen(range(20), scores)
    assert trend is not None
    assert trend.slope_per_day == pytest.approx(1.0)


def test_three_days_are_no_trend() -> None:
    assert theil_sen([1, 2, 3], [1, 2, 3]) is None


@given(st.lists(st.floats(0, 100), min_size=4, max_size=40))
def test_slope_and_interval_are_those_of_scipy(scores: list[float]) -> None:
    days = list(range(len(scores)))
    ours = theil_sen(days, scores)
    theirs = theilslopes(scores, days, alpha=0.90)
    assert ours is not None
    assert math.isclose(ours.slope_per_day, theirs.slope, abs_tol=1e-9)
    assert math.isclose(ours.low, theirs.low_slope, abs_tol=1e-9)
    assert math.isclose(ours.high, theirs.high_slope, abs_tol=1e-9)
