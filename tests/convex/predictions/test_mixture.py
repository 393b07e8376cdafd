from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from convex.predictions.logistic import apply_platt, fit_logistic, fit_platt
from convex.predictions.mixture import (
    discount,
    fit_recalibration,
    losses,
    mix,
    recalibrate,
    weights_of,
)
from convex.predictions.model import EXPERTS, Expert

COUNT = len(EXPERTS)


@given(arrays(float, COUNT, elements=st.floats(0, 1e5)), st.sampled_from([6, 24, 48, 72]))
def test_weights_add_up_and_prefer_less_loss(loss: np.ndarray, horizon: int) -> None:
    weights = weights_of(loss, horizon)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    better = weights_of(np.concatenate([[loss[0]], np.maximum(loss[1:] - 1, 0)]), horizon)
    assert better[1:].sum() >= weights[1:].sum() - 1e-9


def test_before_any_outcome_what_knows_least_counts_least() -> None:
    weights = weights_of(np.zeros(COUNT), 24)
    assert weights.sum() == pytest.approx(1)
    assert weights[EXPERTS.index(Expert.BLEND)] == weights.max() == pytest.approx(0.5)
    assert weights[EXPERTS.index(Expert.SEASONAL)] == weights.min()


def test_the_longer_the_window_the_slower_weights_move() -> None:
    loss = np.zeros(COUNT)
    loss[0] = 10.0
    moved = [weights_of(loss, horizon)[0] for horizon in (6, 24, 48, 72)]
    assert moved == sorted(moved)


def test_an_outcome_counts_half_after_six_weeks() -> None:
    assert discount(42 * 24) == pytest.approx(0.5)


@given(arrays(float, (COUNT, 5), elements=st.floats(0, 1)))
def test_a_mixture_lies_among_its_experts(probabilities: np.ndarray) -> None:
    mixed = mix(np.full(COUNT, 1 / COUNT), probabilities)
    safe = np.clip(probabilities, 1e-4, 1 - 1e-4)
    assert (mixed >= safe.min(axis=0) - 1e-9).all()
    assert (mixed <= safe.max(axis=0) + 1e-9).all()


def test_what_is_calibrated_stays_and_what_is_off_is_put_right() -> None:
    random = np.random.default_rng(5)
    truth = random.uniform(0.02, 0.6, 20_000)
    outcome = (random.random(20_000) < truth).astype(float)
    slope, intercept = fit_recalibration(truth, outcome)
    assert slope == pytest.approx(1, abs=0.1)
    assert intercept == pytest.approx(0, abs=0.1)
    off = recalibrate(truth, (1.0, 1.0))
    mended = recalibrate(off, fit_recalibration(off, outcome))
    assert abs(mended.mean() - outcome.mean()) < 0.01


def test_few_outcomes_hardly_move_the_calibration() -> None:
    slope, intercept = fit_recalibration(np.full(5, 0.1), np.ones(5))
    assert abs(slope - 1) < 0.3
    assert abs(intercept) < 0.1


def test_losses_of_certainty_are_finite() -> None:
    assert np.isfinite(losses(np.array([0.0, 1.0]), np.array([1.0, 0.0]))).all()


def test_a_logistic_fit_finds_what_made_the_outcomes() -> None:
    random = np.random.default_rng(6)
    features = random.normal(3, 2, (20_000, 2))
    odds = 0.8 * features[:, 0] - 0.5 * features[:, 1] - 1
    outcome = (random.random(20_000) < 1 / (1 + np.exp(-odds))).astype(float)
    found = fit_logistic(features, outcome, strength=100.0)
    np.testing.assert_allclose(found.weights, [0.8, -0.5], atol=0.06)
    assert found.intercept == pytest.approx(-1, abs=0.15)


def test_without_rows_that_say_otherwise_weights_stay_at_their_centre() -> None:
    random = np.random.default_rng(7)
    features = random.normal(0, 1, (40, 2))
    found = fit_logistic(
        features, np.zeros(40), strength=1e-6, centre=np.array([1.0, 0.0]), weight=1e-3
    )
    np.testing.assert_allclose(found.weights, [1.0, 0.0], atol=0.01)


def test_platt_leans_on_the_base_rate_when_the_source_is_noise() -> None:
    random = np.random.default_rng(8)
    base = random.normal(-1, 1, 20_000)
    outcome = (random.random(20_000) < 1 / (1 + np.exp(-base))).astype(float)
    noise = random.normal(0, 1, (20_000, 1))
    map_ = fit_platt(noise, base, outcome)
    assert abs(map_[0]) < 0.1
    assert map_[1] == pytest.approx(1, abs=0.1)
    assert apply_platt(map_, noise, base).shape == (20_000,)
