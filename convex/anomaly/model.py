"""What every detector is and says, and the hold-off that keeps one anomaly from being many alerts.

Instants are microseconds since 1970-01-01 UTC, values are floats in the metric's own unit.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol, Self

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY


class State(StrEnum):
    """How far a detector is with its series."""

    LEARNING = "learning"
    WATCHING = "watching"


class Sensitivity(StrEnum):
    """How many false alarms per series and week a rule accepts (docs/methods.md has the counts)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Condition(StrEnum):
    """The side of the expected value that counts as an anomaly."""

    ABOVE = "above"
    BELOW = "below"
    CHANGES_BY = "changes_by"


Wish = tuple[Sensitivity, Condition]
_NONE: frozenset[Wish] = frozenset()


@dataclass(frozen=True, slots=True)
class Score:
    """What a detector says about one point, from the points before it alone.

    `score` is 0 for what was seen before and has no upper end; its scale is the method's own.
    `expected` lies within `low` … `high`, the band in which the value would have surprised nobody;
    all three are None as long as nothing is known. `raised` holds the rules for which this point is
    a new anomaly, `unusual` those for which it is one, new or not.
    """

    score: float
    expected: float | None
    low: float | None
    high: float | None
    state: State
    raised: frozenset[Wish] = _NONE
    unusual: frozenset[Wish] = _NONE

    def raises(self, sensitivity: Sensitivity, condition: Condition) -> bool:
        """True if this point is worth a new alert: unusual enough, and not the echo of one."""
        return (sensitivity, condition) in self.raised

    def continues(self, sensitivity: Sensitivity, condition: Condition) -> bool:
        """True while an alert that is open already should stay open."""
        return (sensitivity, condition) in self.unusual


LEARNING = Score(0.0, None, None, None, State.LEARNING)


class Detector(Protocol):
    """One series, learnt point by point.

    `update` takes points in strictly rising time; one that is not newer than `reaches` is not
    folded in and is answered with `LEARNING`. The same points give the same scores to the last bit,
    in whatever batches they come and however often the detector went through `dump` and `load`.
    """

    method: ClassVar[str]
    format: ClassVar[int]
    thresholds: ClassVar[Mapping[Sensitivity, float]]

    @property
    def reaches(self) -> int | None:
        """The instant of the newest point folded in."""
        ...

    def update(self, timestamp_us: int, value: float) -> Score:
        """Score one finite value, then learn from it."""
        ...

    def dump(self) -> bytes:
        """Everything the detector knows, in its method's current format."""
        ...

    @classmethod
    def load(cls, data: bytes, zone: str = "UTC") -> Self:
        """The inverse of `dump`. Raises `ValueError` for another format: then replay the points."""
        ...


_RECORD = struct.Struct("<qdb")  # instant, score, 1 above / -1 below


@dataclass(slots=True)
class HoldOff:
    """Keeps the echo of an anomaly from becoming the next alert.

    Within `span` microseconds of an alert, a new one on the same sensitivity and side has to reach
    twice the highest score alerted in that time. The span is in time units, because a product does
    not know how long its series will become.
    """

    thresholds: Mapping[Sensitivity, float]
    span: int = DAY
    _alerts: dict[Sensitivity, list[tuple[int, float, int]]] = field(default_factory=dict)

    FACTOR: ClassVar[float] = 2.0
    STAYS_OPEN: ClassVar[float] = 0.5  # share of the threshold at which an open alert stays open

    def judge(
        self, instant: int, score: float, side: int
    ) -> tuple[frozenset[Wish], frozenset[Wish]]:
        """`raised` and `unusual` of a point; `side` is 1 above the expected value, -1 below."""
        if score < min(self.thresholds.values()) * self.STAYS_OPEN:
            return _NONE, _NONE
        one_sided = Condition.ABOVE if side > 0 else Condition.BELOW
        raised: set[Wish] = set()
        unusual: set[Wish] = set()
        for sensitivity, threshold in self.thresholds.items():
            if score < threshold * self.STAYS_OPEN:
                continue
            unusual.update(((sensitivity, Condition.CHANGES_BY), (sensitivity, one_sided)))
            if score < threshold:
                continue
            alerts = [a for a in self._alerts.get(sensitivity, ()) if a[0] > instant - self.span]
            same_side = max((a[1] for a in alerts if a[2] == side), default=0.0)
            either = max((a[1] for a in alerts), default=0.0)
            if score >= self.FACTOR * same_side:
                raised.add((sensitivity, one_sided))
            if score >= self.FACTOR * either:
                raised.add((sensitivity, Condition.CHANGES_BY))
            if score >= self.FACTOR * same_side:
                alerts.append((instant, score, side))
            self._alerts[sensitivity] = alerts
        return frozenset(raised), frozenset(unusual)

    def dump(self) -> bytes:
        parts = []
        for sensitivity in Sensitivity:
            alerts = self._alerts.get(sensitivity, ())
            parts.append(struct.pack("<H", len(alerts)))
            parts.extend(_RECORD.pack(*alert) for alert in alerts)
        return b"".join(parts)

    def restore(self, data: bytes, offset: int) -> int:
        """Take over what `dump` wrote at `offset`; returns where it ended."""
        for sensitivity in Sensitivity:
            (count,) = struct.unpack_from("<H", data, offset)
            offset += 2
            records = [
                _RECORD.unpack_from(data, offset + _RECORD.size * index) for index in range(count)
            ]
            offset += _RECORD.size * count
            if records:
                self._alerts[sensitivity] = records
        return offset
