"""Local time through changes of the clock, and what comes next."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex.patterns.model import DAY
from convex.patterns.wall_clock import (
    WallClock,
    day_of,
    month_of,
    to_datetime,
    to_instant,
    week_of,
)

ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu")
START, END = (
    to_instant(datetime(2025, 1, 1, tzinfo=UTC)),
    to_instant(datetime(2026, 6, 1, tzinfo=UTC)),
)


@settings(deadline=None)
@given(st.sampled_from(ZONES), st.lists(st.integers(START, END), min_size=1, max_size=20))
def test_local_time_is_what_the_zone_says(zone: str, instants: list[int]) -> None:
    local = WallClock.of(zone, START, END).local(np.array(instants, np.int64))
    for instant, shown in zip(instants, local.tolist(), strict=True):
        there = to_datetime(instant).astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)
        assert to_datetime(shown) == there


def test_days_weeks_and_months_are_the_calendars() -> None:
    dates = [datetime(2026, m, d, 15, tzinfo=UTC) for m, d in ((1, 31), (2, 28), (3, 1), (6, 1))]
    local = np.array([to_instant(date) for date in dates], np.int64)
    _, of_month, to_end = month_of(local)
    assert of_month.tolist() == [31, 28, 1, 1]
    assert to_end.tolist() == [0, 0, 30, 29]
    assert week_of(local)[1] == week_of(local)[2]  # Saturday and Sunday
    assert week_of(local + DAY)[2] == week_of(local)[2] + 1
    assert (day_of(local) == local // DAY).all()


@pytest.mark.parametrize(
    ("after", "days", "minute", "dates", "expected"),
    [
        ("2026-03-02T15:00", (0,), 540, (), "2026-03-09T13:00"),  # the clock has changed by then
        ("2026-03-09T12:59", (0,), 540, (), "2026-03-09T13:00"),
        ("2026-03-09T13:00", (0,), 540, (), "2026-03-16T13:00"),
        ("2026-03-07T20:00", tuple(range(7)), 150, (), "2026-03-08T07:30"),  # 02:30 is skipped
        ("2026-01-15T00:00", (), 60, (31,), "2026-01-31T06:00"),
        ("2026-02-15T00:00", (), 60, (-1,), "2026-02-28T06:00"),
        ("2026-02-15T00:00", (), 60, (31,), "2026-03-31T05:00"),
    ],
)
def test_the_next_time_is_by_the_wall_clock(
    after: str, days: tuple[int, ...], minute: int, dates: tuple[int, ...], expected: str
) -> None:
    instant = to_instant(datetime.fromisoformat(after + "+00:00"))
    clock = WallClock.of("America/New_York", instant, instant + DAY)
    found = clock.next_time(instant, days, minute, dates)
    assert found == datetime.fromisoformat(expected + "+00:00")
