"""Mute windows: times of the week by the wall clock of a zone. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from convex.notifications.quiet_hours import QuietHours, quiet_until

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def active_window(
    intervals: Sequence[Mapping[str, Any]], zone: str, now: datetime
) -> tuple[datetime, datetime] | None:
    """The interval that `now` lies in, as (now, its end), or None.

    An interval is `{"days"?: ["mon", …], "start": "HH:MM", "end": "HH:MM"}`: the days on which it
    begins (all when left out); it may cross midnight.
    """
    for interval in intervals:
        hours = QuietHours(_time(interval, "start"), _time(interval, "end"), zone)
        if hours.start == hours.end:
            continue
        ends = quiet_until(hours, now)
        if ends is None:
            continue
        local = now.astimezone(ZoneInfo(zone))
        begins_on = local.date()
        if hours.start > hours.end and local.time() < hours.end:
            begins_on -= timedelta(days=1)
        days = interval.get("days") or DAYS
        if DAYS[begins_on.weekday()] in days:
            return now, ends
    return None


def _time(interval: Mapping[str, Any], name: str) -> time:
    return time.fromisoformat(str(interval.get(name, "00:00")))
