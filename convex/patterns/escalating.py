"""Subjects that fire more and more often.

The larger of two one-sided p-values, so that neither bursts nor a few late episodes suffice: the
slope of the counts per three days, with a variance that allows for neighbouring counts being alike
(the larger of Newey and West's and that of a first-order autoregression, which also lowers the
degrees of freedom) and is never below that of Poisson counts; and Laplace's statistic divided by
the coefficient of variation of the intervals (Lewis and Robinson).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from convex.patterns.episodes import GAP
from convex.patterns.model import DAY, Instants
from convex.patterns.statistics import normal_tail, ratio_interval

LEAST_RATIO = 1.3
BIN = 3 * DAY


@dataclass(frozen=True, slots=True)
class Growth:
    """The two tests, and how much more there was in the second half of the time."""

    p_value: float
    p_slope: float
    p_laplace: float
    slope_a_week: float
    first_half: int
    second_half: int
    ratio: float
    low: float
    high: float


def measure_growth(starts: Instants, ends: Instants, since: int, end: int) -> Growth:
    """Episodes of one subject in (since, end]; at least two, oldest first.

    The ratio is of rates per time in which a new episode could have begun: not while one lasted.
    """
    slope, p_slope = _slope(starts, since, end)
    p_laplace = _lewis_robinson(starts, since, end)
    middle = since + (end - since) // 2
    second = int((starts > middle).sum())
    first = len(starts) - second
    # Counts that vary more than Poisson counts hold less: the interval is that of fewer episodes.
    counts = _counts(starts, since, end)
    excess = max(1.0, float(counts.var(ddof=1) / max(counts.mean(), 1e-9)))
    low, high = ratio_interval(second / excess, first / excess)
    free = _free(starts, ends, since, middle) / max(_free(starts, ends, middle, end), 1.0)
    ratio = (second / first if first else float(second)) * free
    return Growth(
        max(p_slope, p_laplace),
        p_slope,
        p_laplace,
        slope,
        first,
        second,
        ratio,
        low * free,
        high * free,
    )


def _free(starts: Instants, ends: Instants, since: int, until: int) -> float:
    """How much of the time no episode (and the half hour after it) covers."""
    reach = np.minimum(ends, starts + DAY) + GAP
    busy = np.clip(reach, since, until) - np.clip(starts, since, until)
    return max(float(until - since) - float(busy.sum()), float(until - since) / 10)


def _counts(starts: Instants, since: int, end: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    bins = max(int((end - since) // BIN), 4)
    edges = end - np.arange(bins, -1, -1, dtype=np.int64) * BIN
    return np.histogram(starts, edges)[0].astype(np.float64)


def _slope(starts: Instants, since: int, end: int) -> tuple[float, float]:
    counts = _counts(starts, since, end)
    size = len(counts)
    x = np.arange(size) - (size - 1) / 2
    sxx = float((x * x).sum())
    slope = float((x * counts).sum() / sxx)
    residuals = counts - counts.mean() - slope * x
    scores = x * residuals
    variance = float((scores * scores).sum())
    lags = max(1, int(4 * (size / 100) ** (2 / 9)))
    for lag in range(1, lags + 1):
        weight = 1 - lag / (lags + 1)
        variance += 2 * weight * float((scores[lag:] * scores[:-lag]).sum())
    # Residuals of a fitted line look less alike than the errors are (Kendall's correction).
    squares = float((residuals * residuals).sum())
    alike = float((residuals[1:] * residuals[:-1]).sum()) / max(squares, 1e-12)
    alike = min(max(alike + (1 + 4 * alike) / size, 0.0), 0.9)
    fewer = (1 - alike) / (1 + alike)
    variance = max(
        variance * size / (size - 2) / sxx**2,
        squares / (size - 2) / sxx / fewer,
        float(counts.mean()) / sxx,
    )
    t = slope / math.sqrt(variance) if variance > 0 else 0.0
    freedom = max(size * fewer - 2, 3.0)
    return slope * 7 / 3, max(float(stdtr(freedom, -t)), 1e-300)


def _lewis_robinson(starts: Instants, since: int, end: int) -> float:
    size, length = len(starts), float(end - since)
    laplace = (float((starts - since).mean()) / length - 0.5) * math.sqrt(12 * size)
    intervals = np.diff(np.concatenate([[since], starts])).astype(np.float64)
    spread = float(intervals.std(ddof=1) / intervals.mean()) if size > 1 else 1.0
    return normal_tail(laplace / max(spread, 1.0))
