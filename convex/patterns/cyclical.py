"""Subjects that fire again after about the same time.

Moran's statistic on the times from a resolution to the next opening: Bartlett's test of an
exponential law, whose lower tail says that they are more alike than chance would have them. The
half hour within which triggers are merged is taken off first, or busy subjects would look regular.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammainc

from convex.patterns.episodes import GAP, Episodes
from convex.patterns.model import NEVER, SECOND, Floats
from convex.patterns.needs import CYCLICAL_INTERVALS
from convex.patterns.statistics import interquartile

MOST_SPREAD = 0.5


@dataclass(frozen=True, slots=True)
class Cycle:
    """Seconds: the median time from one opening to the next, its quartiles, and the quiet part."""

    intervals: int
    period: float
    low: float
    high: float
    quiet: float
    spread: float


def test_cycles(episodes: Episodes) -> Floats:
    """p-values by subject; NaN below CYCLICAL_INTERVALS."""
    subjects = len(episodes.counts)
    if not len(episodes.subject):
        return np.full(subjects, np.nan)
    same = episodes.subject[1:] == episodes.subject[:-1]
    of = episodes.subject[1:][same]
    gaps = (episodes.start[1:] - np.minimum(episodes.end[:-1], episodes.start[1:]))[same]
    rest = np.maximum(gaps - GAP, SECOND).astype(np.float64)
    n = np.bincount(of, minlength=subjects).astype(np.float64)
    total = np.bincount(of, rest, subjects)
    logs = np.bincount(of, np.log(rest), subjects)
    enough = n >= CYCLICAL_INTERVALS
    safe = np.where(enough, n, 2.0)
    mean = np.where(enough, total / safe, 1.0)
    statistic = 2 * (safe * np.log(mean) - logs) / (1 + (safe + 1) / (6 * safe))
    tail = gammainc((safe - 1) / 2, np.maximum(statistic, 0.0) / 2)
    return np.where(enough, np.maximum(tail, 1e-300), np.nan)


def measure_cycle(episodes: Episodes, subject: int) -> Cycle:
    """The period of one subject with at least one interval."""
    starts, ends = episodes.starts_of(subject), episodes.ends_of(subject)
    intervals = np.diff(starts) / SECOND
    quiet = (starts[1:] - np.minimum(ends[:-1], starts[1:])) / SECOND
    low, middle, high = interquartile(intervals)
    return Cycle(len(intervals), middle, low, high, float(np.median(quiet)), robust_spread(quiet))


def robust_spread(values: Floats) -> float:
    """A coefficient of variation from the median and the median absolute deviation."""
    middle = float(np.median(values))
    deviation = float(np.median(np.abs(values - middle)))
    return 1.4826 * deviation / middle if middle > 0 else float("inf")


def is_open(episodes: Episodes, subject: int) -> bool:
    """Whether the newest episode still lasts."""
    return bool(episodes.ends_of(subject)[-1] == NEVER)
