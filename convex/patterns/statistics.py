"""Tests, intervals and false-discovery control that all types share.

Tails keep their relative precision: a p-value of 1e-12 is one, not a rounding error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, gammainc

Floats = NDArray[np.float64]
QUALITY = 0.05  # the share of false discoveries that is accepted
_SMALLEST = 1e-300


def benjamini_hochberg(p_values: Floats, family: int | None = None) -> Floats:
    """q-values (Benjamini and Hochberg, 1995).

    `family` is the number of tests when only the ones with small p-values are given; the rest
    count as p = 1.
    """
    size = len(p_values)
    if not size:
        return p_values.astype(np.float64)
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * max(family or size, size) / np.arange(1, size + 1)
    monotone = np.minimum.accumulate(scaled[::-1])[::-1]
    result = np.empty(size)
    result[order] = np.minimum(monotone, 1.0)
    return result


def cauchy_combination(p_values: Floats) -> Floats:
    """One p-value from those of each column, whatever their dependence (Liu and Xie, 2020).

    Shape (tests, cases); NaN was not tested.
    """
    tested = ~np.isnan(p_values)
    clipped = np.clip(np.where(tested, p_values, 0.5), _SMALLEST, 1 - 1e-9)
    with np.errstate(over="ignore"):
        exact = np.tan((0.5 - clipped) * np.pi)
        terms = np.where(clipped < 1e-12, 1 / (clipped * np.pi), exact)
    count = np.maximum(tested.sum(axis=0), 1)
    statistic = np.where(tested, terms, 0.0).sum(axis=0) / count
    tail = np.where(
        statistic > 1e12,
        1 / (np.maximum(statistic, 1) * np.pi),
        0.5 - np.arctan(np.minimum(statistic, 1e13)) / np.pi,
    )
    return np.where(tested.any(axis=0), np.clip(tail, _SMALLEST, 1.0), np.nan)


def binomial_tail(hits: Floats, trials: Floats, chance: Floats) -> Floats:
    """P(X ≥ hits) of Binomial(trials, chance), elementwise; counts need not be whole."""
    least, more = np.maximum(hits, 1e-9), np.maximum(trials - hits, 0.0) + 1
    tail: Floats = np.where(hits <= 0, 1.0, betainc(least, more, np.clip(chance, 0.0, 1.0)))
    return tail


def poisson_tail(hits: Floats, mean: Floats) -> Floats:
    """P(X ≥ hits) of Poisson(mean), elementwise."""
    return np.where(hits <= 0, 1.0, gammainc(np.maximum(hits, 1), mean))


def counted_tail(hits: int, counts: Floats) -> float:
    """P(X ≥ hits) by a law fitted to surrogate counts.

    Negative binomial where they vary more than Poisson counts would, Poisson otherwise; and never
    below the share of surrogates that reach `hits`.
    """
    if hits <= 0 or not len(counts):
        return 1.0
    mean = (float(counts.sum()) + 0.5) / len(counts)
    spread = float(counts.var(ddof=1)) if len(counts) > 1 else mean
    reached = float((counts >= hits).sum()) / len(counts)
    if spread > mean * 1.0001:
        size = mean * mean / (spread - mean)
        fitted = float(betainc(hits, size, mean / (size + mean)))
    else:
        fitted = float(gammainc(hits, mean))
    return min(1.0, max(fitted, reached, _SMALLEST))


def poisson_binomial_tail(chances: Floats, hits: int) -> float:
    """P(X ≥ hits) for a sum of independent trials with these chances, exactly."""
    return float(poisson_binomial_tails([chances], [hits])[0])


def poisson_binomial_tails(chances: Sequence[Floats], hits: Sequence[int]) -> Floats:
    """The same for many sums at once, each with its own trials."""
    result = np.ones(len(hits))
    possible = [each[each > 0] for each in chances]
    sizes = np.array([len(each) for each in possible])
    wanted = np.array(hits)
    result[sizes < wanted] = 0.0
    open_cases = np.flatnonzero((wanted > 0) & (sizes >= wanted))
    for block in np.array_split(
        open_cases[np.lexsort((wanted[open_cases], sizes[open_cases]))],
        max(1, len(open_cases) // 256),
    ):
        if not len(block):
            continue
        trials = np.zeros((int(sizes[block].max()), len(block)))
        for column, case in enumerate(block.tolist()):
            trials[: sizes[case], column] = possible[case]
        # law[k] is the chance of k hits so far; it is read off where each case needs it
        top = int(wanted[block].max())
        law = np.zeros((top + 1, len(block)))
        law[0] = 1.0
        reached = np.zeros(len(block))
        columns, last = np.arange(len(block)), wanted[block] - 1
        for chance in trials:
            reached += law[last, columns] * chance
            law[last, columns] *= 1 - chance
            moved = chance * law
            moved[last, columns] = 0.0
            law -= moved
            law[1:] += moved[:-1]
        result[block] = np.clip(reached, _SMALLEST, 1.0)
    return result


def normal_tail(z: float) -> float:
    """P(Z ≥ z) of a standard normal."""
    return max(0.5 * math.erfc(z / math.sqrt(2)), _SMALLEST)


def wilson(hits: int, trials: int, z: float = 1.6449) -> tuple[float, float]:
    """A 90 % interval for a proportion."""
    if trials == 0:
        return 0.0, 1.0
    share = hits / trials
    centre = share + z * z / (2 * trials)
    reach = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def ratio_interval(second: float, first: float, level: float = 0.9) -> tuple[float, float]:
    """An interval for the ratio of two Poisson rates over equal times (Clopper-Pearson)."""
    tail = (1 - level) / 2
    low = float(betaincinv(second, first + 1, tail)) if second else 0.0
    high = float(betaincinv(second + 1, first, 1 - tail)) if first else 1.0
    return low / (1 - low) if low < 1 else math.inf, high / (1 - high) if high < 1 else math.inf


def share_real(p_values: Floats, family: int | None = None, *, most: float = 0.5) -> float:
    """The share of tests with something behind them (Storey's π₁ at λ = .5), in [.01, `most`]."""
    size = max(family or len(p_values), len(p_values), 1)
    above = size - int((p_values <= 0.5).sum())
    return float(np.clip(1 - above / (0.5 * size), 0.01, most))


def confidence(p_value: float, real: float) -> int:
    """0 to 99: how probable the pattern is at best, by the bound of Sellke, Bayarri and Berger.

    −e·p·ln p is the least Bayes factor in favour of chance that a p-value below 1/e allows.
    """
    p_value = min(max(p_value, _SMALLEST), 1 / math.e)
    factor = -math.e * p_value * math.log(p_value)
    return min(99, int(100 / (1 + (1 - real) / real * factor)))


def interquartile(values: Sequence[float] | Floats) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    low, middle, high = np.quantile(np.asarray(values, np.float64), (0.25, 0.5, 0.75))
    return float(low), float(middle), float(high)
