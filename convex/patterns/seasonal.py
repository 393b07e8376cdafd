"""Times of the day, the week and the month at which a subject fires more than chance explains.

Two kinds of tests on the wall clock, joined by a Cauchy combination. Rayleigh's, made robust: the
unit vectors of the episodes' phases are summed up per day (or week), and the days' sums, not the
episodes, are what chance would scatter, so a burst counts once; the same again with stretches of
days, so that what only drifts slowly against the clock does not count as tied to it. And a scan:
in how many of the weeks is the same hour hit, against a binomial law, over all hours of two grids
half an hour apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convex.patterns.episodes import Episodes
from convex.patterns.model import DAY, HOUR, MINUTE, WEEK, Floats, Instants
from convex.patterns.needs import (
    SEASONAL_DAYS,
    SEASONAL_EPISODES,
    SEASONAL_MONTHS,
    SEASONAL_WEEKS,
)
from convex.patterns.statistics import binomial_tail, cauchy_combination
from convex.patterns.wall_clock import day_of, month_of, week_of

_MONDAY = 4 * DAY  # 1970-01-05
_STRETCHES, _LONGEST = 12, 7
_DAY_HARMONICS, _WEEK_HARMONICS = (1, 2, 3, 4), (1, 2, 3)
TESTS = (
    *(f"rayleigh_day_{m}" for m in _DAY_HARMONICS),
    *(f"rayleigh_week_{m}" for m in _WEEK_HARMONICS),
    "scan_day",
    "scan_week",
    "scan_month",
)


@dataclass(frozen=True, slots=True)
class SeasonalTests:
    """p-values by test (rows as TESTS) and subject, NaN where not tested, and all joined."""

    by_test: Floats
    p_values: Floats


@dataclass(frozen=True, slots=True)
class Season:
    """When in the day, and on which days: minutes of the day, weekdays (0 is Monday), dates.

    `dates` are days of the month, -1 its last; they replace weekdays. An end of 1440 is midnight;
    an end before the start lies on the next day. `typical` is the minute around which it gathers.
    """

    start: int
    minutes: int
    days: tuple[int, ...]
    dates: tuple[int, ...] = ()
    typical: int = 0

    @property
    def end(self) -> int:
        """Minute of the day at which it ends, 1440 for midnight."""
        return (self.start + self.minutes - 1) % 1440 + 1

    @property
    def whole_day(self) -> bool:
        """Whether only the days matter."""
        return self.minutes == 1440

    def holds(self, local: Instants) -> NDArray[np.bool_]:
        """Which instants lie in it. What crosses midnight belongs to the day it began on."""
        begun = local - self.start * MINUTE
        inside = begun % DAY < self.minutes * MINUTE
        if self.dates:
            _, of_month, to_end = month_of(begun)
            on = np.isin(of_month, self.dates) | ((to_end == 0) & (-1 in self.dates))
        else:
            on = np.isin((day_of(begun) + 3) % 7, self.days)
        held: NDArray[np.bool_] = inside & on
        return held

    def cycle_of(self, local: Instants) -> NDArray[np.int64]:
        """The number of the cycle (month, week, or day when it is for every day)."""
        begun = local - self.start * MINUTE
        if self.dates:
            return month_of(begun)[0]
        return day_of(begun) if len(self.days) == 7 else week_of(begun)


def test_seasons(episodes: Episodes, local: Instants, since: Instants, end: int) -> SeasonalTests:
    """Every subject at once. `local` are the episodes' starts, `since` and `end` local as well."""
    subjects = len(since)
    result = np.full((len(TESTS), subjects), np.nan)
    counts = episodes.counts
    enough = (counts >= SEASONAL_EPISODES) & (end - since >= SEASONAL_DAYS * DAY)
    weekly = enough & (end - since >= SEASONAL_WEEKS * WEEK)
    monthly = enough & (end - since >= SEASONAL_MONTHS * 30 * DAY)
    subject = episodes.subject
    days = np.maximum((end - since) / DAY, 1.0)
    for row, harmonic in enumerate(_DAY_HARMONICS):
        tested = _rayleigh(subject, local // DAY, local % DAY / DAY, harmonic, days)
        result[row] = np.where(enough, tested, np.nan)
    for row, harmonic in enumerate(_WEEK_HARMONICS, len(_DAY_HARMONICS)):
        phase = (local - _MONDAY) % WEEK / WEEK
        tested = _rayleigh(subject, week_of(local), phase, harmonic, days / 7)
        result[row] = np.where(weekly, tested, np.nan)
    for row, length, bins, long_enough in ((-3, 1, 24, enough), (-2, 7, 168, weekly)):
        cycles = np.ceil(days / length)
        smallest = np.ones(subjects)
        for shift in (0, HOUR // 2):
            moved = local - _MONDAY - shift
            hits, excess = _most_hit(
                subject, moved // (length * DAY), moved // HOUR % bins, bins, cycles
            )
            tail = binomial_tail(hits / excess, cycles / excess, counts / (bins * cycles))
            smallest = np.minimum(smallest, tail)
        result[row] = np.where(long_enough, np.minimum(1.0, smallest * 2 * bins), np.nan)
    months = np.ceil(days / 30.44)
    month, of_month, to_end = month_of(local)
    smallest = np.ones(subjects)
    for position in (of_month - 1, to_end):
        hits, _ = _most_hit(subject, month, position, 31, months)
        tail = binomial_tail(hits, months, counts / (30.44 * months))
        smallest = np.minimum(smallest, tail)
    result[-1] = np.where(monthly, np.minimum(1.0, smallest * 62), np.nan)
    return SeasonalTests(result, cauchy_combination(result))


def _rayleigh(
    subject: NDArray[np.int64],
    cycle: NDArray[np.int64],
    phase: Floats,
    harmonic: int,
    cycles: Floats,
) -> Floats:
    """exp(-|ΣV|² / Σ|V|²) by subject, V being the sum of a cluster's unit vectors.

    The larger p of clusters of one cycle and of several (a twelfth of all, seven at most).
    """
    subjects = len(cycles)
    if not len(subject):
        return np.ones(subjects)
    angle = 2 * np.pi * harmonic * phase
    cosine, sine = np.cos(angle), np.sin(angle)
    stretch = np.clip(cycles // _STRETCHES, 1, _LONGEST).astype(np.int64)[subject]
    smallest = np.full(subjects, np.inf)
    for cluster in (cycle, cycle // stretch):
        fresh = np.ones(len(subject), np.bool_)
        fresh[1:] = (subject[1:] != subject[:-1]) | (cluster[1:] != cluster[:-1])
        at = np.flatnonzero(fresh)
        x, y = np.add.reduceat(cosine, at), np.add.reduceat(sine, at)
        sums = [np.bincount(subject[at], part, subjects) for part in (x, y, x * x + y * y)]
        safe = np.maximum(sums[2], 1e-12)
        smallest = np.minimum(smallest, (sums[0] ** 2 + sums[1] ** 2) / safe)
    p_values: Floats = np.exp(-smallest)
    return p_values


def _most_hit(
    subject: NDArray[np.int64],
    cycle: NDArray[np.int64],
    position: NDArray[np.int64],
    bins: int,
    cycles: Floats,
) -> tuple[Floats, Floats]:
    """In how many distinct cycles the most hit bin of each subject is hit; and how much more these
    hits vary, from stretch to stretch of cycles, than independent ones would (at least 1).
    """
    subjects = len(cycles)
    if not len(subject):
        return np.zeros(subjects), np.ones(subjects)
    cycle = cycle - cycle.min()
    span = int(cycle.max()) + 1
    keys = np.sort((subject * bins + position) * span + cycle)
    keys = keys[np.flatnonzero(np.diff(keys, prepend=-1))]
    places = keys // span
    at = np.flatnonzero(np.diff(places, prepend=-1))
    hits = np.diff(at, append=len(places))
    # The fullest bin of each subject, the earliest of equals: the last one in this order.
    order = np.lexsort((-places[at], hits, places[at] // bins))
    of = places[at][order] // bins
    last = order[np.flatnonzero(np.diff(of, append=-1))]
    most = np.zeros(subjects)
    most[places[at][last] // bins] = hits[last]
    chosen = np.repeat(np.isin(np.arange(len(at)), last), hits)
    whose = places[chosen] // bins
    size = np.clip(cycles // _STRETCHES, 1, _LONGEST)
    stretches = np.maximum(cycles / size, 2.0)
    stretch = (keys[chosen] % span) // size[whose].astype(np.int64)
    runs = np.flatnonzero(np.diff(whose * (span + 1) + stretch, prepend=-1))
    squares = np.bincount(whose[runs], np.diff(runs, append=len(whose)) ** 2.0, subjects)
    share = most / cycles
    varied = (squares - most**2 / stretches) / (stretches - 1)
    usual = size * share * (1 - share)
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.where(usual > 0, varied / usual, 1.0)
    return most, np.maximum(excess, 1.0)


def describe_season(local: Instants, by_test: Floats) -> Season:
    """The season that explains the episodes best, with its typical minute, to a quarter hour."""
    season = _explain(local, by_test)
    held = local[season.holds(local)] - season.start * MINUTE
    middle = float(np.median(held % DAY)) / MINUTE if len(held) else 0.0
    return replace(season, typical=int(season.start + round(middle / 15) * 15) % 1440)


def _explain(local: Instants, by_test: Floats) -> Season:
    """The hours and days that explain the episodes best, by the tests that spoke.

    Hours: the window, of any start and of 1 to 12 hours, with the greatest likelihood ratio against
    an even day. Days: the most hit weekdays, as many as make the ratio greatest, if it is large.
    """
    smallest = dict(zip(TESTS, np.where(np.isnan(by_test), 1.0, by_test), strict=True))
    by_day = min(v for k, v in smallest.items() if k.endswith("_day") or "_day_" in k)
    by_week = min(v for k, v in smallest.items() if k.endswith("_week") or "_week_" in k)
    if smallest["scan_month"] < min(by_day, by_week):
        return _of_month(local)
    start, minutes = _hours(local)
    if min(by_day, smallest["scan_week"]) > 0.01:
        start, minutes = 0, 1440
    whole_days = Season(start, minutes, tuple(range(7)))
    held = local[whole_days.holds(local)]
    days = _weekdays(held - start * MINUTE)
    if minutes == 1440 and len(days) == 7:
        start, minutes = _hours(local)
    return Season(start, minutes, days)


def _hours(local: Instants) -> tuple[int, int]:
    """Start and length in minutes of the window that the episodes gather in, to half an hour."""
    half_hours = np.bincount(local % DAY // (HOUR // 2), minlength=48).astype(np.float64)
    total = half_hours.sum()
    circle = np.concatenate([[0.0], np.cumsum(np.tile(half_hours, 2))])
    best, found = -np.inf, (0, 1440)
    for width in (2, 3, 4, 6, 8, 10, 12, 16, 20, 24):
        inside = circle[width : width + 48] - circle[:48]
        ratio = _likelihood_ratio(inside, total, width / 48)
        ratio[::2] += 1e-6  # of equals, the one on the whole hour
        at = int(np.argmax(ratio))
        if ratio[at] > best + 1e-5:
            best, found = float(ratio[at]), (at * 30, width * 30)
    return found


def _weekdays(local: Instants) -> tuple[int, ...]:
    """The weekdays that stand out, in order; all seven when none do."""
    dates = np.unique(day_of(local))
    hits = np.bincount((dates + 3) % 7, minlength=7).astype(np.float64)
    order = np.argsort(-hits, kind="stable")
    inside = np.cumsum(hits[order])[:6]
    ratio = _likelihood_ratio(inside, hits.sum(), np.arange(1, 7) / 7)
    best = int(np.argmax(ratio))
    if ratio[best] < 7.0:
        return tuple(range(7))
    return tuple(sorted(int(day) for day in order[: best + 1]))


def _of_month(local: Instants) -> Season:
    month, of_month, to_end = month_of(local)
    best, date = -1, 1
    for candidate, on in [
        *((d, of_month == d) for d in range(1, 32)),
        (-1, to_end == 0),
    ]:
        hits = len(np.unique(month[on]))
        if hits > best:
            best, date = hits, candidate
    on = to_end == 0 if date == -1 else of_month == date
    start, minutes = _hours(local[on])
    if np.mean((local[on] - start * MINUTE) % DAY < minutes * MINUTE) < 0.8:
        start, minutes = 0, 1440
    return Season(start, minutes, tuple(range(7)), (date,))


def _likelihood_ratio(inside: Floats, total: float, share: Floats | float) -> Floats:
    """Log likelihood of a share of its own for the window against an even spread; 0 if sparser."""
    share = np.asarray(share, np.float64)
    rest = total - inside
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(inside > 0, inside * np.log(inside / (total * share)), 0.0)
        gain += np.where(rest > 0, rest * np.log(rest / (total * (1 - share))), 0.0)
    return np.where(inside > total * share, gain, 0.0)
