"""The experts of one horizon: fitted on what had ended by an origin, asked about later ones.

Pooled over rules. The boosted trees are two: one for the log odds, one for what the base rate is
off by, calibrated together on blocks of time that neither saw. scikit-learn is imported only where
they are fitted, which happens in worker processes alone. Everything is deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from convex.metrics.model import BoolArray, FloatArray, IntArray
from convex.predictions.features import ALL_NAMES, EVENT_NAMES, Table, logit, sigmoid
from convex.predictions.logistic import Logistic, apply_platt, fit_logistic, fit_platt
from convex.predictions.model import EXPERTS, Expert

MOST_ROWS = 100_000
LEAST_ROWS, LEAST_POSITIVES = 1_000, 20
_BLOCKS = 3
_EVENTS_STRENGTH, _ALL_STRENGTH = 1.0, 0.03
_FIRST_WEEK = 168  # origins before it know too little to learn from


@dataclass(frozen=True, slots=True)
class Trees:
    """The boosted classifier and the regression of outcome − base rate, with their calibration."""

    classifier: Any
    residual: Any
    map_: FloatArray

    def log_odds(self, values: FloatArray, base: FloatArray) -> FloatArray:
        """Calibrated; `base` are probabilities, one a row."""
        return apply_platt(
            self.map_, _grown(self.classifier, self.residual, values, base), logit(base)
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was learnt; where it was too little (`trees` is None) only the base rates speak.

    `everything` ends with a weight for each rule of the training panel.
    """

    horizon: int
    rows: int
    crossing: FloatArray | None = None
    events: Logistic | None = None
    everything: Logistic | None = None
    trees: Trees | None = None

    def predict(self, table: Table, columns: slice | IntArray, members: IntArray) -> FloatArray:
        """Probabilities, experts × rules × origins, in the order of `EXPERTS`.

        `members[r]` is the row of rule r in the training panel, or -1.
        """
        values = table.values[:, columns]
        shape = values.shape[:2]
        base = table.climatology[:, columns]
        result = np.empty((len(EXPERTS), *shape))
        result[:] = base
        place = {expert: index for index, expert in enumerate(EXPERTS)}
        result[place[Expert.SEASONAL]] = table.seasonal[:, columns]
        raw = table.crossing[:, columns]
        if self.crossing is not None:
            known = np.isfinite(raw)
            odds = _crossing_odds(np.where(known, raw, 0.5))
            calibrated = sigmoid(apply_platt(self.crossing, odds[..., None], logit(base)))
            result[place[Expert.CROSSING]] = np.where(known, calibrated, base)
        if self.events is None or self.everything is None or self.trees is None:
            return result
        flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
        events = self.events.log_odds(flat[:, : len(EVENT_NAMES)])
        count = flat.shape[1]
        own = np.concatenate([self.everything.weights[count:], [0.0]])
        linear = flat @ self.everything.weights[:count] + self.everything.intercept
        linear = linear.reshape(shape) + own[members][:, None]
        boosted = self.trees.log_odds(flat, base.reshape(-1)).reshape(shape)
        result[place[Expert.EVENTS]] = sigmoid(events).reshape(shape)
        result[place[Expert.LOGISTIC]] = sigmoid(linear)
        result[place[Expert.BOOSTING]] = sigmoid(boosted)
        result[place[Expert.BLEND]] = sigmoid((linear + boosted) / 2)
        return result


def fit_experts(table: Table, until: int, most_rows: int = MOST_ROWS) -> Fitted:
    """Learn from origins whose windows had ended at `until`."""
    columns = np.flatnonzero(
        (table.origins >= _FIRST_WEEK) & (table.origins + table.horizon <= until)
    )
    rules, names = table.values.shape[0], table.values.shape[2]
    columns = _thin(columns, rules, most_rows)
    outcome = table.outcome[:, columns].reshape(-1)
    if len(outcome) < LEAST_ROWS or outcome.sum() < LEAST_POSITIVES:
        return Fitted(table.horizon, len(outcome))
    values = table.values[:, columns].reshape(-1, names).astype(np.float64)
    base = table.climatology[:, columns].reshape(-1)
    step = float(np.median(np.diff(table.origins[columns]))) if len(columns) > 1 else 1.0
    weight = min(1.0, step / table.horizon)  # overlapping windows repeat each other
    raw = table.crossing[:, columns].reshape(-1)
    known = np.isfinite(raw)
    crossing = None
    if known.sum() >= LEAST_ROWS:
        odds = _crossing_odds(raw[known])[:, None]
        crossing = fit_platt(odds, logit(base[known]), outcome[known], weight=weight)
    events = fit_logistic(
        values[:, : len(EVENT_NAMES)],
        outcome,
        strength=_EVENTS_STRENGTH,
        centre=_only("seasonal", EVENT_NAMES, len(EVENT_NAMES)),
        weight=weight,
    )
    own = np.repeat(np.eye(rules), len(columns), axis=0)
    everything = fit_logistic(
        np.hstack([values, own]),
        outcome,
        strength=_ALL_STRENGTH,
        centre=_only("climatology", ALL_NAMES, names + rules),
        weight=weight,
    )
    when = np.tile(table.origins[columns], rules)
    leaf = _leaf(table.horizon, step)
    trees = _fit_trees(values, base, outcome, when, table.horizon, weight, leaf)
    return Fitted(table.horizon, len(outcome), crossing, events, everything, trees)


def _crossing_odds(raw: FloatArray) -> FloatArray:
    return logit(np.clip(raw, 0.003, 0.997))


def _only(name: str, names: tuple[str, ...], count: int) -> FloatArray:
    weights = np.zeros(count)
    weights[names.index(name)] = 1.0
    return weights


def _thin(columns: IntArray, rules: int, most: int) -> IntArray:
    """Every k-th origin, counted back from the newest, so that memory stays bounded."""
    step = max(1, -(-len(columns) * rules // most))
    return columns[::-1][::step][::-1]


def _leaf(horizon: int, step: float) -> int:
    """The least rows of a leaf: 60 windows that do not overlap, up to 300 rows."""
    return int(min(300, max(60, 60 * horizon / (2 * step))))


def _fit_trees(
    values: FloatArray,
    base: FloatArray,
    outcome: FloatArray,
    when: IntArray,
    horizon: int,
    weight: float,
    leaf: int,
) -> Trees:
    classifier, residual = _boost(values, base, outcome, leaf)
    edges = np.quantile(when, np.linspace(0, 1, _BLOCKS + 1)[1:-1])
    block = np.searchsorted(edges, when, side="right")
    odds = np.zeros((len(outcome), 2))
    used: BoolArray = np.zeros(len(outcome), np.bool_)
    for number in range(_BLOCKS):
        held = block == number
        if not held.any():
            continue
        # nothing that touches a window of the block
        first, last = int(when[held].min()), int(when[held].max())
        rest = ((when + horizon <= first) | (when >= last + horizon)) & ~held
        if rest.sum() < LEAST_ROWS or outcome[rest].sum() < LEAST_POSITIVES:
            continue
        pair = _boost(values[rest], base[rest], outcome[rest], leaf)
        odds[held] = _grown(*pair, values[held], base[held])
        used |= held
    map_ = np.array([0.25, 0.25, 0.5, 0.0])
    if used.any():
        map_ = fit_platt(odds[used], logit(base[used]), outcome[used], weight=weight)
    return Trees(classifier, residual, map_)


def _grown(classifier: Any, residual: Any, values: FloatArray, base: FloatArray) -> FloatArray:
    corrected = np.clip(base + residual.predict(values), 0.002, 0.998)
    return np.column_stack([classifier.decision_function(values), logit(corrected)])


def _boost(values: FloatArray, base: FloatArray, outcome: FloatArray, leaf: int) -> tuple[Any, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    how = {
        "max_iter": 120,
        "max_leaf_nodes": 8,
        "learning_rate": 0.05,
        "min_samples_leaf": leaf,
        "early_stopping": False,
        "random_state": 0,
    }
    with threadpool_limits(1):
        classifier = HistGradientBoostingClassifier(**how).fit(values, outcome)
        residual = HistGradientBoostingRegressor(**how).fit(values, outcome - base)
    return classifier, residual
