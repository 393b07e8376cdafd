"""Where in the day and the week an instant lies in a workspace's zone, and a series' cadence."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from convex.anomaly.model import HOUR

QUARTER: Final = HOUR // 4  # no zone changes its offset off a quarter of an hour
QUARTERS_A_WEEK: Final = 7 * 24 * 4

_PACE: Final = 1.05


@lru_cache(maxsize=65536)
def _quarter_of_week(quarter: int, zone: str) -> int:
    instant = datetime.fromtimestamp(quarter * 900, UTC).astimezone(ZoneInfo(zone))
    return (instant.weekday() * 24 + instant.hour) * 4 + instant.minute // 15


def quarter_of_week(timestamp_us: int, zone: str) -> int:
    """0 … 671, Monday 00:00 being 0, of an instant in an IANA zone; daylight saving respected."""
    return _quarter_of_week(timestamp_us // QUARTER, zone)


def hour_of_week(timestamp_us: int, zone: str) -> int:
    """0 … 167, Monday 00:00 being 0."""
    return quarter_of_week(timestamp_us, zone) // 4


def next_interval(interval: float, elapsed: int) -> float:
    """The typical distance between points, in microseconds, after one more of `elapsed`.

    It walks towards the median in steps of 5 %, so that neither a gap nor a burst moves it much;
    0 stands for "not known yet".
    """
    if interval <= 0:
        return float(elapsed)
    return interval * _PACE if elapsed > interval else max(interval / _PACE, float(elapsed))
