"""The plain method: how many robust standard deviations a value is off its hour of the week.

The profile is the median of what the same hour of the week brought before; as long as too few
weeks are known, of the same hour of any day; before that, of the latest values. The deviation is
1.4826 × the median absolute deviation of the same sample (equal to σ for normal data), never less
than 1 % of the span of the latest values, so that a quiet hour does not alarm at a trifle.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from statistics import median
from typing import ClassVar, Self

from convex.anomaly.calendar import hour_of_week, next_interval
from convex.anomaly.holdoff import HoldOff
from convex.anomaly.model import DAY, LEARNING, Explanation, Score, Sensitivity, State
from convex.anomaly.rate import Rate

_HEAD = struct.Struct("<HqqId")  # format, first and newest instant, points, interval
_NEVER = -(2**63)
_MAD_TO_SIGMA = 1.4826


class RobustZ:
    """Robust z-score against the hour-of-week profile; score = |z| / 10."""

    method: ClassVar[str] = "robust_z"
    format: ClassVar[int] = 1
    thresholds: ClassVar[Mapping[Sensitivity, float]] = {
        Sensitivity.LOW: 1.0,
        Sensitivity.MEDIUM: 0.6,
        Sensitivity.HIGH: 0.4,
    }

    PROBATION_POINTS: ClassVar[int] = 200
    PROBATION_SPAN: ClassVar[int] = 2 * DAY
    KEPT_PER_HOUR: ClassVar[int] = 32
    LATEST: ClassVar[int] = 96
    ENOUGH: ClassVar[int] = 8

    __slots__ = (
        "_first",
        "_hold",
        "_hours",
        "_interval",
        "_last",
        "_latest",
        "_newest",
        "_points",
        "_rate",
        "_zone",
    )

    def __init__(self, zone: str = "UTC", *, counter: bool = False) -> None:
        self._zone = zone
        self._rate = Rate(counter)
        self._first = self._newest = _NEVER
        self._points = 0
        self._interval = 0.0
        self._last: tuple[float, Score] | None = None
        self._hours: dict[int, list[float]] = {}
        self._latest: list[float] = []
        self._hold = HoldOff(self.thresholds)

    @property
    def reaches(self) -> int | None:
        return None if self._newest == _NEVER else self._newest

    def update(self, timestamp_us: int, value: float) -> Score:
        if timestamp_us <= self._newest:
            return LEARNING
        rate = self._rate.push(timestamp_us, value)
        if rate is None:
            self._newest = timestamp_us
            return LEARNING
        value = rate
        hour = hour_of_week(timestamp_us, self._zone)
        said = self._score(timestamp_us, value, hour)
        if self._points == 0:
            self._first = timestamp_us
        else:
            self._interval = next_interval(self._interval, timestamp_us - self._newest)
        self._newest = timestamp_us
        self._points += 1
        for sample, kept in (
            (self._hours.setdefault(hour, []), self.KEPT_PER_HOUR),
            (self._latest, self.LATEST),
        ):
            sample.append(value)
            if len(sample) > kept:
                del sample[0]
        self._last = (value, said)
        return said

    def explain(self) -> Explanation | None:
        if self._last is None:
            return None
        value, said = self._last
        return Explanation(value, said, "season", 1, 1.0, None)

    def _sample(self, hour: int) -> list[float]:
        known = self._hours.get(hour, [])
        if len(known) >= self.ENOUGH:
            return known
        same_hour = [
            value for day in range(7) for value in self._hours.get(day * 24 + hour % 24, ())
        ]
        return same_hour if len(same_hour) >= self.ENOUGH else self._latest

    def _score(self, instant: int, value: float, hour: int) -> Score:
        sample = self._sample(hour)
        if len(sample) < self.ENOUGH:
            return LEARNING
        expected = median(sample)
        spread = _MAD_TO_SIGMA * median([abs(one - expected) for one in sample])
        floor = 0.01 * (max(self._latest) - min(self._latest))
        spread = max(spread, floor, 1e-9 * max(1.0, abs(expected)))
        score = abs(value - expected) / spread / 10
        low, high = expected - 3 * spread, expected + 3 * spread
        learning = (
            self._points < self.PROBATION_POINTS or instant - self._first < self.PROBATION_SPAN
        )
        if learning:
            return Score(score, expected, low, high, State.LEARNING)
        raised, unusual = self._hold.judge(
            instant, score, 1 if value >= expected else -1, int(self._interval)
        )
        return Score(score, expected, low, high, State.WATCHING, raised, unusual)

    def dump(self) -> bytes:
        parts = [_HEAD.pack(self.format, self._first, self._newest, self._points, self._interval)]
        samples = [(hour, self._hours.get(hour, [])) for hour in range(168)]
        for _, sample in (*samples, (168, self._latest)):
            parts.append(struct.pack(f"<B{len(sample)}d", len(sample), *sample))
        return b"".join((*parts, self._rate.dump(), self._hold.dump()))

    @classmethod
    def load(cls, data: bytes, zone: str = "UTC") -> Self:
        detector = cls(zone)
        version, first, newest, points, interval = _HEAD.unpack_from(data)
        if version != cls.format:
            raise ValueError(f"a {cls.method} snapshot of format {version}, not {cls.format}")
        detector._first, detector._newest, detector._points = first, newest, points
        detector._interval = interval
        offset = _HEAD.size
        for hour in range(169):
            count = data[offset]
            sample = list(struct.unpack_from(f"<{count}d", data, offset + 1))
            offset += 1 + 8 * count
            if hour == 168:
                detector._latest = sample
            elif sample:
                detector._hours[hour] = sample
        offset = detector._rate.restore(data, offset)
        detector._hold.restore(data, offset)
        return detector
