"""Made-up histories of triggers: nothing in them (nulls), or one thing in each (planted).

Every generator takes a numpy generator and gives a `History` of one workspace in the zone below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from convex.patterns.model import DAY, HOUR, MINUTE, History, Subject

ZONE = "America/New_York"
START = int(datetime(2026, 1, 5, 5, tzinfo=UTC).timestamp()) * 1_000_000  # a Monday, 00:00 there
Rng = np.random.Generator
Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Made:
    """A history, and the patterns in it as (type, key, key of the other or None)."""

    history: History
    planted: frozenset[tuple[str, str, str | None]] = frozenset()


def assemble(
    starts: Sequence[Times],
    rng: Rng,
    days: int,
    frameworks: Sequence[str] | None = None,
    planted: frozenset[tuple[str, str, str | None]] = frozenset(),
    durations: Sequence[Times] | None = None,
) -> Made:
    """Triggers of rule 0, 1, … from days since the start, each open for some minutes."""
    length = days * DAY
    subject, opened, resolved = [], [], []
    for number, times in enumerate(starts):
        lasts = (
            rng.lognormal(np.log(6), 0.7, len(times)) * MINUTE
            if durations is None
            else durations[number] * DAY
        )
        kept = (times >= 0) & (times * DAY < length)
        at = (times[kept] * DAY).astype(np.int64)
        subject.append(np.full(len(at), number))
        opened.append(START + at)
        resolved.append(START + at + np.maximum(lasts[kept], MINUTE / 2).astype(np.int64))
    names = frameworks or ["f0"] * len(starts)
    subjects = [
        Subject(f"r{number}", f"rule {number}", names[number], since=START)
        for number in range(len(starts))
    ]
    history = History(
        subjects,
        np.concatenate(subject).astype(np.int64),
        np.concatenate(opened).astype(np.int64),
        np.concatenate(resolved).astype(np.int64),
        START + length,
        ZONE,
    )
    return Made(history, planted)


def _poisson(rng: Rng, rate: float, days: float) -> Times:
    return np.sort(rng.uniform(0, days, rng.poisson(rate * days)))


def _thinned(rng: Rng, most: float, days: int, share: Callable[[Times], Times]) -> Times:
    times = _poisson(rng, most, days)
    return times[rng.uniform(size=len(times)) < share(times)]


# -- nothing in them


def poisson(rng: Rng, rules: int, days: int) -> Made:
    """Even rates of .2 to 3 a day."""
    rates = rng.uniform(0.2, 3, rules)
    return assemble([_poisson(rng, rate, days) for rate in rates], rng, days)


def bursts(rng: Rng, rules: int, days: int) -> Made:
    """Bursts of about five triggers within two hours."""
    return _clustered(rng, rules, days, size=5, length=2 / 24)


def long_bursts(rng: Rng, rules: int, days: int) -> Made:
    """Bursts of about eight triggers over two days."""
    return _clustered(rng, rules, days, size=8, length=2.0)


def _clustered(rng: Rng, rules: int, days: int, size: int, length: float) -> Made:
    starts = []
    for _ in range(rules):
        begins = _poisson(rng, rng.uniform(0.1, 0.5), days)
        parts = [b + rng.uniform(0, length, 1 + rng.poisson(size - 1)) for b in begins]
        starts.append(np.sort(np.concatenate([np.zeros(0), *parts])))
    return assemble(starts, rng, days)


def slow_driver(rng: Rng, rules: int, days: int) -> Made:
    """Rates that rise and fall together over days: a random walk that is drawn back."""
    step = 1 / 8
    level, walk = 0.0, []
    for _ in range(int(days / step) + 1):
        level = level * np.exp(-step / 4) + rng.normal(0, np.sqrt(1 - np.exp(-2 * step / 4)))
        walk.append(level)
    share = np.exp(0.8 * np.array(walk))
    share /= share.max()
    starts = []
    for rate in rng.uniform(0.5, 3, rules):
        most = rate / share.mean()
        starts.append(
            _thinned(rng, most, days, lambda t: np.interp(t, np.arange(len(share)) * step, share))
        )
    return assemble(starts, rng, days)


def dead_time(rng: Rng, rules: int, days: int) -> Made:
    """A trigger keeps its rule busy for a while; the time until the next is exponential."""
    starts, durations = [], []
    for rate in rng.uniform(0.5, 4, rules):
        at, times, lasts = 0.0, [], []
        busy = rng.uniform(0.5, 6) / 24
        while at < days:
            at += rng.exponential(1 / rate)
            times.append(at)
            lasts.append(busy * rng.uniform(0.8, 1.2))
            at += lasts[-1]
        starts.append(np.array(times))
        durations.append(np.array(lasts))
    return assemble(starts, rng, days, durations=durations)


NULLS: dict[str, Callable[[Rng, int, int], Made]] = {
    "poisson": poisson,
    "bursts": bursts,
    "long bursts": long_bursts,
    "slow driver": slow_driver,
    "dead time": dead_time,
}


# -- one thing in each, among rules with nothing


def _quiet(rng: Rng, rules: int, days: int) -> list[Times]:
    return [_poisson(rng, rate, days) for rate in rng.uniform(0.2, 2, rules)]


def _local(days: Sequence[int], hour: int) -> Times:
    """Wall-clock hours of the zone as days since the start, through the changes of the clock."""
    place = ZoneInfo(ZONE)
    first = datetime.fromtimestamp(START / 1e6, place).date().toordinal()
    found = []
    for day in days:
        date = datetime.fromordinal(first + day).replace(hour=hour, tzinfo=place)
        found.append((date.timestamp() * 1e6 - START) / DAY)
    return np.array(found)


def monday_nine(rng: Rng, rules: int, days: int) -> Made:
    """Mondays at 09:00, a few minutes late, nine weeks in ten; and some triggers at any time."""
    mondays = _local(range(0, days, 7), 9)
    mondays = mondays[rng.uniform(size=len(mondays)) < 0.9]
    mondays = mondays + np.abs(rng.normal(0, 5, len(mondays))) * MINUTE / DAY
    starts = _quiet(rng, rules, days)
    starts[0] = np.sort(np.concatenate([mondays, _poisson(rng, 0.1, days)]))
    return assemble(starts, rng, days, planted=frozenset({("seasonal", "r0", None)}))


def drifting_cycle(rng: Rng, rules: int, days: int) -> Made:
    """Every six hours, each time off by up to a tenth, which adds up."""
    steps = rng.normal(6, 0.3, days * 5) / 24
    starts = _quiet(rng, rules, days)
    starts[0] = np.cumsum(steps)
    return assemble(starts, rng, days, planted=frozenset({("cyclical", "r0", None)}))


def follows(rng: Rng, rules: int, days: int) -> Made:
    """Rule 1 fires ten minutes after rule 0, two times in three, and by itself as well."""
    starts = _quiet(rng, rules, days)
    cause = _poisson(rng, 0.5, days)
    led = cause[rng.uniform(size=len(cause)) < 2 / 3]
    after = led + rng.normal(10, 1.5, len(led)) * MINUTE / DAY
    starts[0], starts[1] = cause, np.sort(np.concatenate([after, _poisson(rng, 0.2, days)]))
    return assemble(starts, rng, days, planted=frozenset({("triggered_by", "r1", "r0")}))


def correlated(rng: Rng, rules: int, days: int) -> Made:
    """Rules 0 and 1 share every second episode, to two minutes; they are of two frameworks."""
    starts = _quiet(rng, rules, days)
    shared = _poisson(rng, 0.3, days)
    for number in (0, 1):
        off = rng.normal(0, 1, len(shared)) * MINUTE / DAY
        starts[number] = np.sort(np.concatenate([shared + off, _poisson(rng, 0.3, days)]))
    names = [f"f{number % 2}" for number in range(rules)]
    return assemble(starts, rng, days, names, planted=frozenset({("correlated", "r0", "r1")}))


def _growing(times: float, begin: float) -> Callable[[Rng, int, int], Made]:
    def make(rng: Rng, rules: int, days: int) -> Made:
        starts = _quiet(rng, rules, days)
        starts[0] = _thinned(rng, begin * times, days, lambda t: times ** (t / days - 1))
        return assemble(starts, rng, days, planted=frozenset({("escalating", "r0", None)}))

    return make


PLANTED: dict[str, tuple[Callable[[Rng, int, int], Made], float]] = {
    "Mondays 09:00": (monday_nine, 0.95),
    "6 h cycle, drifting": (drifting_cycle, 0.95),
    "A, then B after 10 min": (follows, 0.95),
    "A and B together": (correlated, 0.95),
    "rate × 8, from 0.5 a day": (_growing(8, 0.5), 0.95),
    "rate × 2, from 6 a day": (_growing(2, 6), 0.65),
    "rate × 2, from 3 a day": (_growing(2, 3), 0.0),  # too little to tell, shown all the same
}


def large(rng: Rng, rules: int, triggers: int, days: int) -> Made:
    """Many rules in frameworks of twenty, for measuring time: even, clustered and daily ones."""
    starts = []
    per_rule = rng.multinomial(triggers, rng.dirichlet(np.full(rules, 2.0)))
    for number, count in enumerate(per_rule.tolist()):
        kind = number % 4
        times = rng.uniform(0, days, count)
        if kind == 1:
            times = np.floor(times) + (0.6 + rng.normal(0, 0.05, count)) % 1
        elif kind == 2 and count > 4:
            begins = rng.uniform(0, days, count // 4 + 1)
            times = begins[rng.integers(0, len(begins), count)] + rng.exponential(0.1, count)
        starts.append(np.sort(times % days))
    names = [f"f{number // 20}" for number in range(rules)]
    return assemble(starts, rng, days, names)


def hours_later(made: Made, hours: int) -> History:
    """What was known some hours before the end."""
    return made.history.until(made.history.end - hours * HOUR)
