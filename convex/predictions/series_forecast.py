"""The next hours of one series, with bands. Pure.

Twelve simple forecasts are made: one of three usual values of an hour (the median of the hour of
the week drawn to that of the hour of the day, the same without the drawing over four weeks, the
value a week before) plus the present residual, decaying with one of four half-lives. The mean of
the three that would have been best in the last six weeks is the value. The bands are quantiles of
what that mean was off by on earlier days from the same hour, those that stood like today weighing
more, as metric-crossing weighs its paths: so they are as wide as the past was, and as skewed. In
the measured units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convex.metrics.model import FloatArray, IntArray
from convex.predictions.crossing import (
    LEAST_PATHS,
    NEAREST,
    Float32,
    draw_paths,
    fill_forward,
    standing_at,
    weekly_medians,
)
from convex.predictions.panel import LONGEST, WEEK_HOURS

BANDS = (0.5, 0.8, 0.95)
LEAST_HOURS = 28 * 24
_HALF_LIVES = (4.0, 10.0, 24.0)
_JUDGED_DAYS, _BEST = 42, 3


@dataclass(frozen=True, slots=True)
class SeriesForecast:
    """Values by hour ahead; `lower` and `upper` have a row for each of `BANDS`.

    NaN where the series has never had a value in that hour of the week (nights without flights).
    """

    values: FloatArray
    lower: FloatArray
    upper: FloatArray


def forecast_series(values: Float32, week: IntArray, horizon: int) -> SeriesForecast | None:
    """From hourly values (NaN: nothing measured) and the hour of the week of N + 72 hours; None
    with too little history. `horizon` is at most 72 hours.
    """
    hours = len(values)
    if horizon > LONGEST:
        raise ValueError(f"at most {LONGEST} hours ahead")
    if hours < LEAST_HOURS or np.isfinite(values).sum() < LEAST_HOURS // 4:
        return None
    starts = np.arange(hours % 24, hours + 1, 24)
    reach = starts[:, None] + np.arange(LONGEST)
    padded = np.concatenate([values, np.full(LONGEST, np.nan, np.float32)])
    came = padded[reach]
    tried, standing = _candidates(values, week, starts, padded, reach)
    ended = np.arange(len(starts)) <= len(starts) - 1 - NEAREST
    judged = np.flatnonzero(ended)[-_JUDGED_DAYS:]
    off = _mean(np.abs(tried[:, judged, :horizon] - came[judged, :horizon]), axis=(1, 2))
    best = np.argsort(np.where(np.isfinite(off), off, np.inf), kind="stable")[:_BEST]
    combined = _mean(tried[best], axis=0)
    point = combined[-1].astype(np.float64)
    path, weight, enough = draw_paths(
        np.zeros_like(combined), came - combined, standing, np.array([len(starts) - 1]), decay=False
    )
    if not enough[0] or not np.isfinite(point).any():
        return None
    shares = [0.5 - band / 2 for band in BANDS] + [0.5 + band / 2 for band in BANDS]
    errors = _quantiles(path[0].astype(np.float64), weight[0].astype(np.float64), shares)
    lower, upper = errors[: len(BANDS)], errors[len(BANDS) :]
    return SeriesForecast(
        point[:horizon],
        (point + np.minimum(lower, 0.0))[:, :horizon],
        (point + np.maximum(upper, 0.0))[:, :horizon],
    )


def _candidates(
    values: Float32, week: IntArray, starts: IntArray, padded: Float32, reach: IntArray
) -> tuple[Float32, Float32]:
    """All twelve (candidates × starts × hours ahead), and the residual where each start stands."""
    drawn = weekly_medians(values, week)
    own = weekly_medians(values, week, weeks=4, prior=0.0)
    own = np.where(np.isfinite(own), own, drawn)
    rows = np.arange(len(starts))[:, None]
    usual = [table[starts // WEEK_HOURS][rows, week[reach]] for table in (drawn, own)]
    standing = [standing_at(values, table, week)[starts] for table in (drawn, own)]
    # a week before: known for every hour ahead, since nothing is asked further ahead than 72 hours
    earlier = np.where(reach >= WEEK_HOURS, padded[np.maximum(reach - WEEK_HOURS, 0)], np.nan)
    usual.append(np.where(np.isfinite(earlier), earlier, usual[0]))
    weekly = np.full(len(values), np.nan, np.float32)
    weekly[WEEK_HOURS:] = values[WEEK_HOURS:] - values[:-WEEK_HOURS]
    newest = np.concatenate([[np.nan], fill_forward(weekly)]).astype(np.float32)
    standing.append(newest[starts])
    hours = np.arange(LONGEST) + 1
    decays = [np.zeros(LONGEST), *(np.exp2(-hours / half_life) for half_life in _HALF_LIVES)]
    tried = [
        level + at[:, None] * decay
        for level, at in zip(usual, standing, strict=True)
        for decay in decays
    ]
    return np.stack(tried).astype(np.float32), standing[0]


def _mean(values: Float32, axis: int | tuple[int, ...]) -> Float32:
    """Of what is finite; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan), np.float32)


def _quantiles(paths: FloatArray, weight: FloatArray, shares: list[float]) -> FloatArray:
    """Weighted quantiles of the paths by hour; NaN where fewer than `LEAST_PATHS` have a value."""
    result = np.full((len(shares), paths.shape[1]), np.nan)
    for hour in range(paths.shape[1]):
        known = np.isfinite(paths[:, hour]) & (weight > 0)
        if known.sum() < LEAST_PATHS:
            continue
        order = np.argsort(paths[known, hour], kind="stable")
        ordered, share = paths[known, hour][order], np.cumsum(weight[known][order])
        middle = (share - weight[known][order] / 2) / share[-1]
        result[:, hour] = np.interp(shares, middle, ordered)
    return result
