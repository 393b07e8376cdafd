"""The next hours of one series, with bands. Pure.

The same paths as metric-crossing draws: the usual value of the hour of the week, and what the
residuals did on earlier days from the same hour, set on where the residual stands now. The value is
the usual one plus the present residual, decaying by half in 10 hours; the bands are quantiles of
the paths, so they are as wide as the past was, and as skewed. In the measured units: no
compression here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convex.metrics.model import FloatArray, IntArray
from convex.predictions.crossing import (
    HALF_LIFE,
    LEAST_PATHS,
    Float32,
    draw_paths,
    standing_at,
    weekly_medians,
)
from convex.predictions.panel import LONGEST, WEEK_HOURS

BANDS = (0.5, 0.8, 0.95)
LEAST_HOURS = 28 * 24


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
    medians = weekly_medians(values, week)
    starts = np.arange(hours % 24, hours + 1, 24)
    reach = starts[:, None] + np.arange(LONGEST)
    level = medians[starts // WEEK_HOURS][np.arange(len(starts))[:, None], week[reach]]
    padded = np.concatenate([values, np.full(LONGEST, np.nan, np.float32)])
    at = standing_at(values, medians, week)[starts]
    path, weight, enough = draw_paths(level, padded[reach] - level, at, np.array([len(starts) - 1]))
    if not enough[0]:
        return None
    decay = np.exp2(-(np.arange(LONGEST) + 1) / HALF_LIFE)
    point = level[-1] + at[-1] * decay
    shares = [0.5 - band / 2 for band in BANDS] + [0.5 + band / 2 for band in BANDS]
    bounds = _quantiles(path[0].astype(np.float64), weight[0].astype(np.float64), shares)
    lower, upper = bounds[: len(BANDS)], bounds[len(BANDS) :]
    return SeriesForecast(
        point[:horizon].astype(np.float64),
        np.minimum(lower, point)[:, :horizon],
        np.maximum(upper, point)[:, :horizon],
    )


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
