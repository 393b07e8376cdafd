"""Mute windows: times of the week by the wall clock of a zone. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from convex.notifications.model import Matcher, Mute, Reason
from convex.notifications.quiet_hours import QuietHours, quiet_until

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class WeeklyMute:
    """What is muted at the same times every week.

    An interval is `{"days"?: ["mon", …], "start": "HH:MM", "end": "HH:MM"}`: the days on which it
    begins (all when left out); it may cross midnight.
    """

    name: str
    matchers: Sequence[Matcher]
    zone: str
    intervals: Sequence[Mapping[str, Any]]


def active_mutes(windows: Sequence[WeeklyMute], now: datetime) -> Iterator[Mute]:
    """Those that hold at `now`."""
    for window in windows:
        found = active_window(window.intervals, window.zone, now)
        if found is not None:
            words = f"Muted by the window {window.name!r}."
            yield Mute(Reason.MUTED, window.matchers, *found, words)


def active_window(
    intervals: Sequence[Mapping[str, Any]], zone: str, now: datetime
) -> tuple[datetime, datetime] | None:
    """The interval that `now` lies in, as (now, its end), or None."""
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
