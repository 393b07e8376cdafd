"""What the hour says about a value: daily and weekly profiles, and whether to believe them.

The daily profile has quarters of an hour, the weekly one hours, in the workspace's zone. An entry
is the median of the means of that time in the latest days (weeks); a quarter that is too little
known borrows its whole hour. A profile is trusted by the share of the deviation from the series'
level that it takes away, measured on points that it had not seen.
"""

from __future__ import annotations

import math
import struct
from array import array
from typing import Final

from convex.anomaly.calendar import quarter_of_week
from convex.anomaly.model import DAY

ENOUGH: Final = 2  # cycles before an entry says anything
_DAILY, _WEEKLY = 0, 1
_ENTRIES: Final = (96, 168)
_CYCLES: Final = (10, 6)  # days, weeks that an entry remembers
_MEMORY: Final = (2.9 * DAY, 8.7 * DAY)  # half-lives of 2 and 6 days
_WEEKLY_IS_BETTER: Final = 0.9
_NUMBERS: Final = struct.Struct("<6d")
_HEAD: Final = struct.Struct("<hId")


def _middle(values: list[float]) -> float:
    values.sort()
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


class _Profile:
    """Means of the same time in the latest cycles, and their medians (NaN: not known)."""

    __slots__ = ("at", "count", "cycles", "filled", "means", "medians", "total")

    def __init__(self, kind: int) -> None:
        entries, self.cycles = _ENTRIES[kind], _CYCLES[kind]
        self.means = array("f", bytes(4 * entries * self.cycles))
        self.filled = bytearray(entries)
        self.medians = array("d", [math.nan] * entries)
        self.at, self.total, self.count = -1, 0.0, 0

    def learn(self, entry: int, value: float) -> None:
        if entry != self.at:
            if self.count:
                self._close()
            self.at, self.total, self.count = entry, 0.0, 0
        self.total += value
        self.count += 1

    def _close(self) -> None:
        start, filled = self.at * self.cycles, self.filled[self.at]
        if filled == self.cycles:  # oldest first
            self.means[start : start + filled - 1] = self.means[start + 1 : start + filled]
            filled -= 1
        self.means[start + filled] = self.total / self.count
        self.filled[self.at] = filled + 1
        self.refresh(self.at)

    def known(self, entry: int) -> list[float]:
        start = entry * self.cycles
        return self.means[start : start + self.filled[entry]].tolist()

    def refresh(self, entry: int) -> None:
        means = self.known(entry)
        self.medians[entry] = _middle(means) if len(means) >= ENOUGH else math.nan

    def dump(self) -> bytes:
        known = b"".join(
            array("f", self.known(entry)).tobytes() for entry in range(len(self.filled))
        )
        return _HEAD.pack(self.at, self.count, self.total) + bytes(self.filled) + known

    def restore(self, data: bytes, offset: int) -> int:
        self.at, self.count, self.total = _HEAD.unpack_from(data, offset)
        offset += _HEAD.size
        self.filled = bytearray(data[offset : offset + len(self.filled)])
        offset += len(self.filled)
        for entry, filled in enumerate(self.filled):
            start = entry * self.cycles
            self.means[start : start + filled] = array("f", data[offset : offset + 4 * filled])
            offset += 4 * filled
            self.refresh(entry)
        return offset


class Season:
    """Both profiles of one series, and how far each is to be trusted."""

    __slots__ = (
        "_expected",
        "_left",
        "_level",
        "_plain",
        "_profiles",
        "_quarter",
        "_weight",
        "_zone",
    )

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._profiles = (_Profile(_DAILY), _Profile(_WEEKLY))
        self._level = self._weight = 0.0
        self._left = [0.0, 0.0]  # deviation from the profile that is left …
        self._plain = [0.0, 0.0]  # … of that from the level
        self._quarter = 0
        self._expected = (math.nan, math.nan)

    def expect(self, timestamp_us: int) -> tuple[float, float]:
        """The value that the better profile expects (NaN if none does), and the share of the
        deviation that it explains, at most 1.
        """
        self._quarter = quarter = quarter_of_week(timestamp_us, self._zone)
        daily = self._profiles[_DAILY].medians[quarter % 96]
        if daily != daily:
            daily = self._whole_hour(quarter % 96)
        weekly = self._profiles[_WEEKLY].medians[quarter // 4]
        self._expected = (daily, weekly)
        left, plain = self._left, self._plain
        unexplained = left[0] / plain[0] if plain[0] > 0 else 1.0
        if weekly == weekly and plain[1] > 0:
            by_week = left[1] / plain[1]
            if daily != daily or by_week < _WEEKLY_IS_BETTER * unexplained:
                return weekly, 1.0 - by_week
        return daily, 1.0 - unexplained

    def _whole_hour(self, entry: int) -> float:
        profile, hour = self._profiles[_DAILY], entry // 4 * 4
        means = [mean for quarter in range(hour, hour + 4) for mean in profile.known(quarter)]
        return _middle(means) if len(means) >= ENOUGH else math.nan

    def learn(self, value: float, elapsed: int) -> None:
        """Take in the value at the instant of the latest `expect`, which came `elapsed`
        microseconds after the one before it.
        """
        elapsed = max(1, min(elapsed, DAY))
        self._weight = self._weight * (_MEMORY[0] / (_MEMORY[0] + elapsed)) + elapsed
        self._level += elapsed / self._weight * (value - self._level)
        from_level = abs(value - self._level)
        for kind, expected in enumerate(self._expected):
            if expected == expected:
                keep = _MEMORY[kind] / (_MEMORY[kind] + elapsed)
                self._left[kind] = self._left[kind] * keep + abs(value - expected)
                self._plain[kind] = self._plain[kind] * keep + from_level
        self._profiles[_DAILY].learn(self._quarter % 96, value)
        self._profiles[_WEEKLY].learn(self._quarter // 4, value)

    def dump(self) -> bytes:
        numbers = _NUMBERS.pack(self._level, self._weight, *self._left, *self._plain)
        return numbers + b"".join(profile.dump() for profile in self._profiles)

    def restore(self, data: bytes, offset: int) -> int:
        """Take over what `dump` wrote at `offset`; returns where it ended."""
        self._level, self._weight, *rest = _NUMBERS.unpack_from(data, offset)
        self._left, self._plain = rest[:2], rest[2:]
        offset += _NUMBERS.size
        for profile in self._profiles:
            offset = profile.restore(data, offset)
        return offset
