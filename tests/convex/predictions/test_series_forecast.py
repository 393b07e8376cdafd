from __future__ import annotations

import numpy as np

from convex.predictions.panel import local_week_hours
from convex.predictions.series_forecast import BANDS, forecast_series
from tests.convex.predictions.worlds import END

HOURS = 120 * 24
WEEK = local_week_hours(END, HOURS + 73, "UTC")


def swing(seed: int = 0, noise: float = 1.0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Ten, up and down by five over the day, with noise."""
    day = 10 + 5 * np.sin(2 * np.pi * np.arange(HOURS + 72) / 24)
    return (day + np.random.default_rng(seed).normal(0, noise, HOURS + 72)).astype(np.float32)


def test_the_daily_swing_is_foreseen_and_bands_hold_what_they_say() -> None:
    inside = dict.fromkeys(BANDS, 0)
    total = 0
    for seed in range(12):
        values = swing(seed)
        found = forecast_series(values[:HOURS], WEEK, 48)
        assert found is not None
        came = values[HOURS : HOURS + 48]
        assert np.abs(found.values - came).mean() < 1.3
        for row, band in enumerate(BANDS):
            inside[band] += int(((came >= found.lower[row]) & (came <= found.upper[row])).sum())
        total += 48
    for band in BANDS:
        assert abs(inside[band] / total - band) < 0.12, band


def test_bands_contain_the_value_and_one_another() -> None:
    found = forecast_series(swing()[:HOURS], WEEK, 72)
    assert found is not None
    assert (found.lower <= found.values).all()
    assert (found.upper >= found.values).all()
    assert (np.diff(found.lower, axis=0) <= 1e-9).all()
    assert (np.diff(found.upper, axis=0) >= -1e-9).all()


def test_where_it_stands_now_matters_for_some_hours() -> None:
    plain = swing(noise=0.1)[:HOURS]
    lifted = plain.copy()
    lifted[-6:] += 4
    low, high = forecast_series(plain, WEEK, 72), forecast_series(lifted, WEEK, 72)
    assert low is not None
    assert high is not None
    gap = high.values - low.values
    assert gap[0] > 2
    assert abs(gap[60]) < 0.2


def test_the_future_of_the_series_is_not_read() -> None:
    values = swing()
    one = forecast_series(values[: HOURS - 48], WEEK[: HOURS - 48 + 73], 48)
    values[HOURS - 48 :] = 1e6
    two = forecast_series(values[: HOURS - 48], WEEK[: HOURS - 48 + 73], 48)
    assert one is not None
    assert two is not None
    np.testing.assert_array_equal(one.values, two.values)


def test_too_short_a_series_has_no_forecast() -> None:
    assert forecast_series(swing()[: 20 * 24], WEEK, 24) is None
    assert forecast_series(np.full(HOURS, np.nan, np.float32), WEEK, 24) is None
