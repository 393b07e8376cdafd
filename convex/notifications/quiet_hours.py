"""Quiet hours by the wall clock of a zone: they may cross midnight and a change of the clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` (in) to `end` (out) every day, as the clocks in `zone` show; never equal."""

    start: time
    end: time
    zone: str


def quiet_until(hours: QuietHours, moment: datetime) -> datetime | None:
    """The end (UTC) of the quiet hours that `moment` lies in, or None when it lies in none.

    A start or end that the clocks jump over is taken as the first instant after the jump; one that
    they show twice starts at the first and ends at the second, so that quiet is never cut short.
    """
    zone = ZoneInfo(hours.zone)
    today = moment.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        last = day if hours.start < hours.end else day + timedelta(days=1)
        begins = _instant(day, hours.start, zone, fold=0)
        ends = _instant(last, hours.end, zone, fold=1)
        if begins <= moment < ends:
            return ends
    return None


def _instant(day: date, clock: time, zone: ZoneInfo, *, fold: int) -> datetime:
    """When the clocks in `zone` show this time, in UTC; after the jump if they never do."""
    local = datetime.combine(day, clock, zone).replace(fold=fold)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    # In a gap. With fold=0 the offset before the jump applies, which lands after it by as much as
    # the time asked for lies behind its beginning; with fold=1 it lands before by the same.
    after = local.replace(fold=0).astimezone(UTC)
    before = local.replace(fold=1).astimezone(UTC)
    low, high = min(before, after), max(before, after)
    offset = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
