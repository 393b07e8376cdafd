"""Tails, combinations and false-discovery control against plain definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex.patterns.statistics import (
    benjamini_hochberg,
    binomial_tail,
    cauchy_combination,
    confidence,
    counted_tail,
    poisson_binomial_tail,
    poisson_binomial_tails,
    ratio_interval,
    share_real,
    wilson,
)

shares = st.floats(0, 1, allow_subnormal=False)


@settings(deadline=None)
@given(st.lists(shares, max_size=8), st.integers(0, 8))
def test_the_poisson_binomial_tail_is_the_sum_over_all_outcomes(
    chances: list[float], hits: int
) -> None:
    expected = sum(
        math.prod(p if hit else 1 - p for p, hit in zip(chances, outcome, strict=True))
        for outcome in itertools.product((0, 1), repeat=len(chances))
        if sum(outcome) >= hits
    )
    assert poisson_binomial_tail(np.array(chances), hits) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(shares, max_size=12), st.integers(0, 6)), max_size=20))
def test_many_tails_at_once_are_the_tails_one_by_one(
    cases: list[tuple[list[float], int]],
) -> None:
    chances = [np.array(each) for each, _ in cases]
    hits = [each for _, each in cases]
    alone = [poisson_binomial_tail(c, h) for c, h in zip(chances, hits, strict=True)]
    assert poisson_binomial_tails(chances, hits).tolist() == pytest.approx(alone)


def test_a_tiny_tail_keeps_its_precision() -> None:
    assert poisson_binomial_tail(np.full(10, 1e-3), 10) == pytest.approx(1e-30)
    (tail,) = binomial_tail(np.array([10.0]), np.array([10.0]), np.array([1e-3]))
    assert tail == pytest.approx(1e-30)


@settings(deadline=None)
@given(st.lists(shares, min_size=1, max_size=30), st.integers(0, 50))
def test_q_values_follow_the_order_of_p_values_and_are_no_smaller(
    p_values: list[float], more: int
) -> None:
    p = np.array(p_values)
    q = benjamini_hochberg(p, len(p) + more)
    assert (q >= p - 1e-12).all()
    assert (np.diff(q[np.argsort(p, kind="stable")]) >= 0).all()
    assert benjamini_hochberg(p[::-1], len(p) + more)[::-1] == pytest.approx(q)


def test_q_values_of_a_worked_example() -> None:
    q = benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.005]))
    assert q == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_an_untested_part_does_not_weaken_a_combination() -> None:
    both = cauchy_combination(np.array([[1e-9], [0.5], [np.nan]]))
    assert both[0] == pytest.approx(2e-9, rel=1e-3)
    assert np.isnan(cauchy_combination(np.array([[np.nan], [np.nan]]))[0])
    assert cauchy_combination(np.array([[1e-200]]))[0] == pytest.approx(1e-200)


def test_surrogates_that_reach_it_bound_a_tail_from_below() -> None:
    assert counted_tail(3, np.array([0.0, 3.0, 4.0, 0.0])) >= 0.5
    assert counted_tail(8, np.zeros(90)) < 1e-12
    assert counted_tail(0, np.zeros(9)) == 1.0


@settings(deadline=None)
@given(st.floats(1e-12, 1), st.floats(1e-12, 1), st.floats(0.01, 0.5))
def test_confidence_falls_with_the_p_value_and_never_says_certain(
    a: float, b: float, real: float
) -> None:
    low, high = sorted((a, b))
    assert 0 <= confidence(high, real) <= confidence(low, real) <= 99


def test_the_share_of_real_ones_is_bounded() -> None:
    assert share_real(np.full(100, 1e-6)) == 0.5
    assert share_real(np.linspace(0, 1, 101)) == pytest.approx(0.01, abs=0.02)
    assert share_real(np.array([1e-9]), 10_000, most=0.02) == 0.01


def test_intervals_hold_their_estimates() -> None:
    low, high = wilson(11, 13)
    assert low < 11 / 13 < high
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = ratio_interval(40, 20)
    assert low < 2 < high
    assert ratio_interval(5, 0)[1] == math.inf
