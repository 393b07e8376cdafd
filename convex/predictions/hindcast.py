"""What would have been predicted: the whole method over the past, origin by origin. Pure.

Experts are fitted anew every `refit_days` on windows that had ended by then; the mixture and its
calibration use only outcomes that had ended at each origin. So the hindcast of the past is exactly
what live predictions would have been, and its end is the state from which the next one is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from convex.metrics.model import FloatArray, IntArray
from convex.predictions import mixture
from convex.predictions.experts import MOST_ROWS, Fitted, fit_experts
from convex.predictions.features import Table
from convex.predictions.model import EXPERTS

FIRST_DAYS = 28  # of history before anything is predicted
_WEEK = 168

Shown = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Hindcast:
    """One horizon, at `origins`: outcome, base rate, mixture and experts (× rules × origins).

    `weights` and `map_` are what the next prediction is mixed with, `fitted` what asks the experts.
    """

    horizon: int
    origins: IntArray
    outcome: FloatArray
    climatology: FloatArray
    experts: FloatArray
    mixed: FloatArray
    weights: FloatArray
    map_: tuple[float, float]
    fitted: Fitted | None = field(repr=False)


def hindcast(
    table: Table,
    since: int,
    until: int,
    *,
    refit_days: int = 14,
    most_rows: int = MOST_ROWS,
    shown: Shown | None = None,
    final_fit: bool = True,
) -> Hindcast:
    """Predict at the table's origins in [since, until), in hours of its panel."""
    since = max(since, FIRST_DAYS * 24)
    columns = np.flatnonzero((table.origins >= since) & (table.origins < until))
    origins = table.origins[columns]
    rules = table.values.shape[0]
    members = np.arange(rules)
    experts = np.empty((len(EXPERTS), rules, len(columns)))
    refit = refit_days * 24
    starts = np.arange(since, until, refit)
    for number, start in enumerate(starts.tolist()):
        mine = np.flatnonzero((origins >= start) & (origins < start + refit))
        if len(mine):
            fitted = fit_experts(table, start, most_rows)
            experts[:, :, mine] = fitted.predict(table, columns[mine], members)
        if shown is not None:
            shown((number + 1) / (len(starts) + final_fit))
    outcome = table.outcome[:, columns]
    mixed, weights, map_ = _mix_along(experts, outcome, origins, table.horizon, until)
    last = fit_experts(table, until, most_rows) if final_fit else None
    return Hindcast(
        table.horizon,
        origins,
        outcome,
        table.climatology[:, columns],
        experts,
        mixed,
        weights,
        map_,
        last,
    )


def _mix_along(
    experts: FloatArray, outcome: FloatArray, origins: IntArray, horizon: int, until: int
) -> tuple[FloatArray, FloatArray, tuple[float, float]]:
    """The mixture at each origin, from outcomes that had ended, and the state at the end."""
    count = len(origins)
    mixed = np.empty(experts.shape[1:])
    plain = np.empty(experts.shape[1:])
    step = float(origins[1] - origins[0]) if count > 1 else 1.0
    # so that the number of origins a day does not matter
    loss = mixture.losses(experts, outcome).sum(axis=1) * (step / 6.0)
    discounted = np.zeros(len(EXPERTS))
    at = int(origins[0]) if count else until
    ended = 0
    map_ = (1.0, 0.0)
    mapped_at = at

    def advance(now: int) -> None:
        nonlocal discounted, at, ended
        discounted = discounted * mixture.discount(now - at)
        at = now
        while ended < count and origins[ended] + horizon <= now:
            age = now - int(origins[ended]) - horizon
            discounted = discounted + loss[:, ended] * mixture.discount(age)
            ended += 1

    def calibrate(now: int) -> tuple[float, float]:
        recent = np.flatnonzero(origins[:ended] >= now - 24 * mixture.RECALIBRATION_DAYS)
        if len(recent) * step < _WEEK * 4:
            return 1.0, 0.0
        return mixture.fit_recalibration(
            plain[:, recent].reshape(-1), outcome[:, recent].reshape(-1), step / max(horizon, 6)
        )

    for index, origin in enumerate(origins.tolist()):
        advance(origin)
        if origin - mapped_at >= _WEEK:
            map_, mapped_at = calibrate(origin), origin
        weights = mixture.weights_of(discounted, horizon)
        plain[:, index] = mixture.mix(weights, experts[:, :, index])
        mixed[:, index] = mixture.recalibrate(plain[:, index], map_)
    advance(until)
    return mixed, mixture.weights_of(discounted, horizon), calibrate(until)
