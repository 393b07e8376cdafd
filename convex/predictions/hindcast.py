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

    `weights` and `map_` are what the next prediction is mixed with, `fitted` what asks the experts;
    `trusted` says whether the mixture is used at all, or the base rate.
    """

    horizon: int
    origins: IntArray
    outcome: FloatArray
    climatology: FloatArray
    experts: FloatArray
    mixed: FloatArray
    weights: FloatArray
    map_: tuple[float, float]
    trusted: bool
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
    base = table.climatology[:, columns]
    mixed, state = _mix_along(experts, base, outcome, origins, table.horizon, until)
    last = fit_experts(table, until, most_rows) if final_fit else None
    return Hindcast(
        table.horizon,
        origins,
        outcome,
        base,
        experts,
        mixed,
        state.weights,
        state.map_,
        state.trusted,
        last,
    )


@dataclass(frozen=True, slots=True)
class _State:
    weights: FloatArray
    map_: tuple[float, float]
    trusted: bool


def _mix_along(
    experts: FloatArray,
    base: FloatArray,
    outcome: FloatArray,
    origins: IntArray,
    horizon: int,
    until: int,
) -> tuple[FloatArray, _State]:
    """The mixture at each origin, from outcomes that had ended, and the state at the end."""
    count = len(origins)
    mixed = np.empty(experts.shape[1:])
    plain = np.empty(experts.shape[1:])
    used = np.zeros(count, np.bool_)
    step = float(origins[1] - origins[0]) if count > 1 else 1.0
    # so that the number of origins a day does not matter
    loss = mixture.losses(experts, outcome).sum(axis=1) * (step / 6.0)
    discounted = np.zeros(len(EXPERTS))
    against = mixture.losses(base, outcome).sum(axis=0) * (step / 6.0)
    gained = 0.0  # log loss that the mixture, used or not, has spared
    at = int(origins[0]) if count else until
    ended = 0
    map_ = (1.0, 0.0)
    mapped_at = at

    def advance(now: int) -> None:
        nonlocal discounted, gained, at, ended
        discounted = discounted * mixture.discount(now - at)
        gained *= mixture.discount(now - at)
        at = now
        while ended < count and origins[ended] + horizon <= now:
            age = now - int(origins[ended]) - horizon
            discounted = discounted + loss[:, ended] * mixture.discount(age)
            own = mixture.losses(mixed[:, ended], outcome[:, ended]).sum() * (step / 6.0)
            gained += float(against[ended] - own) * mixture.discount(age)
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
        used[index] = gained > 0
    advance(until)
    state = _State(mixture.weights_of(discounted, horizon), calibrate(until), gained > 0)
    return np.where(used, mixed, base), state
