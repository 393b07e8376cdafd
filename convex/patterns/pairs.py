"""Pairs of subjects: which are worth testing, and how surprising it is that they meet.

Two tests, of which the larger p-value counts. *Jitter*: each episode of one subject is thought to
lie anywhere in its own stretch of time (an hour for windows of five minutes); how many would then
meet the other is a sum of independent trials, whose tail is computed exactly. It allows for rates
that both share, as long as they change more slowly than that. *Shift*: one subject is moved by
whole days, around the end of the time; that keeps its hours of the day, its bursts and its slow
changes, and undoes only that the two belong to the same day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convex.patterns.episodes import Episodes
from convex.patterns.model import DAY, HOUR, MINUTE, SECOND, Floats, Instants
from convex.patterns.needs import PAIR_DAYS, PAIR_EPISODES
from convex.patterns.statistics import QUALITY, poisson_tail

LEAST_MEETINGS = PAIR_EPISODES
NEAR = 5 * MINUTE
LAGS = (5 * MINUTE, 15 * MINUTE, 60 * MINUTE)
JITTER = 12  # a stretch holds so many windows
MOST_SHIFTS = 120
FEW, MOST_CANDIDATES = 2_000, 20_000
MOST_NEIGHBOURS = 60_000_000
_STEPS = (HOUR, 30 * MINUTE, 15 * MINUTE, 10 * MINUTE)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Ordered pairs (`first` before `second`, or together) that met often enough to be tested.

    `wide` says whether lags beyond NEAR are to be tried: only within one framework. `cut` says what
    was left out.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    wide: NDArray[np.bool_]
    cut: str


@dataclass(frozen=True, slots=True)
class Sequence2:
    """The episodes of two subjects on the wall clock, from `start` on for whole `days`."""

    a: Instants
    b: Instants
    start: int
    days: int


def sampling_step(starts: Instants) -> int:
    """The grid that nearly all starts lie on (an hour at most); 1 when it is finer than 10 min.

    A rule on hourly points can only fire on the hour: "at the same time" means nothing finer there.
    """
    for step in _STEPS:
        off = (starts - starts[0] + step // 2) % step - step // 2
        if np.mean(np.abs(off) <= SECOND) >= 0.95:
            return step
    return 1


def find_candidates(
    episodes: Episodes, frameworks: NDArray[np.int64], length: int, family: int
) -> Candidates:
    """Pairs that met at least LEAST_MEETINGS times, the most surprising first.

    `frameworks` holds a number by subject, `family` is the number of all pairs. Surprise is that of
    even rates over `length`, which is only good for an order.
    """
    order = np.argsort(episodes.start, kind="stable")
    start, subject = episodes.start[order], episodes.subject[order]
    subjects = len(frameworks)
    near, cut = _meetings(start, subject, subjects, NEAR)
    pairs = {"near": _often(near, LEAST_MEETINGS)}
    framework = frameworks[subject]
    within = np.lexsort((start, framework))
    spread = start[within] - start.min() if len(start) else start
    step = (int(spread.max()) if len(spread) else 0) + LAGS[-1] + 1
    wide, cut_wide = _meetings(
        spread + framework[within] * step, subject[within], subjects, LAGS[-1]
    )
    pairs["wide"] = _often(wide, LEAST_MEETINGS)
    keys = np.concatenate([pairs["near"][0], pairs["wide"][0]])
    met = np.concatenate([pairs["near"][1], pairs["wide"][1]]).astype(np.float64)
    window = np.repeat([2 * NEAR, LAGS[-1]], [len(pairs["near"][0]), len(pairs["wide"][0])])
    first, second = keys // subjects, keys % subjects
    counts = episodes.counts.astype(np.float64)
    p = poisson_tail(met, counts[first] * counts[second] * window / length)
    best = np.lexsort((keys, p))
    if len(best) > FEW:
        # A pair has to be far more surprising than this to pass among so many.
        best = best[: max(FEW, int((p <= QUALITY * len(best) / family).sum()))]
    _, at = np.unique(keys[best], return_index=True)
    chosen = keys[best][np.sort(at)]
    if len(chosen) > MOST_CANDIDATES:
        chosen = chosen[:MOST_CANDIDATES]
        cut = cut or f"only the {MOST_CANDIDATES:,} most surprising pairs were tested"
    first, second = chosen // subjects, chosen % subjects
    return Candidates(first, second, frameworks[first] == frameworks[second], cut or cut_wide)


def _meetings(
    start: Instants, subject: NDArray[np.int64], subjects: int, window: int
) -> tuple[NDArray[np.int64], str]:
    """`lower · subjects + higher` for every two episodes within `window`; starts are sorted."""
    kind = np.int32 if subjects**2 < 2**31 else np.int64
    parts: list[NDArray[np.int64]] = []
    total, ahead = 0, 0
    small = subject.astype(kind)
    while ahead < len(start) - 1:
        ahead += 1
        close = np.flatnonzero(start[ahead:] - start[:-ahead] <= window)
        if not len(close):
            break
        if total + len(close) > MOST_NEIGHBOURS:
            return np.concatenate(parts), (
                f"when more than {ahead} fire within {window // MINUTE} minutes, only neighbours"
                " were looked at"
            )
        a, b = small[close], small[close + ahead]
        key = np.minimum(a, b) * kind(subjects) + np.maximum(a, b)
        parts.append(key[a != b])
        total += len(close)
    return np.concatenate(parts) if parts else np.zeros(0, np.int64), ""


def _often(keys: NDArray[np.int64], least: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The keys that come at least `least` times, and how often."""
    keys.sort()
    if len(keys) < least:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    often = keys[: len(keys) - least + 1]
    often = often[often == keys[least - 1 :]]
    often = often[np.flatnonzero(np.diff(often, prepend=-1))]
    count = np.searchsorted(keys, often, "right") - np.searchsorted(keys, often, "left")
    return often.astype(np.int64), count.astype(np.int64)


class Region:
    """The union of [a + low, a + high] over sorted starts `a`."""

    def __init__(self, starts: Instants, low: int, high: int) -> None:
        self._low = starts + low
        high_ends = starts + high
        if len(starts) > 1:
            high_ends[:-1] = np.minimum(high_ends[:-1], self._low[1:])
        self._high = high_ends
        self._before = np.concatenate([[0], np.cumsum(self._high - self._low)])

    def holds(self, instants: Instants) -> NDArray[np.bool_]:
        """Which instants lie in it."""
        at = np.searchsorted(self._low, instants, "right") - 1
        held: NDArray[np.bool_] = (at >= 0) & (instants <= self._high[np.maximum(at, 0)])
        return held

    def length_until(self, instants: Instants) -> Instants:
        """How much of it lies before each instant."""
        at = np.searchsorted(self._low, instants, "right") - 1
        safe = np.maximum(at, 0)
        part = np.minimum(instants, self._high[safe]) - self._low[safe]
        length: Instants = np.where(at >= 0, self._before[safe] + part, 0)
        return length


def jitter_chances(
    a: Instants, b: Instants, low: int, high: int, stretch: int, origin: int = 0
) -> tuple[int, Floats]:
    """How many of `b` lie in [a + low, a + high], and each one's chance to if it were jittered.

    Each stays within its stretch; stretches are counted from `origin`.
    """
    region = Region(a, low, high)
    met = int(region.holds(b).sum())
    floor = b - (b - origin) % stretch
    chances = (region.length_until(floor + stretch) - region.length_until(floor)) / stretch
    return met, np.minimum(chances, 1.0)


def shift_surrogates(both: Sequence2, low: int, high: int) -> Floats:
    """How many of `b` would meet `a` after each shift by whole days."""
    region = Region(both.a, low, high)
    shifts = _shifts(both.days)
    length = both.days * DAY
    moved = both.start + (both.b - both.start + shifts[:, None] * DAY) % length
    counts: Floats = region.holds(moved.ravel()).reshape(moved.shape).sum(axis=1).astype(np.float64)
    return counts


def _shifts(days: int) -> NDArray[np.int64]:
    """Whole days other than none, spread evenly where there are too many."""
    every = np.arange(1, max(days, 2), dtype=np.int64)
    if len(every) <= MOST_SHIFTS:
        return every
    return every[np.linspace(0, len(every) - 1, MOST_SHIFTS).astype(np.int64)]


def common_time(a: Instants, b: Instants, since_a: int, since_b: int, end: int) -> Sequence2 | None:
    """Both from when both are known, in whole days up to the end; None for under two weeks."""
    start = max(since_a, since_b)
    days = int((end - start) // DAY)
    if days < PAIR_DAYS:
        return None
    start = end - days * DAY
    return Sequence2(a[a >= start], b[b >= start], start, days)


def near(a: Instants, b: Instants, low: int, high: int) -> NDArray[np.bool_]:
    """Which of `a` have one of `b` in [a + low, a + high]."""
    at = np.searchsorted(b, a + low, "left")
    there = at < len(b)
    near: NDArray[np.bool_] = there & (b[np.minimum(at, len(b) - 1)] <= a + high)
    return near
