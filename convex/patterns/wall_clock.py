"""Instants as a wall clock shows them, many at once, through every change of the zone's offset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from convex.patterns.model import DAY, MINUTE, SECOND, Instants

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_datetime(instant: int) -> datetime:
    """An instant as an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=int(instant))


def to_instant(moment: datetime) -> int:
    """The inverse of `to_datetime`, for any aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class WallClock:
    """A zone's offsets between two instants: from `changes[i]` on it is `offsets[i]`."""

    zone: str
    changes: Instants
    offsets: Instants

    @classmethod
    def of(cls, zone: str, start: int, end: int) -> WallClock:
        """Looks at each day and, where the offset differs, for the minute of the change."""
        place = ZoneInfo(zone)
        changes, offsets = [start], [_offset(place, start)]
        at = start
        while at < end:
            after = min(at + DAY, end)
            if _offset(place, after) != offsets[-1]:
                low, high = at, after
                while high - low > MINUTE:
                    middle = (low + high) // 2
                    if _offset(place, middle) == offsets[-1]:
                        low = middle
                    else:
                        high = middle
                changes.append(high - high % MINUTE)
                offsets.append(_offset(place, after))
            at = after
        return cls(zone, np.array(changes, np.int64), np.array(offsets, np.int64))

    def local(self, instants: Instants) -> Instants:
        """Microseconds since 1970-01-01 00:00 on the wall clock."""
        at = np.searchsorted(self.changes, instants, "right") - 1
        local: Instants = instants + self.offsets[np.maximum(at, 0)]
        return local

    def next_time(
        self, after: int, days: tuple[int, ...], start_minute: int, dates: tuple[int, ...] = ()
    ) -> datetime:
        """The next instant after `after` at this minute of the day.

        On one of these weekdays (0 is Monday), or with `dates` on one of these days of the month
        (-1 is its last). A time that the clock skips is the instant after the gap.
        """
        place = ZoneInfo(self.zone)
        moment = to_datetime(after)
        day = moment.astimezone(place).date()
        clock = time(start_minute // 60, start_minute % 60)
        for ahead in range(63):
            date = day + timedelta(days=ahead)
            if dates:
                last = (date + timedelta(days=1)).day == 1
                if date.day not in dates and not (last and -1 in dates):
                    continue
            elif date.weekday() not in days:
                continue
            found = datetime.combine(date, clock, tzinfo=place).astimezone(UTC)
            if found > moment:
                return found
        raise ValueError("no such day within nine weeks")


def day_of(local: Instants) -> NDArray[np.int64]:
    """Days since 1970-01-01."""
    return local // DAY


def week_of(local: Instants) -> NDArray[np.int64]:
    """Weeks that begin on Monday; 1970-01-01 was a Thursday."""
    return (local // DAY + 3) // 7


def month_of(local: Instants) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Month number, day of the month from 1, and days to the month's end from 0."""
    days = (local // DAY).astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    of_month = (days - months.astype("datetime64[D]")).astype(np.int64)
    length = (
        (months + np.timedelta64(1, "M")).astype("datetime64[D]") - months.astype("datetime64[D]")
    ).astype(np.int64)
    return months.astype(np.int64), of_month + 1, length - 1 - of_month


def show_minute(minute: int) -> str:
    """09:00; a day's end is 24:00."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _offset(place: ZoneInfo, instant: int) -> int:
    offset = (_EPOCH + timedelta(microseconds=instant)).astimezone(place).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) * SECOND
