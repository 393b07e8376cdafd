"""Anomalies put into real series: how many are found, and how many alerts are about one.

Each run takes one series, puts one anomaly into a stretch without labels, and lets the detector run
over the whole. Sizes are in units of the series' own spread around there (1.4826 × the median
absolute deviation of the 500 points before, at least 2 % of the range). Alerts within the anomaly
or up to 30 points behind it are about it; others, outside labelled windows, are false. One anomaly
in weeks of data is rare, so precision is that of a rare event.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from bench.anomaly.nab import LabelledSeries
from convex.anomaly.model import DAY, Condition, Sensitivity
from convex.anomaly.novelty import Novelty

AFTERGLOW: Final = 30
LONGEST: Final = 100

_Change = Callable[[list[float], int, float, random.Random, int], int]


def _spike(values: list[float], at: int, spread: float, rng: random.Random, _day: int) -> int:
    values[at] += rng.choice((-1, 1)) * rng.uniform(6, 12) * spread
    return at + 1


def _level_shift(values: list[float], at: int, spread: float, rng: random.Random, _day: int) -> int:
    size = rng.choice((-1, 1)) * rng.uniform(4, 8) * spread
    for row in range(at, len(values)):
        values[row] += size
    return at + LONGEST


def _drift(values: list[float], at: int, spread: float, rng: random.Random, _day: int) -> int:
    size = rng.choice((-1, 1)) * rng.uniform(6, 10) * spread
    for row in range(at, len(values)):
        values[row] += size * min(1.0, (row - at) / LONGEST)
    return at + 2 * LONGEST


def _variance(values: list[float], at: int, spread: float, rng: random.Random, _day: int) -> int:
    for row in range(at, at + LONGEST):
        values[row] += rng.gauss(0, 4 * spread)
    return at + LONGEST


def _seasonal_break(values: list[float], at: int, _s: float, _r: random.Random, day: int) -> int:
    end = at + day
    values[at:end] = values[at - day // 2 : end - day // 2]
    return end


def _flat_line(values: list[float], at: int, _s: float, _r: random.Random, _day: int) -> int:
    values[at : at + LONGEST] = [values[at]] * LONGEST
    return at + LONGEST


KINDS: Final[dict[str, _Change]] = {
    "spike": _spike,
    "level shift": _level_shift,
    "drift": _drift,
    "variance change": _variance,
    "seasonal break": _seasonal_break,
    "flat line": _flat_line,
}


@dataclass(slots=True)
class Tally:
    """Of one kind: runs, anomalies found, alerts about none, and points until the first alert."""

    runs: int = 0
    found: int = 0
    false_alarms: int = 0
    delays: list[int] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.found / self.runs if self.runs else 0.0

    @property
    def precision(self) -> float:
        alerts = self.found + self.false_alarms
        return self.found / alerts if alerts else 0.0


def run(files: Sequence[LabelledSeries], seed: int, per_file: int = 1) -> dict[str, Tally]:
    """Every kind on every series that it can be told in, `per_file` times."""
    rng = random.Random(seed)
    tallies = {kind: Tally() for kind in KINDS}
    for series in files:
        for kind, change in KINDS.items():
            if kind == "seasonal break" and not _is_seasonal(series):
                continue
            for _ in range(per_file):
                _run_one(series, change, rng, tallies[kind])
    return tallies


def _points_a_day(series: LabelledSeries) -> int:
    gaps = [b - a for a, b in zip(series.instants, series.instants[1:], strict=False)]
    return max(2, round(DAY / median(gaps)))


def _is_seasonal(series: LabelledSeries) -> bool:
    """Whether the value a day earlier tells most of the value."""
    day = _points_a_day(series)
    if len(series.values) < 6 * day:
        return False
    pairs = list(zip(series.values[day:], series.values, strict=False))
    centre = median(series.values)
    apart = sum(abs(a - b) for a, b in pairs)
    return apart < 0.5 * sum(abs(a - centre) for a, _ in pairs)


def _run_one(series: LabelledSeries, change: _Change, rng: random.Random, tally: Tally) -> None:
    day = _points_a_day(series)
    longest = max(2 * LONGEST, day)
    first, last = max(series.probation, 600) + day, len(series.values) - longest - AFTERGLOW
    starts = [
        at
        for at in range(first, last)
        if all(at - 20 > end or at + longest + AFTERGLOW < begin for begin, end in series.windows)
    ]
    if not starts or len(set(series.values)) < 3:
        return
    at = rng.choice(starts)
    values = list(series.values)
    before = values[at - 500 : at]
    centre = median(before)
    whole = max(values) - min(values)
    spread = max(1.4826 * median(abs(value - centre) for value in before), 0.02 * whole)
    end = change(values, at, spread, rng, day)
    alerts = alerts_of(series.instants, values, series.probation)
    about = [row for row in alerts if at <= row < end + AFTERGLOW]
    tally.runs += 1
    tally.false_alarms += sum(
        1 for row in alerts if row not in about and series.window_of(row) is None
    )
    if about:
        tally.found += 1
        tally.delays.append(about[0] - at)


def alerts_of(
    instants: Sequence[int],
    values: Sequence[float],
    probation: int,
    sensitivity: Sensitivity = Sensitivity.MEDIUM,
) -> list[int]:
    """The rows at which the detector raises an alert."""
    detector = Novelty(probation=probation)
    return [
        row
        for row, (instant, value) in enumerate(zip(instants, values, strict=True))
        if detector.update(instant, value).raises(sensitivity, Condition.CHANGES_BY)
    ]
