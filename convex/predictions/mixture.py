"""How experts are weighed, and the last calibration. Pure.

Weights are proportional to exp(−η · L), L the expert's log loss over outcomes that have ended, each
halved every 42 days; η falls with the horizon, because overlapping windows tell the same thing
again and again. The mixture is the weighted mean of log odds. A ridge-bound Platt map towards the
identity, fitted each week on the 56 days before, puts it right where it is off on the whole. What
comes of it is used only while it has a smaller log loss than the base rate over the outcomes that
have ended; before there are any, and whenever it has not, the base rate itself is the prediction.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convex.metrics.model import FloatArray
from convex.predictions.features import logit, sigmoid
from convex.predictions.logistic import newton
from convex.predictions.model import EXPERTS, Expert

HALF_LIFE_DAYS = 42.0
RATE = 0.5
RECALIBRATION_DAYS = 56
_RIDGE = 100.0  # outcomes that the identity counts for
# Before anything has ended: half for the mean of two pooled models, little for what knows less.
_SHARES: Mapping[Expert, float] = {
    Expert.CLIMATOLOGY: 0.2,
    Expert.SEASONAL: 0.02,
    Expert.CROSSING: 0.02,
    Expert.EVENTS: 0.02,
    Expert.LOGISTIC: 0.12,
    Expert.BOOSTING: 0.12,
    Expert.BLEND: 0.5,
}
_PRIOR = np.array([_SHARES[expert] for expert in EXPERTS])


def losses(probabilities: FloatArray, outcome: FloatArray) -> FloatArray:
    """Log loss of each, with probabilities kept away from 0 and 1. Shapes broadcast."""
    safe = np.clip(probabilities, 1e-4, 1 - 1e-4)
    return np.asarray(-(outcome * np.log(safe) + (1 - outcome) * np.log1p(-safe)))


def weights_of(discounted: FloatArray, horizon: int) -> FloatArray:
    """The weights (they add up to 1) for the discounted losses of the experts."""
    rate = RATE * min(1.0, 6.0 / horizon)
    score = -rate * (discounted - discounted.min())
    weights = _PRIOR * np.exp(score)
    return np.asarray(weights / weights.sum())


def discount(hours: float) -> float:
    """What an outcome still counts after so many hours."""
    return float(0.5 ** (hours / (24 * HALF_LIFE_DAYS)))


def mix(weights: FloatArray, probabilities: FloatArray) -> FloatArray:
    """The weighted mean of log odds; the first axis of `probabilities` are the experts."""
    return sigmoid(np.tensordot(weights, logit(probabilities), axes=1))


def fit_recalibration(
    mixed: FloatArray, outcome: FloatArray, weight: float = 1.0
) -> tuple[float, float]:
    """Slope and intercept for the log odds; (1, 0) changes nothing."""
    if len(mixed) == 0:
        return 1.0, 0.0
    design = np.column_stack([logit(mixed), np.ones(len(mixed))])
    importance = np.full(len(mixed), weight)
    slope, intercept = newton(
        design, outcome, np.array([_RIDGE, _RIDGE]), np.array([1.0, 0.0]), importance
    ).tolist()
    return float(np.clip(slope, 0.2, 2.0)), float(np.clip(intercept, -2.0, 2.0))


def recalibrate(mixed: FloatArray, map_: tuple[float, float]) -> FloatArray:
    """Apply slope and intercept."""
    return sigmoid(map_[0] * logit(mixed) + map_[1])
