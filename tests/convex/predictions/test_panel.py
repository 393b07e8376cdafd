from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from convex.metrics.model import HOUR
from convex.predictions.model import RuleHistory
from convex.predictions.panel import (
    build_panel,
    count_before,
    hourly_margins,
    local_week_hours,
    outcomes,
)
from tests.convex.predictions.worlds import END, facts, history


def test_a_firing_counts_in_the_hour_in_which_it_opens() -> None:
    panel = build_panel([history(facts("a"), 48, np.array([0.0, 1.5, 1.9, 47.99]))], END, 48, "UTC")
    assert panel.openings[0, [0, 1, 47]].tolist() == [1, 2, 1]
    assert panel.openings.sum() == 4


def test_what_opens_before_the_panel_or_at_its_end_is_not_counted() -> None:
    outside = history(facts("a"), 48, np.array([-0.5, 48.0]))
    assert build_panel([outside], END, 48, "UTC").openings.sum() == 0


def test_a_rule_is_open_at_the_hours_that_begin_between_opening_and_end() -> None:
    start = END - 48 * HOUR
    one = RuleHistory(
        facts("a"), np.array([start + HOUR // 2]), np.array([start + 3 * HOUR + 1]), None
    )
    still = RuleHistory(facts("b"), np.array([start - 5 * HOUR]), np.array([2**61]), None)
    panel = build_panel([one, still], END, 48, "UTC")
    assert np.flatnonzero(panel.firing[0]).tolist() == [1, 2, 3]
    assert panel.firing[1].all()


@given(
    st.lists(st.integers(0, 99), max_size=12),
    st.integers(1, 72),
)
def test_an_outcome_is_whether_something_opens_in_the_window(opened: list[int], ahead: int) -> None:
    counts = np.zeros((1, 100), np.uint8)
    for hour in opened:
        counts[0, hour] = 1
    found = outcomes(count_before(counts), ahead)
    assert found.shape == (1, 101 - ahead)
    for origin in range(101 - ahead):
        assert found[0, origin] == any(origin <= hour < origin + ahead for hour in opened)


def test_the_hour_of_the_week_is_local_also_when_clocks_change() -> None:
    # 2026-03-08 07:00 UTC is 03:00 in New York: two hours before it was 01:00
    start = 1_772_949_600_000_000 - 2 * HOUR  # 2026-03-08 04:00 UTC, Saturday 23:00
    assert local_week_hours(start, 4, "America/New_York").tolist() == [143, 144, 145, 147]


def test_the_margin_of_an_hour_is_its_largest() -> None:
    start = END - 3 * HOUR
    at = start + np.array([0, HOUR // 2, 2 * HOUR, 3 * HOUR])
    found = hourly_margins(at, np.array([1.0, 5.0, -2.0, 9.0]), start, 3)
    np.testing.assert_array_equal(found, [5.0, np.nan, -2.0])
