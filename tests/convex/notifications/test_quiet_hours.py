"""Quiet hours go by the clocks on the wall, also when those are changed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.notifications.mute_windows import active_window
from convex.notifications.quiet_hours import QuietHours, quiet_until

BERLIN = "Europe/Berlin"
NIGHT = QuietHours(time(22), time(6), BERLIN)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "moment", "until"),
    [
        (NIGHT, "2026-01-10T20:59:59", None),
        (NIGHT, "2026-01-10T21:00:00", "2026-01-11T05:00:00"),
        (NIGHT, "2026-01-11T04:59:59", "2026-01-11T05:00:00"),
        (NIGHT, "2026-01-11T05:00:00", None),
        (NIGHT, "2026-07-10T20:00:00", "2026-07-11T04:00:00"),
        # spring: the night of 29 March has 7 hours; autumn: that of 25 October has 9
        (NIGHT, "2026-03-28T21:00:00", "2026-03-29T04:00:00"),
        (NIGHT, "2026-10-24T20:00:00", "2026-10-25T05:00:00"),
        # 02:30 does not exist on 29 March: the end is when the clocks show 03:00
        (QuietHours(time(22), time(2, 30), BERLIN), "2026-03-28T23:00:00", "2026-03-29T01:00:00"),
        # a start that does not exist begins at the jump
        (QuietHours(time(2, 30), time(5), BERLIN), "2026-03-29T01:00:00", "2026-03-29T03:00:00"),
        (QuietHours(time(2, 30), time(5), BERLIN), "2026-03-29T00:59:59", None),
        # 02:30 comes twice on 25 October: it begins at the first and ends at the second
        (QuietHours(time(2, 30), time(5), BERLIN), "2026-10-25T00:30:00", "2026-10-25T04:00:00"),
        (QuietHours(time(22), time(2, 30), BERLIN), "2026-10-25T00:45:00", "2026-10-25T01:30:00"),
        # inside one day, in a zone with an odd offset
        (
            QuietHours(time(9), time(10), "Asia/Kathmandu"),
            "2026-05-01T03:15:00",
            "2026-05-01T04:15:00",
        ),
        (QuietHours(time(9), time(10), "Asia/Kathmandu"), "2026-05-01T04:15:00", None),
    ],
)
def test_quiet_hours(hours: QuietHours, moment: str, until: str | None) -> None:
    assert quiet_until(hours, at(moment)) == (until and at(until))


@given(
    start=st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    end=st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    zone=st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe"]),
    moment=st.integers(0, 3 * 366 * 1440).map(lambda n: at("2024-01-01") + timedelta(minutes=n)),
)
def test_the_end_lies_ahead_and_is_not_quiet_itself(
    start: time, end: time, zone: str, moment: datetime
) -> None:
    if start == end:
        return
    until = quiet_until(QuietHours(start, end, zone), moment)
    if until is None:
        clock = moment.astimezone(ZoneInfo(zone))
        shown = clock.time()
        inside = start <= shown < end if start < end else shown >= start or shown < end
        twice = clock.utcoffset() != clock.replace(fold=1 - clock.fold).utcoffset()
        assert not inside or twice
    else:
        assert moment < until <= moment + timedelta(hours=26)
        assert quiet_until(QuietHours(start, end, zone), until) is None


def test_a_mute_window_is_of_the_day_on_which_it_begins() -> None:
    nights = [{"days": ["fri"], "start": "22:00", "end": "06:00"}]
    assert active_window(nights, BERLIN, at("2026-01-09T22:00:00")) is not None  # Friday
    assert active_window(nights, BERLIN, at("2026-01-10T03:00:00")) is not None  # Saturday morning
    assert active_window(nights, BERLIN, at("2026-01-10T22:00:00")) is None  # Saturday night
    daily = [{"start": "12:00", "end": "13:00"}]
    window = active_window(daily, "UTC", at("2026-01-10T12:30:00"))
    assert window == (at("2026-01-10T12:30:00"), at("2026-01-10T13:00:00"))
