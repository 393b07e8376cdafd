"""The robust span of a series: the distance between its 0.1 % and 99.9 % quantiles.

Only the extremes are kept, since no others can be among those quantiles. They are kept for the
running and for the previous generation of points, so that a span from before a level shift is
forgotten after at most two generations.
"""

from __future__ import annotations

import struct
from bisect import insort
from typing import Final

GENERATION: Final = 16_384
TAIL: Final = 0.001
WHOLE: Final = 0.01  # share of the distance between the very ends that is added
_KEPT: Final = int(2 * GENERATION * TAIL) + 2
_HEAD: Final = struct.Struct("<qq4B")


def _quantile(ends: list[float], position: float) -> float:
    at = int(position)
    if at + 1 >= len(ends):
        return ends[-1]
    part = position - at
    return ends[at] * (1.0 - part) + ends[at + 1] * part


def _keep(ends: list[float], one: float) -> None:
    """Let it in if it is among the ends."""
    if len(ends) < _KEPT:
        insort(ends, one)
    elif one < ends[-1]:
        insort(ends, one)
        del ends[-1]


class Span:
    """The ends of this generation of points, and of this and the one before together."""

    __slots__ = ("_high", "_high_now", "_in_generation", "_low", "_low_now", "_points")

    def __init__(self) -> None:
        self._points = 0  # that `_high` and `_low` speak of
        self._in_generation = 0
        # Largest first and negated, smallest first: both lists rise.
        self._high: list[float] = []
        self._low: list[float] = []
        self._high_now: list[float] = []
        self._low_now: list[float] = []

    def push(self, value: float) -> float:
        """The span with this value included; 0 as long as all values are the same."""
        _keep(self._high, -value)
        _keep(self._low, value)
        _keep(self._high_now, -value)
        _keep(self._low_now, value)
        self._points += 1
        self._in_generation += 1
        position = TAIL * (self._points - 1)
        high, low = self._high, self._low
        span = -_quantile(high, position) - _quantile(low, position)
        span += WHOLE * (-high[0] - low[0])
        if self._in_generation == GENERATION:
            self._high, self._high_now = self._high_now, []
            self._low, self._low_now = self._low_now, []
            self._points, self._in_generation = GENERATION, 0
        return span

    def dump(self) -> bytes:
        lists = (self._high, self._low, self._high_now, self._low_now)
        head = _HEAD.pack(self._points, self._in_generation, *(len(one) for one in lists))
        return head + b"".join(struct.pack(f"<{len(one)}d", *one) for one in lists)

    def restore(self, data: bytes, offset: int) -> int:
        """Take over what `dump` wrote at `offset`; returns where it ended."""
        self._points, self._in_generation, *lengths = _HEAD.unpack_from(data, offset)
        offset += _HEAD.size
        lists = []
        for length in lengths:
            lists.append(list(struct.unpack_from(f"<{length}d", data, offset)))
            offset += 8 * length
        self._high, self._low, self._high_now, self._low_now = lists
        return offset
