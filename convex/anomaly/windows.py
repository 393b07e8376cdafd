"""Mean and spread of the last 1, 4, 16 and 64 values, one value at a time.

A window of 2L is two neighbouring windows of L, so each length is made from the one below:
S(2L) = S + S', Q(2L) = Q + Q' + (S − S')² / 2L, with S the sum and Q the sum of squared deviations
from the mean (Chan, Golub and LeVeque 1979). Nothing accumulates, so nothing drifts, and the same
values give the same bits however long the series is.
"""

from __future__ import annotations

import math
import struct
from array import array
from typing import Final

SCALES: Final = (1, 4, 16, 64)
_LONGEST: Final = 64
_RING: Final = _LONGEST - 1  # rings of 1, 2, 4 … 32 entries behind each other
_COUNT: Final = struct.Struct("<q")

Rows = list[tuple[float, float]]


class Windows:
    """The rings that the next window is made from: that of length L begins at L − 1."""

    __slots__ = ("_count", "_spreads", "_sums")

    def __init__(self) -> None:
        self._count = 0
        self._sums = array("d", bytes(8 * _RING))
        self._spreads = array("d", bytes(8 * _RING))

    @property
    def count(self) -> int:
        """Values taken so far."""
        return self._count

    def push(self, value: float) -> Rows:
        """Mean and standard deviation of each scale that is full, shortest first."""
        index = self._count
        self._count = index + 1
        sums, spreads = self._sums, self._spreads
        rows: Rows = [(value, 0.0)]
        total, spread, length = value, 0.0, 1
        while length < _LONGEST:
            slot = length - 1 + (index & (length - 1))
            before, before_spread = sums[slot], spreads[slot]
            sums[slot], spreads[slot] = total, spread
            length += length
            if index < length - 1:
                break
            difference = total - before
            spread = spread + before_spread + difference * difference / length
            total += before
            if length in SCALES:
                rows.append((total / length, math.sqrt(spread / length)))
        return rows

    def dump(self) -> bytes:
        return _COUNT.pack(self._count) + self._sums.tobytes() + self._spreads.tobytes()

    def restore(self, data: bytes, offset: int) -> int:
        """Take over what `dump` wrote at `offset`; returns where it ended."""
        (self._count,) = _COUNT.unpack_from(data, offset)
        middle = offset + _COUNT.size + 8 * _RING
        end = middle + 8 * _RING
        self._sums = array("d", data[offset + _COUNT.size : middle])
        self._spreads = array("d", data[middle:end])
        return end
