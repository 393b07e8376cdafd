"""Hours of the day and of the week in a workspace's zone."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from convex.anomaly.model import HOUR

_QUARTER = HOUR // 4  # no zone changes its offset off a quarter of an hour


@lru_cache(maxsize=65536)
def _hour_of_week(quarter: int, zone: str) -> int:
    instant = datetime.fromtimestamp(quarter * 900, UTC).astimezone(ZoneInfo(zone))
    return instant.weekday() * 24 + instant.hour


def hour_of_week(timestamp_us: int, zone: str) -> int:
    """0 … 167, Monday 00:00 being 0, of an instant in an IANA zone; daylight saving respected."""
    return _hour_of_week(timestamp_us // _QUARTER, zone)
