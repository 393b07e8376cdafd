"""Base rates as they were known at each origin: climatology and the seasonal Poisson rate. Pure.

Climatology is the share of past origins whose outcome was positive, drawn to the share of all rules
of the workspace by the weight of `PRIOR_DAYS`. It is what every skill is measured against.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convex.metrics.model import FloatArray, IntArray
from convex.predictions.panel import LONGEST, WEEK_HOURS, outcomes

PRIOR_DAYS = 14
_HOUR_PRIOR = 12.0  # firings that an even day counts for
_WEEKDAY_PRIOR = 21.0
_LEAST = 1e-4
_FEW = 4  # origins that are quicker counted one by one


def climatology(
    totals: NDArray[np.int32],
    origins: IntArray,
    horizon: int,
    pooled: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """(rules × origins, origins): each rule's shrunk base rate, and the pooled one.

    At origin i from outcomes that had ended by then; `totals` is `count_before`. `pooled` replaces
    the pooled rate when the rules given are only some of the workspace's.
    """
    ended = np.clip(origins - horizon + 1, 0, totals.shape[1] - horizon)
    if len(origins) <= _FEW:
        counts = np.stack(
            [
                np.count_nonzero(totals[:, horizon : horizon + end] > totals[:, :end], axis=1)
                for end in ended.tolist()
            ],
            axis=1,
        ).astype(np.float64)
    else:
        happened = outcomes(totals, horizon)
        sums = np.zeros((len(totals), happened.shape[1] + 1), np.int32)
        np.cumsum(happened, axis=1, out=sums[:, 1:])
        counts = sums[:, ended].astype(np.float64)
    if pooled is None:
        pooled = (counts.sum(axis=0) + 0.5) / (ended * max(len(totals), 1) + 24.0)
    prior = PRIOR_DAYS * 24.0
    return (counts + prior * pooled) / (ended + prior), pooled


def seasonal(
    openings: NDArray[np.uint8],
    week: IntArray,
    origins: IntArray,
    horizon: int,
    base: FloatArray,
) -> FloatArray:
    """1 − exp(−expected firings), rules × origins, by the rule's own hours and weekdays.

    The profile is relative: a mean over the week of its expectation gives `base` (the climatology),
    so that bursts, which a Poisson process does not know, do not lift it.
    """
    rules, hours = openings.shape
    days = hours // 24
    result = np.empty((rules, len(origins)))
    # of booleans, which numpy finds far faster than of numbers
    rows, places = np.divmod(np.flatnonzero(openings != 0), hours)
    counted = openings[rows, places].astype(np.float64)
    day_of = np.minimum(origins // 24, days)
    hour, weekday = np.zeros((rules, 24)), np.zeros((rules, 7))
    reached = 0
    for day in np.unique(day_of).tolist():
        mine = np.flatnonzero(day_of == day)
        new = (places >= reached * 24) & (places < day * 24)
        row, at, weight = rows[new], week[places[new]], counted[new]
        hour += np.bincount(row * 24 + at % 24, weight, rules * 24).reshape(rules, 24)
        weekday += np.bincount(row * 7 + at // 24, weight, rules * 7).reshape(rules, 7)
        reached = day
        count = hour.sum(axis=1, keepdims=True)
        shape = (hour + _HOUR_PRIOR / 24) / (count + _HOUR_PRIOR) * 24
        slope = (weekday + _WEEKDAY_PRIOR / 7) / (count + _WEEKDAY_PRIOR) * 7
        profile = (slope[:, :, None] * shape[:, None, :]).reshape(rules, WEEK_HOURS)
        totals = np.zeros((rules, WEEK_HOURS + LONGEST + 1))
        np.cumsum(
            np.concatenate([profile, profile[:, :LONGEST]], axis=1), axis=1, out=totals[:, 1:]
        )
        begin = week[origins[mine]]
        share = (totals[:, begin + horizon] - totals[:, begin]) / np.maximum(
            profile.mean(axis=1, keepdims=True) * horizon, 1e-9
        )
        known = np.clip(base[:, mine], _LEAST, 1 - _LEAST)
        result[:, mine] = 1.0 - np.exp(np.log1p(-known) * share)
    return np.clip(result, _LEAST, 1 - _LEAST)
