"""The hold-off: one anomaly is one alert, and a restless series earns itself a higher bar.

Two rules decide whether an unusual point is worth a *new* alert, for each sensitivity and condition
on its own.

1. After an alert the next one has to reach twice its score; the demand halves every half-life,
   which is the longer of `SHORTEST` and `INTERVALS` typical sampling intervals. In time units: a
   product does not know how long its series will become.
2. Each alert raises the threshold by `RISE`; half of that is forgotten within `FORGETTING`. So the
   alerts of a series and week stay bounded, whatever the series does.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import ClassVar, Final

from convex.anomaly.model import DAY, HOUR, Condition, Sensitivity, Wish

_NOTHING: Final[frozenset[Wish]] = frozenset()
_WISHES: Final[list[Wish]] = [(one, side) for one in Sensitivity for side in Condition]
_MEMORY: Final = struct.Struct("<dqdq")
_Memory = tuple[
    float, int, float, int
]  # score of the last alert, when; rise of the threshold, when


class HoldOff:
    """What was alerted lately, per sensitivity and condition."""

    FACTOR: ClassVar[float] = 2.0
    SHORTEST: ClassVar[int] = 4 * HOUR
    INTERVALS: ClassVar[int] = 50
    RISE: ClassVar[float] = 0.05
    FORGETTING: ClassVar[int] = 14 * DAY
    STAYS_OPEN: ClassVar[float] = 0.5  # share of the threshold at which an open alert stays open

    __slots__ = ("_lowest", "_memory", "_thresholds")

    def __init__(self, thresholds: Mapping[Sensitivity, float]) -> None:
        self._thresholds = thresholds
        self._lowest = min(thresholds.values()) * self.STAYS_OPEN
        self._memory: dict[Wish, _Memory] = {}

    def judge(
        self, instant: int, score: float, lasting: float, side: int, interval: int
    ) -> tuple[frozenset[Wish], frozenset[Wish]]:
        """`raised` and `unusual` of a point; `side` is 1 above the expected value, -1 below.

        `lasting` is the score by the short scales alone: an open alert stays open by that, or each
        spike would last as long as the longest window. `interval` is the typical distance between
        points in microseconds.
        """
        if score < self._lowest and lasting < self._lowest:
            return _NOTHING, _NOTHING
        half_life = max(self.SHORTEST, self.INTERVALS * interval)
        one_sided = Condition.ABOVE if side > 0 else Condition.BELOW
        raised: list[Wish] = []
        unusual: list[Wish] = []
        for sensitivity, threshold in self._thresholds.items():
            stays = lasting >= threshold * self.STAYS_OPEN
            for wish in ((sensitivity, one_sided), (sensitivity, Condition.CHANGES_BY)):
                if stays:
                    unusual.append(wish)
                if score < threshold:
                    continue
                rise = demand = 0.0
                memory = self._memory.get(wish)
                if memory is not None:
                    last, at, rise, since = memory
                    rise *= 0.5 ** ((instant - since) / self.FORGETTING)
                    demand = self.FACTOR * last * 0.5 ** ((instant - at) / half_life)
                if score >= threshold * math.exp(rise) and score >= demand:
                    raised.append(wish)
                    self._memory[wish] = (score, instant, rise + self.RISE, instant)
        return frozenset(raised), frozenset(unusual + raised)

    def dump(self) -> bytes:
        alerted = [(at, wish) for at, wish in enumerate(_WISHES) if wish in self._memory]
        parts = [bytes([len(alerted)])]
        for at, wish in alerted:
            parts += [bytes([at]), _MEMORY.pack(*self._memory[wish])]
        return b"".join(parts)

    def restore(self, data: bytes, offset: int) -> int:
        """Take over what `dump` wrote at `offset`; returns where it ended."""
        alerted = data[offset]
        offset += 1
        for _ in range(alerted):
            self._memory[_WISHES[data[offset]]] = _MEMORY.unpack_from(data, offset + 1)
            offset += 1 + _MEMORY.size
        return offset
