from __future__ import annotations

import numpy as np

from convex.predictions.crossing import (
    compress,
    crossing_probabilities,
    fill_forward,
    weekly_medians,
)
from convex.predictions.model import HORIZONS
from convex.predictions.panel import local_week_hours
from tests.convex.predictions.worlds import END

HOURS = 100 * 24
WEEK = local_week_hours(END, HOURS + 73, "UTC")


def wave(peak: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A daily wave that reaches `peak` at its highest, with a little noise."""
    noise = np.random.default_rng(3).normal(0, 0.02, HOURS)
    return (np.sin(2 * np.pi * np.arange(HOURS) / 24) - 1 + peak + noise).astype(np.float32)


def test_what_crosses_every_day_will_cross_and_what_never_does_will_not() -> None:
    origins = np.arange(60 * 24, HOURS, 24)
    quiet = np.zeros(HOURS + 1, np.bool_)
    every, _ = crossing_probabilities(wave(0.5), quiet, WEEK, 0, origins)
    never, _ = crossing_probabilities(wave(-0.5), quiet, WEEK, 0, origins)
    assert every[:, 1].min() > 0.95
    assert never.max() < 0.05


def test_probabilities_do_not_fall_with_the_horizon() -> None:
    origins = np.arange(0, HOURS, 5)
    found, _ = crossing_probabilities(wave(0.0), np.zeros(HOURS + 1, np.bool_), WEEK, 0, origins)
    known = found[np.isfinite(found).all(axis=1)]
    assert len(known) > 300
    assert ((known >= 0) & (known <= 1)).all()
    assert (np.diff(known, axis=1) >= -1e-6).all()
    assert found.shape[1] == len(HORIZONS)


def test_a_breach_must_last_as_long_as_the_rule_says() -> None:
    values = np.full(HOURS, -1.0, np.float32)
    values[12::24] = 1.0  # one hour a day
    origins = np.arange(60 * 24, HOURS, 24)
    quiet = np.zeros(HOURS + 1, np.bool_)
    at_once, _ = crossing_probabilities(values, quiet, WEEK, 0, origins)
    held, _ = crossing_probabilities(values, quiet, WEEK, 2, origins)
    assert at_once[:, 1].min() > 0.9
    assert held[:, 1].max() < 0.1


def test_what_fires_already_must_recover_before_it_fires_again() -> None:
    values = np.full(HOURS, 1.0, np.float32)
    values[::7] = 0.9
    origins = np.arange(60 * 24, HOURS, 24)
    found, _ = crossing_probabilities(values, np.ones(HOURS + 1, np.bool_), WEEK, 0, origins)
    assert found.max() < 0.05


def test_without_enough_past_nothing_is_said() -> None:
    origins = np.array([0, 24, 240])
    found, _ = crossing_probabilities(wave(0.5), np.zeros(HOURS + 1, np.bool_), WEEK, 0, origins)
    assert np.isnan(found).all()


def test_medians_are_of_what_came_before_and_of_the_hour_of_the_week() -> None:
    values = np.tile(np.arange(168, dtype=np.float32), 5)
    week = local_week_hours(END, 168 * 5 + 73, "UTC")
    medians = weekly_medians(values, week)
    assert np.isnan(medians[0]).all()
    expected = np.empty(168)
    expected[week[:168]] = np.arange(168)
    own = medians[5] * (5 + 3) / 5 - medians[1] * 0  # drawn to the hour of the day by three weeks
    assert np.corrcoef(own, expected)[0, 1] > 0.9


def test_filling_forward_keeps_the_last_value() -> None:
    filled = fill_forward(np.array([np.nan, 1, np.nan, np.nan, 2], np.float32))
    np.testing.assert_array_equal(filled, np.array([np.nan, 1, 1, 1, 2], np.float32))


def test_compressing_keeps_the_sign_and_the_order() -> None:
    margins = np.random.default_rng(1).normal(0, 100, 2000).astype(np.float32)
    found = compress(margins)
    assert (np.sign(found) == np.sign(margins)).all()
    assert (np.argsort(found) == np.argsort(margins)).all()
    assert np.abs(found).max() < 5
