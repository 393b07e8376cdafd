"""Mean and spread of the last 1, 4, 16 and 64 values, one value at a time.

A window of 2L is two neighbouring windows of L, so each length is made from the one below:
S(2L) = S + S', Q(2L) = Q + Q' + (S − S')² / 2L, with S the sum and Q the sum of squared deviations
from the mean (Chan, Golub and LeVeque 1979). Nothing accumulates, so nothing drifts, and the same
values give the same bits however long the series is.
"""

from __future__ import annotations

import math
import struct
from typing import Final

SCALES: Final = (1, 4, 16, 64)
_LEVELS: Final = 6  # 1, 2, 4 … 32, from which 64 is made
_RING: Final = sum(1 << level for level in range(_LEVELS))
_LAYOUT: Final = struct.Struct(f"<q{2 * _RING}d")

Rows = list[tuple[float, float]]


class Windows:
    """The rings that the next window is made from."""

    SIZE: Final = _LAYOUT.size

    __slots__ = ("_count", "_spreads", "_sums")

    def __init__(self) -> None:
        self._count = 0
        self._sums = [[0.0] * (1 << level) for level in range(_LEVELS)]
        self._spreads = [[0.0] * (1 << level) for level in range(_LEVELS)]

    @property
    def count(self) -> int:
        """Values taken so far."""
        return self._count

    def push(self, value: float) -> Rows:
        """Mean and standard deviation of each scale that is full, shortest first."""
        index = self._count
        self._count = index + 1
        rows: Rows = [(value, 0.0)]
        total, spread, length = value, 0.0, 1
        for sums, spreads in zip(self._sums, self._spreads, strict=True):
            slot = index & (length - 1)
            before, before_spread = sums[slot], spreads[slot]
            sums[slot], spreads[slot] = total, spread
            if index < 2 * length - 1:
                break
            difference = total - before
            spread = spread + before_spread + difference * difference / (2 * length)
            total += before
            length *= 2
            if length in (4, 16, 64):
                rows.append((total / length, math.sqrt(spread / length)))
        return rows

    def dump(self) -> bytes:
        flat = [value for ring in (*self._sums, *self._spreads) for value in ring]
        return _LAYOUT.pack(self._count, *flat)

    def restore(self, data: bytes, offset: int) -> int:
        """Take over what `dump` wrote at `offset`; returns where it ended."""
        self._count, *flat = _LAYOUT.unpack_from(data, offset)
        at = 0
        for rings in (self._sums, self._spreads):
            for level in range(_LEVELS):
                rings[level] = flat[at : at + (1 << level)]
                at += 1 << level
        return offset + _LAYOUT.size
