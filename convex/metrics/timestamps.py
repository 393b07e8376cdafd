"""Reading many timestamps at once: ISO 8601 text, or seconds since 1970, to microseconds UTC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from convex.metrics.model import SECOND, FloatArray, IntArray, to_microseconds

# `2026-01-31T12:00:00Z`, and the same with milliseconds or microseconds.
_FRACTIONS = {20: 0, 24: 3, 27: 6}
_PUNCTUATION = ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"))
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
# Years 1 to 9999, what a datetime can hold; a float's 53 bits are far beyond that.
_EARLIEST, _LATEST = -62_135_596_800.0, 253_402_300_799.0


def read_timestamp(value: object) -> int:
    """One timestamp: ISO 8601 text (no zone means UTC), or seconds since 1970 as a number.

    Raises `ValueError`, saying what was wrong.
    """
    if isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value)
            if instant.tzinfo is None:
                instant = instant.replace(tzinfo=UTC)
            return to_microseconds(instant)
        except (ValueError, OverflowError):
            raise ValueError(f"{value[:40]!r} is not an ISO 8601 timestamp") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a timestamp is ISO 8601 text or seconds since 1970")
    if not _EARLIEST <= value <= _LATEST:
        raise ValueError("the timestamp is out of range; numbers are seconds since 1970")
    return round(value * SECOND)


def read_column(values: Sequence[object]) -> IntArray | None:
    """All of them, when they are uniform and right: a fast way for what clients send.

    None says that it is not such a column, which says nothing about its rows.
    """
    kinds = set(map(type, values))
    if kinds == {str}:
        return _read_texts(values)  # type: ignore[arg-type]
    if kinds and kinds <= {int, float}:
        return _read_seconds(np.array(values, np.float64))
    return None


def _read_seconds(seconds: FloatArray) -> IntArray | None:
    if not ((seconds >= _EARLIEST) & (seconds <= _LATEST)).all():
        return None
    return np.rint(seconds * SECOND).astype(np.int64)


def _read_texts(values: Sequence[str]) -> IntArray | None:
    length = len(values[0])
    digits = _FRACTIONS.get(length)
    joined = "".join(values)
    if digits is None or len(joined) != length * len(values) or not joined.isascii():
        return None
    text = np.frombuffer(joined.encode(), np.uint8).reshape(len(values), length)
    marks = [*_PUNCTUATION, (length - 1, "Z"), *([(19, ".")] if digits else [])]
    if not all((text[:, place] == ord(mark)).all() for place, mark in marks):
        return None
    numbers = text.astype(np.int64) - ord("0")
    places = [place for place in range(length) if place not in dict(marks)]
    if not ((numbers[:, places] >= 0) & (numbers[:, places] <= 9)).all():
        return None

    def field(start: int, size: int) -> IntArray:
        powers = 10 ** np.arange(size - 1, -1, -1, dtype=np.int64)
        return np.asarray(numbers[:, start : start + size] @ powers, np.int64)

    year, month, day = field(0, 4), field(5, 2), field(8, 2)
    hour, minute, second = field(11, 2), field(14, 2), field(17, 2)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    right = (year > 0) & (month >= 1) & (month <= 12) & (day >= 1)
    right &= day <= _DAYS[np.clip(month, 0, 12)] + ((month == 2) & leap)
    if not (right & (hour < 24) & (minute < 60) & (second < 60)).all():
        return None
    # Days since 1970 in the proleptic Gregorian calendar, with the year beginning in March.
    shifted = year - (month <= 2)
    days = 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400
    days += (153 * ((month + 9) % 12) + 2) // 5 + day - 1 - 719_468
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
    fraction = field(20, digits) * 10 ** (6 - digits) if digits else 0
    return np.asarray(seconds * SECOND + fraction, np.int64)
