"""The detector: how unlike everything before is the shape of the latest 1, 4, 16 and 64 values?

Multi-scale novelty. Each window is a row (mean, 2 × standard deviation); its novelty is the L1
distance to the nearest row of the past, in units of the series' robust span; the score is the mean
over the scales. Where the hour explains the values, the differences from the seasonal profile are
looked at in the same way, and both views are weighed by how much the profile explains.

There is nothing to train and nothing to set. After a level shift the new level is unusual for one
window per scale, at most 64 points, and known from then on; the span forgets the old one within
2 × 16,384 points.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from convex.anomaly.calendar import next_interval
from convex.anomaly.codebook import TOLERANCE, Codebook, Distances, Match, distances_of_many
from convex.anomaly.holdoff import HoldOff
from convex.anomaly.model import DAY, LEARNING, Explanation, Score, Sensitivity, State
from convex.anomaly.rate import Rate
from convex.anomaly.season import Season
from convex.anomaly.span import Span
from convex.anomaly.windows import SCALES, Rows, Windows

VALUES: Final = "values"
SEASON: Final = "season"

_HEAD: Final = struct.Struct("<HqqqdddddB")
_NEVER: Final = -(2**63)
_RESOLUTION: Final = 2e-5  # rows are float32: a span below this share of the value says nothing
_SHORT: Final = 2  # position of the 16-point scale, whose mean is the level a value is held against
_SLOW: Final = 1.0 / 128.0
_OUTLIER: Final = 5.0
_TOGETHER: Final = 64  # series whose search is one: few enough to stay in the processor's cache
_BAND: Final = 4.0  # mean absolute deviations, 3.2 standard deviations of normal noise


@dataclass(slots=True)  # not frozen: that would make it the dearest line of an update
class _Step:
    """A point between being looked at and being judged."""

    instant: int
    value: float
    span: float
    rows: Rows
    query: NDArray[np.float32]
    weight: float  # of the seasonal view, 0 … 0.5
    expected: float
    seasonal_rows: Rows | None
    seasonal_query: NDArray[np.float32] | None
    learning: bool


class Novelty:
    """Multi-scale novelty of one series; see the module."""

    method: ClassVar[str] = "novelty"
    format: ClassVar[int] = 1
    thresholds: ClassVar[Mapping[Sensitivity, float]] = {
        Sensitivity.LOW: 0.07,
        Sensitivity.MEDIUM: 0.04,
        Sensitivity.HIGH: 0.032,
    }

    PROBATION_POINTS: ClassVar[int] = 200
    PROBATION_SPAN: ClassVar[int] = 2 * DAY
    WORTH_LEARNING: ClassVar[float] = 0.1  # explained share from which a season is looked at …
    WORTH_HALF: ClassVar[tuple[float, float]] = (0.25, 0.75)  # … and between which it gains weight

    __slots__ = (
        "_book",
        "_count",
        "_first",
        "_hold",
        "_interval",
        "_last",
        "_level",
        "_newest",
        "_origin",
        "_probation",
        "_rate",
        "_season",
        "_seasonal",
        "_span",
        "_spreads",
        "_windows",
    )

    def __init__(
        self, zone: str = "UTC", probation: int | None = None, *, counter: bool = False
    ) -> None:
        """`zone` is the workspace's; `probation` replaces the time of learning by a count of
        points (benchmarks do that); of a `counter` the rate per second is looked at.
        """
        self._rate = Rate(counter)
        self._probation = probation
        self._first = self._newest = _NEVER
        self._count = 0
        self._origin = self._interval = self._level = 0.0
        self._spreads = [0.0, 0.0]
        self._windows, self._book, self._span = Windows(), Codebook(), Span()
        self._season = Season(zone)
        self._seasonal: tuple[Windows, Codebook] | None = None
        self._hold = HoldOff(self.thresholds)
        self._last: tuple[_Step, Score, Match, Match | None] | None = None

    @property
    def reaches(self) -> int | None:
        """The instant of the newest point folded in."""
        return None if self._newest == _NEVER else self._newest

    @property
    def nbytes(self) -> int:
        """Memory of the arrays that grow with the variety of the series."""
        return self._book.nbytes + (self._seasonal[1].nbytes if self._seasonal else 0)

    def update(self, timestamp_us: int, value: float) -> Score:
        """Score one finite value, then learn from it.

        Points come in rising time; one that is not newer than `reaches` is not folded in and is
        answered with `LEARNING`. The same points give the same scores to the last bit, in whatever
        batches they come and however often the detector went through `dump` and `load`.
        """
        step = self._look(timestamp_us, value)
        if step is None:
            return LEARNING
        return self._judge(step, *self._compare(step))

    def _look(self, instant: int, value: float) -> _Step | None:
        """Everything that comes before the search: windows, season, span."""
        if instant <= self._newest:
            return None
        rate = self._rate.push(instant, value)
        if rate is None:
            self._newest = instant
            return None
        value, index = rate, self._count
        if index == 0:
            self._first, self._origin, elapsed = instant, value, 0
        else:
            elapsed = instant - self._newest
            self._interval = next_interval(self._interval, elapsed)
        learning = (
            index < self._probation
            if self._probation is not None
            else index < self.PROBATION_POINTS or instant - self._first < self.PROBATION_SPAN
        )
        self._count, self._newest = index + 1, instant
        centred = value - self._origin
        rows = self._windows.push(centred)
        span = max(self._span.push(centred), _RESOLUTION * abs(centred))
        expected, share = self._season.expect(instant)
        seasonal_rows = None
        weight = 0.0
        if expected == expected:
            if self._seasonal is None and share > self.WORTH_LEARNING:
                self._seasonal = (Windows(), Codebook())
            if self._seasonal is not None:
                seasonal_rows = self._seasonal[0].push(centred - expected)
                if len(seasonal_rows) == len(SCALES):
                    low, high = self.WORTH_HALF
                    weight = 0.5 * min(max((share - low) / (high - low), 0.0), 1.0)
        self._season.learn(centred, elapsed)
        return _Step(
            instant,
            value,
            span if span > 0 else 1.0,
            rows,
            Codebook.query(rows),
            weight,
            expected,
            seasonal_rows,
            None if seasonal_rows is None else Codebook.query(seasonal_rows),
            learning,
        )

    def _compare(self, step: _Step) -> tuple[Distances, Distances | None]:
        near = self._book.distances(step.query)
        if self._seasonal is None or step.seasonal_query is None:
            return near, None
        return near, self._seasonal[1].distances(step.seasonal_query)

    def _judge(self, step: _Step, near: Distances, seasonal_near: Distances | None) -> Score:
        """Everything that comes after the search: score, band, hold-off."""
        now = step.instant // 1_000_000
        tolerance = TOLERANCE * step.span
        match = self._book.settle(
            near, step.query, len(step.rows), self._windows.count, now, tolerance
        )
        score = sum(match.distances) / (len(SCALES) * step.span)
        lasting = _short(match) / step.span
        seasonal: Match | None = None
        if (
            self._seasonal is not None
            and seasonal_near is not None
            and step.seasonal_rows is not None
            and step.seasonal_query is not None
        ):
            windows, book = self._seasonal
            seasonal = book.settle(
                seasonal_near,
                step.seasonal_query,
                len(step.seasonal_rows),
                windows.count,
                now,
                tolerance,
            )
            novelty = sum(seasonal.distances) / (len(SCALES) * step.span)
            score += step.weight * (novelty - score)
            lasting += step.weight * (_short(seasonal) / step.span - lasting)
        said = self._say(step, score, lasting)
        self._last = (step, said, match, seasonal)
        return said

    def _say(self, step: _Step, score: float, lasting: float) -> Score:
        centred = step.value - self._origin
        level, spreads = self._level, self._spreads
        by_season = step.weight >= 0.25
        expected = step.expected if by_season else level
        width = _BAND * spreads[1 if by_season else 0]
        first = self._count == 1
        if not first:
            spreads[0] = _slowly(spreads[0], abs(centred - level))
            if step.expected == step.expected:
                spreads[1] = _slowly(spreads[1], abs(centred - step.expected))
        self._level = step.rows[min(_SHORT, len(step.rows) - 1)][0]
        if first:
            return LEARNING
        middle = expected + self._origin
        state = State.LEARNING if step.learning else State.WATCHING
        if step.learning:
            return Score(score, middle, middle - width, middle + width, state)
        side = 1 if centred >= expected else -1
        raised, unusual = self._hold.judge(step.instant, score, lasting, side, int(self._interval))
        return Score(score, middle, middle - width, middle + width, state, raised, unusual)

    def explain(self) -> Explanation | None:
        """Why the newest point was scored so; None right after `load`, or before any score."""
        if self._last is None:
            return None
        step, said, match, seasonal = self._last
        parts = [
            (distance * (1.0 - step.weight), VALUES, scale, seen)
            for scale, distance, seen in zip(SCALES, match.distances, match.seen, strict=False)
        ]
        if seasonal is not None and step.weight > 0:
            parts += [
                (distance * step.weight, SEASON, scale, seen)
                for scale, distance, seen in zip(
                    SCALES, seasonal.distances, seasonal.seen, strict=False
                )
            ]
        total = sum(part[0] for part in parts)
        distance, view, scale, seen = max(parts, key=lambda part: part[0])
        share = distance / total if total > 0 else 0.0
        nearest = None if seen is None else seen * 1_000_000
        return Explanation(step.value, said, view, scale, share, nearest)

    def dump(self) -> bytes:
        """Everything the detector knows, in the current format."""
        head = _HEAD.pack(
            self.format,
            self._first,
            self._newest,
            self._count,
            self._origin,
            self._interval,
            self._level,
            *self._spreads,
            self._seasonal is not None,
        )
        parts = [head, self._rate.dump(), self._hold.dump(), self._span.dump(), self._season.dump()]
        parts += [self._windows.dump(), self._book.dump()]
        if self._seasonal is not None:
            parts += [self._seasonal[0].dump(), self._seasonal[1].dump()]
        return b"".join(parts)

    @classmethod
    def load(cls, data: bytes, zone: str = "UTC") -> Self:
        """The inverse of `dump`. Raises `ValueError` for another format: then replay the points."""
        if len(data) < _HEAD.size or int.from_bytes(data[:2], "little") != cls.format:
            raise ValueError(f"not a {cls.method} snapshot of format {cls.format}")
        one = cls(zone)
        head = _HEAD.unpack_from(data)
        one._first, one._newest, one._count = head[1:4]
        one._origin, one._interval, one._level = head[4:7]
        one._spreads = list(head[7:9])
        offset = one._rate.restore(data, _HEAD.size)
        offset = one._hold.restore(data, offset)
        offset = one._span.restore(data, offset)
        offset = one._season.restore(data, offset)
        offset = one._windows.restore(data, offset)
        offset = one._book.restore(data, offset)
        if head[9]:
            one._seasonal = (Windows(), Codebook())
            offset = one._seasonal[0].restore(data, offset)
            one._seasonal[1].restore(data, offset)
        return one


def _short(match: Match) -> float:
    """The mean distance over the scales up to 16 points."""
    return sum(match.distances[: _SHORT + 1]) / (_SHORT + 1)


def _slowly(spread: float, deviation: float) -> float:
    """A running mean of deviations that one outlier cannot carry away."""
    if spread <= 0:
        return deviation * _SLOW if deviation > 0 else 0.0
    return spread + _SLOW * (min(deviation, _OUTLIER * spread) - spread)


def update_many(
    detectors: Sequence[Novelty], timestamps_us: Sequence[int], values: Sequence[float]
) -> list[Score]:
    """One point for each of several series: the same scores as `update`, searched together.

    The detectors must be different ones.
    """
    scores: list[Score] = []
    for start in range(0, len(detectors), _TOGETHER):
        some = slice(start, start + _TOGETHER)
        scores += _update_some(detectors[some], timestamps_us[some], values[some])
    return scores


def _update_some(
    detectors: Sequence[Novelty], timestamps_us: Sequence[int], values: Sequence[float]
) -> list[Score]:
    steps = [
        detector._look(instant, value)
        for detector, instant, value in zip(detectors, timestamps_us, values, strict=True)
    ]
    books: list[Codebook] = []
    queries: list[NDArray[np.float32]] = []
    for detector, step in zip(detectors, steps, strict=True):
        if step is None:
            continue
        books.append(detector._book)
        queries.append(step.query)
        if detector._seasonal is not None and step.seasonal_query is not None:
            books.append(detector._seasonal[1])
            queries.append(step.seasonal_query)
    found = iter(distances_of_many(books, queries))
    scores: list[Score] = []
    for detector, step in zip(detectors, steps, strict=True):
        if step is None:
            scores.append(LEARNING)
            continue
        near = next(found)
        seasonal = next(found) if step.seasonal_query is not None else None
        scores.append(detector._judge(step, near, seasonal))
    return scores
