"""Counters: what only ever rises is looked at as the rate at which it rises."""

from __future__ import annotations

import struct
from typing import Final

_LAYOUT: Final = struct.Struct("<B?qd")


class Rate:
    """Readings of a counter to increase per second; gauges pass through as they are.

    A reading below the one before means that the counter started again from 0, so all of it is
    increase (as Prometheus counts it).
    """

    __slots__ = ("_at", "_counter", "_known", "_reading")

    def __init__(self, counter: bool) -> None:
        self._counter = counter
        self._known = False
        self._at, self._reading = 0, 0.0

    def push(self, timestamp_us: int, value: float) -> float | None:
        """The value to look at; None for the first reading of a counter."""
        if not self._counter:
            return value
        known, at, reading = self._known, self._at, self._reading
        self._known, self._at, self._reading = True, timestamp_us, value
        if not known:
            return None
        increase = value - reading if value >= reading else value
        return increase * 1e6 / (timestamp_us - at)

    def dump(self) -> bytes:
        return _LAYOUT.pack(self._counter, self._known, self._at, self._reading)

    def restore(self, data: bytes, offset: int) -> int:
        """Take over what `dump` wrote at `offset`; returns where it ended."""
        counter, self._known, self._at, self._reading = _LAYOUT.unpack_from(data, offset)
        self._counter = bool(counter)
        return offset + _LAYOUT.size
