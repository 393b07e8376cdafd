"""The trend of daily scores: a median slope, which one bad day cannot turn. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import erf, sqrt

import numpy as np

from convex.scoring.model import Trend

_FEWEST = 4  # below that the interval says nothing
_Z90 = 1.6448536269514722


def theil_sen(days: Sequence[float], scores: Sequence[float]) -> Trend | None:
    """Slope of `scores` over `days` (day numbers, distinct), with its 90 % interval.

    The interval follows Sen (1968): ranks of the pairwise slopes around the middle, by the normal
    approximation of Kendall's statistic, corrected for ties. None below four values. Computed here
    in a few lines since scipy's version would cost its import on every read.
    """
    n = len(days)
    if n < _FEWEST:
        return None
    x, y = np.asarray(days, float), np.asarray(scores, float)
    first, second = np.triu_indices(n, k=1)
    slopes = np.sort((y[second] - y[first]) / (x[second] - x[first]))
    ties = np.unique(y, return_counts=True)[1]
    variance = (n * (n - 1) * (2 * n + 5) - float(np.sum(ties * (ties - 1) * (2 * ties + 5)))) / 18
    spread = _Z90 * sqrt(max(variance, 0.0))
    count = len(slopes)
    low = max(0, round((count - spread) / 2) - 1)
    high = min(count - 1, round((count + spread) / 2))
    return Trend(float(np.median(slopes)), float(slopes[low]), float(slopes[high]), n)


def probability_of_decline(trend: Trend) -> float:
    """How likely the true slope is negative: the interval read as that of a normal."""
    deviation = (trend.high - trend.low) / (2 * _Z90)
    if deviation <= 0:
        return float(trend.slope_per_day < 0)
    return 0.5 * (1 + erf(-trend.slope_per_day / deviation / sqrt(2)))
