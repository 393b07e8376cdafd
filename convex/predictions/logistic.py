"""Logistic regression by Newton's method, for few features and many rows. Pure, deterministic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convex.metrics.model import FloatArray

_STEPS, _SMALL = 30, 1e-6
_PLATT_RIDGE = 3.0


@dataclass(frozen=True, slots=True)
class Logistic:
    """Weights for features as they come (the scaling is folded in), and the intercept."""

    weights: FloatArray
    intercept: float

    def log_odds(self, features: FloatArray) -> FloatArray:
        """One value a row."""
        return np.asarray(features @ self.weights + self.intercept)


def fit_logistic(
    features: FloatArray,
    outcome: FloatArray,
    *,
    strength: float,
    centre: FloatArray | None = None,
    weight: float = 1.0,
) -> Logistic:
    """Minimise weighted log loss + |w − centre|² / (2 · strength) over standardised features.

    `centre` (zeros without it) is what the weights of the features as they come are drawn to. The
    intercept is free. A `weight` below 1 says that rows repeat each other.
    """
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    design = np.column_stack([np.ones(len(features)), (features - mean) / spread])
    ridge = np.full(design.shape[1], 1.0 / strength)
    ridge[0] = 1e-3
    middle = np.zeros(design.shape[1])
    if centre is not None:
        middle[1:] = centre * spread
        middle[0] = centre @ mean
    weights = newton(design, outcome, ridge, middle, np.full(len(outcome), weight))
    scaled = weights[1:] / spread
    return Logistic(scaled, float(weights[0] - scaled @ mean))


def newton(
    design: FloatArray,
    outcome: FloatArray,
    ridge: FloatArray,
    centre: FloatArray,
    weight: FloatArray | None = None,
) -> FloatArray:
    """The weights that minimise log loss + Σ ridge (w − centre)² / 2. Starts at `centre`."""
    weights = centre.copy()
    importance = np.ones(len(outcome)) if weight is None else weight

    def loss(candidate: FloatArray) -> float:
        odds = design @ candidate
        cost = np.logaddexp(0.0, odds) - outcome * odds
        return float(importance @ cost + 0.5 * ridge @ (candidate - centre) ** 2)

    current = loss(weights)
    for _ in range(_STEPS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (importance * (chance - outcome)) + ridge * (weights - centre)
        curvature = importance * chance * (1 - chance)
        hessian = (design * curvature[:, None]).T @ design
        hessian[np.diag_indices_from(hessian)] += ridge + 1e-9
        step = np.linalg.solve(hessian, gradient)
        scale = 1.0
        while scale > 1e-4 and (tried := loss(weights - scale * step)) > current:
            scale /= 2
        if scale <= 1e-4:
            break
        weights = weights - scale * step
        done = current - tried < _SMALL * max(1.0, abs(current))
        current = tried
        if done:
            break
    return weights


def fit_platt(
    log_odds: FloatArray, base: FloatArray, outcome: FloatArray, *, weight: float = 1.0
) -> FloatArray:
    """Calibrate log odds (rows × sources) beside those of the base rate: the weight of each source,
    of the base rate, and the intercept.

    Drawn towards half base rate, half sources, so that what brings nothing is not followed.
    """
    sources = log_odds.shape[1]
    design = np.column_stack([log_odds, base, np.ones(len(log_odds))])
    centre = np.array([0.5 / sources] * sources + [0.5, 0.0])
    ridge = np.full(len(centre), _PLATT_RIDGE)
    return newton(design, outcome, ridge, centre, np.full(len(outcome), weight))


def apply_platt(map_: FloatArray, log_odds: FloatArray, base: FloatArray) -> FloatArray:
    """Calibrated log odds; `log_odds` has the sources last."""
    return np.asarray(log_odds @ map_[:-2] + map_[-2] * base + map_[-1])
