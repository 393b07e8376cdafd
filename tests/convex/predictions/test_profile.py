from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex.metrics.model import FloatArray
from convex.predictions.model import HORIZONS
from convex.predictions.panel import count_before, local_week_hours
from convex.predictions.profile import PRIOR_DAYS, climatology, seasonal
from tests.convex.predictions.worlds import END

DAYS = 120
ORIGINS = np.arange(0, DAYS * 24 + 1, 6)
WEEK = local_week_hours(END, DAYS * 24 + 73, "UTC")


def daily(hour: int, rate: float, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Fires at this hour on this share of the days."""
    openings = np.zeros(DAYS * 24, np.uint8)
    openings[hour::24] = np.random.default_rng(seed).random(DAYS) < rate
    return openings


def test_a_rule_that_never_fired_has_the_rate_of_the_others_at_first_and_its_own_later() -> None:
    openings = np.stack([daily(9, 0.5), np.zeros(DAYS * 24, np.uint8)])
    base, pooled = climatology(count_before(openings), ORIGINS, 24)
    early, late = 5, len(ORIGINS) - 1
    assert base[1, early] > 0.5 * pooled[early]
    assert base[1, late] == pytest.approx(
        pooled[late] * PRIOR_DAYS / (DAYS - 1 + PRIOR_DAYS), rel=0.02
    )
    assert base[0, late] == pytest.approx(0.5, abs=0.1)


@given(st.lists(st.integers(0, DAYS * 24 - 1), max_size=40), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_base_rates_are_probabilities_and_longer_windows_are_no_less_likely(
    opened: list[int], seed: int
) -> None:
    openings = np.stack([np.zeros(DAYS * 24, np.uint8), daily(3, 0.2, seed)])
    openings[0, opened] = 1
    shorter: FloatArray | None = None
    for horizon in HORIZONS:
        base, _ = climatology(count_before(openings), ORIGINS, horizon)
        profile = seasonal(openings, WEEK, ORIGINS, horizon, base)
        for found in (base, profile):
            assert ((found > 0) & (found < 1)).all()
        if shorter is not None:
            # windows that have not ended are not counted, which may cost one day's worth
            assert (base[:, 60:] >= shorter[:, 60:] - 0.06).all()
        shorter = base


def test_a_seasonal_rule_is_likely_before_its_hour_and_unlikely_after_it() -> None:
    openings = daily(9, 0.9)[None, :]
    base, _ = climatology(count_before(openings), ORIGINS, 6)
    found = seasonal(openings, WEEK, ORIGINS, 6, base)
    hour = WEEK[ORIGINS] % 24
    late = ORIGINS > 60 * 24
    assert found[0, late & (hour == (WEEK[9] - 3) % 24)].min() > 0.5
    assert found[0, late & (hour == (WEEK[9] + 3) % 24)].max() < 0.15
