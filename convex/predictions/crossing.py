"""Metric-crossing: past paths of a measured value, set on where it stands now. Pure.

The margin to the threshold is compressed by asinh and taken apart into the median of its hour of
the week, as known at the time, and a residual. What may come is that median plus the residual path
of an earlier day from the same hour, whose start is drawn to where the residual stands now with a
half-life of 10 hours. Paths from a similar residual weigh more. The share of paths that would make
the rule fire is the raw probability.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convex.metrics.model import IntArray
from convex.predictions.model import HORIZONS
from convex.predictions.panel import LONGEST, WEEK_HOURS

PATHS, LEAST_PATHS = 150, 14
HALF_LIFE = 10.0  # hours
SCALE_HOURS = 28 * 24  # what the scale of a margin is learnt from, and kept
_FAR = np.float32(-9.0)
NEAREST = 3  # days back, so that a path of 72 hours has ended
_BATCH = 24
MEDIAN_WEEKS = 12
PRIOR = 3.0  # weeks that the median of the hour of the day counts for

Float32 = NDArray[np.float32]


def compress(margins: Float32) -> Float32:
    """asinh of margins in units of their spread in the first weeks that are known."""
    known = margins[np.isfinite(margins)]
    early = margins[:SCALE_HOURS]
    early = early[np.isfinite(early)]
    if len(early) < 24:
        early = known[:24]
    if len(early) == 0:
        return margins
    spread = float(np.median(np.abs(early - np.median(early)))) * 1.4826
    if spread <= 0:
        spread = float(np.std(early)) or float(np.max(np.abs(early))) or 1.0
    return np.asarray(np.arcsinh(margins / np.float32(spread)), np.float32)


def weekly_medians(
    values: Float32, week: IntArray, *, weeks: int = MEDIAN_WEEKS, prior: float = PRIOR
) -> Float32:
    """What each hour of the week was in the median of the weeks before, anew each 168 hours.

    Shape (weeks + 1, 168); row w is known at hour 168 w. Medians of few weeks are drawn to that of
    the hour of the day; NaN where nothing is known.
    """
    count = -(-len(values) // WEEK_HOURS)
    table = np.full((count, WEEK_HOURS), np.nan, np.float32)
    index = np.arange(len(values))
    table[index // WEEK_HOURS, week[: len(values)]] = values
    result = np.full((count + 1, WEEK_HOURS), np.nan, np.float32)
    for row in range(1, count + 1):
        recent = table[max(0, row - weeks) : row]
        counts = np.isfinite(recent).sum(axis=0)
        own = _median(recent)
        daily = _median(recent.reshape(-1, 24))
        general = np.tile(np.where(np.isfinite(daily), daily, _median(daily[:, None])), 7)
        mixed = (np.nan_to_num(own) * counts + general * prior) / np.maximum(counts + prior, 1e-9)
        result[row] = np.where(counts + prior > 0, mixed, np.nan)
    return result


def _median(values: Float32) -> Float32:
    """By column, of what is finite; NaN for a column without anything."""
    ordered = np.sort(values, axis=0)  # NaN last
    counts = np.isfinite(ordered).sum(axis=0)
    columns = np.arange(ordered.shape[1])
    low = ordered[np.maximum(counts - 1, 0) // 2, columns]
    high = ordered[np.minimum(counts // 2, len(ordered) - 1), columns]
    return np.asarray(np.where(counts > 0, (low + high) / 2, np.nan), np.float32)


def fill_forward(values: Float32) -> Float32:
    """Each value, or the last one before it."""
    places = np.where(np.isfinite(values), np.arange(len(values)), 0)
    return np.asarray(values[np.maximum.accumulate(places)], np.float32)


def crossing_probabilities(
    values: Float32, firing: NDArray[np.bool_], week: IntArray, hold: int, origins: IntArray
) -> tuple[Float32, Float32]:
    """Raw probabilities (origins × horizons, NaN where unknown) and the residual at each origin.

    `values` are compressed margins of N hours, `firing` of N + 1, `week` of N + 73; `hold` is the
    number of hours that a breach must go on before it fires. An origin knows the hours before it.
    """
    hours = len(values)
    medians = weekly_medians(values, week)
    known = np.isfinite(values)
    filled = fill_forward(values)
    standing = standing_at(values, medians, week)
    result = np.full((len(origins), len(HORIZONS)), np.nan, np.float32)
    ahead = np.arange(LONGEST)
    padded = np.concatenate([values, np.full(LONGEST, np.nan, np.float32)])
    for phase in range(24):
        mine = np.flatnonzero(origins % 24 == phase)
        if len(mine) == 0:
            continue
        starts = np.arange(phase, hours + 1, 24)
        reach = starts[:, None] + ahead
        medians_of = medians[starts // WEEK_HOURS]
        level = medians_of[np.arange(len(starts))[:, None], week[reach]]
        paths = padded[reach] - level
        at = standing[starts]
        for begin in range(0, len(mine), _BATCH):
            rows = mine[begin : begin + _BATCH]
            path, weight, enough = draw_paths(level, paths, at, origins[rows] // 24)
            path = np.where(np.isfinite(path), path, _FAR)
            total = weight.sum(axis=1)
            first = _first_firing(path, filled, known, origins[rows], hold, firing)
            for column, horizon in enumerate(HORIZONS):
                share = (weight * (first < horizon)).sum(axis=1) / np.maximum(total, 1e-9)
                result[rows, column] = np.where(enough, share, np.nan)
    return result, standing[origins]


def standing_at(values: Float32, medians: Float32, week: IntArray) -> Float32:
    """The residual of the newest value before each hour 0 … N, by the median known then."""
    hours = len(values)
    standing = np.full(hours + 1, np.nan, np.float32)
    known = np.isfinite(values)
    last = np.maximum.accumulate(np.where(known, np.arange(hours), -1))
    places = np.maximum(last, 0)
    usual = medians[(np.arange(hours) + 1) // WEEK_HOURS, week[places]]
    standing[1:] = np.where(last >= 0, fill_forward(values) - usual, np.nan)
    return standing


def draw_paths(
    level: Float32, paths: Float32, at: Float32, own: IntArray, *, decay: bool = True
) -> tuple[Float32, Float32, NDArray[np.bool_]]:
    """What may come at the origins `own`: values (origins × paths × hours), the weight of each path
    (0 for none), and whether there are enough. With `decay` a path is drawn to where it stands now.

    Rows of `level` (usual values ahead), `paths` (residuals ahead) and `at` (the residual where it
    stands) are origins a day apart; only rows whose hours ahead have passed are drawn from.
    """
    source = own[:, None] - (NEAREST + np.arange(PATHS))
    usable = source >= 0
    source = np.maximum(source, 0)
    there, here = at[source], at[own]
    usable &= np.isfinite(there)
    gap = np.where(usable, here[:, None] - there, 0.0).astype(np.float32)
    weight = np.where(usable, np.exp(-0.5 * (gap / _width(there, gap, usable)) ** 2), 0.0)
    path = level[own][:, None, :] + paths[source]
    if decay:
        fading = np.exp2(-(np.arange(paths.shape[1]) + 1) / HALF_LIFE).astype(np.float32)
        path = path + gap[:, :, None] * fading
    enough = np.isfinite(here) & (usable.sum(axis=1) >= LEAST_PATHS) & (weight.sum(axis=1) > 1e-6)
    return path, weight.astype(np.float32), enough


def _width(there: Float32, gap: Float32, usable: NDArray[np.bool_]) -> Float32:
    """The bandwidth of similarity: half of the standard deviation of the residuals compared, and
    wide enough for some paths where the present one has never been seen before.
    """
    count = np.maximum(usable.sum(axis=1), 1)
    safe = np.where(usable, there, 0.0)
    mean = safe.sum(axis=1) / count
    variance = np.where(usable, (safe - mean[:, None]) ** 2, 0.0).sum(axis=1) / count
    distance = np.partition(np.where(usable, np.abs(gap), np.inf), LEAST_PATHS - 1, axis=1)
    nearest = distance[:, LEAST_PATHS - 1]
    reach = np.where(np.isfinite(nearest), nearest, 0.0)
    width = np.maximum(np.maximum(0.5 * np.sqrt(variance), reach), 0.05)
    return np.asarray(width[:, None], np.float32)


def _first_firing(
    path: Float32,
    filled: Float32,
    known: NDArray[np.bool_],
    origins: IntArray,
    hold: int,
    firing: NDArray[np.bool_],
) -> IntArray:
    """The first hour of each path at which the rule would fire anew; a large number for never."""
    breach = path > 0
    if hold:
        back = origins[:, None] - hold + np.arange(hold)
        place = np.maximum(back, 0)
        before = (filled[place] > 0) & known[place] & (back >= 0)
        shape = (path.shape[0], path.shape[1], hold)
        lead = np.broadcast_to(before[:, None, :], shape)
        long = np.concatenate([lead, breach], axis=2)
        held = long[:, :, hold:].copy()
        for shift in range(hold):
            held &= long[:, :, shift : shift + path.shape[2]]
    else:
        held = breach
    # what fires already must first recover
    recovered = np.cumsum(~breach, axis=2, dtype=np.int16) > 0
    held = held & (recovered | ~firing[origins][:, None, None])
    first = np.argmax(held, axis=2)
    return np.asarray(np.where(held.any(axis=2), first, 10_000), np.int64)
