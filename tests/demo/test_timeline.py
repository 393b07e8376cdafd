"""The demo's year is derived exactly, moved by whole weeks, and ends now."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.timeline import (
    END,
    HOUR,
    START,
    WEEK,
    DemoPoint,
    FlightHour,
    build_timeline,
    derive_points,
    read_flights,
    read_weather,
    whole_weeks,
)

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)

moments = st.timedeltas(timedelta(), timedelta(days=30 * 365)).map(
    lambda passed: datetime(2015, 1, 1, tzinfo=UTC) + passed
)


@pytest.fixture(scope="module")
def year() -> list[DemoPoint]:
    return list(derive_points(read_flights(), read_weather()))


def derive(hour: FlightHour | None) -> dict[str, float]:
    flights = {} if hour is None else {(NOON, "EWR"): hour}
    points = derive_points(flights, {}, start=NOON, end=NOON + HOUR)
    return {point.metric: point.value for point in points if point.framework == "ewr"}


@pytest.mark.parametrize(
    ("hour", "values"),
    [
        (None, {"departures": 0, "cancelled": 0}),
        (
            FlightHour(scheduled=4, cancelled=4, delay_sum=0, on_time=0),
            {"departures": 4, "cancelled": 4, "cancel_rate": 1, "on_time_rate": 0},
        ),
        (
            FlightHour(scheduled=4, cancelled=1, delay_sum=-6, on_time=3),
            {
                "departures": 4,
                "cancelled": 1,
                "cancel_rate": 0.25,
                "delay_mean": -2,
                "on_time_rate": 0.75,
            },
        ),
    ],
)
def test_an_hour_of_flights_gives_its_metrics(
    hour: FlightHour | None, values: dict[str, float]
) -> None:
    assert derive(hour) == values


def test_weather_that_was_not_measured_has_no_point() -> None:
    weather = {(NOON, "JFK"): (0.0, None, 10.0)}
    points = derive_points({}, weather, start=NOON, end=NOON + HOUR)
    assert [(point.metric, point.value) for point in points if point.framework == "jfk"] == [
        ("departures", 0),
        ("cancelled", 0),
        ("precipitation", 0),
        ("visibility", 10),
    ]


def test_the_year_has_its_points_and_its_nights_have_none_that_need_flights(
    year: list[DemoPoint],
) -> None:
    counts = Counter(point.metric for point in year)
    hours = (END - START) // HOUR
    assert counts["departures"] == counts["cancelled"] == 3 * hours == 26_280
    assert counts["cancel_rate"] == counts["on_time_rate"] == 19_486
    assert counts["precipitation"] == counts["visibility"] == 26_115
    assert counts["wind"] == 26_111
    assert len({(point.timestamp, point.framework, point.metric) for point in year}) == len(year)
    assert sum(point.value for point in year if point.metric == "departures") == 336_776


def test_mean_delays_of_the_airports_go_together(year: list[DemoPoint]) -> None:
    delays: dict[str, dict[datetime, float]] = {}
    for point in year:
        if point.metric == "delay_mean":
            delays.setdefault(point.framework, {})[point.timestamp] = point.value
    for one, other in (("ewr", "jfk"), ("ewr", "lga"), ("jfk", "lga")):
        both = sorted(delays[one].keys() & delays[other].keys())
        pairs = np.array([[delays[one][hour], delays[other][hour]] for hour in both])
        assert 0.675 < np.corrcoef(pairs.T)[0, 1] < 0.755


@given(moments)
def test_the_shift_is_whole_weeks_and_just_reaches_now(now: datetime) -> None:
    shift = whole_weeks(now)
    assert shift % WEEK == timedelta()
    assert END + shift >= now.replace(minute=0, second=0, microsecond=0) > END + shift - WEEK


@settings(deadline=None)  # what it computes depends on the moment, not how long that takes
@given(moments)
def test_history_and_the_live_day_end_with_the_last_whole_hour(now: datetime) -> None:
    hours = (END - START) // HOUR
    points = [DemoPoint(START + n * HOUR, "ewr", "departures", float(n)) for n in range(hours)]
    timeline = build_timeline(points, now)
    live = [point.timestamp for point in timeline.live]
    assert len(live) == 24
    assert now - 2 * HOUR < live[-1] <= now - HOUR
    assert timeline.history[-1].timestamp == live[0] - HOUR
    assert timeline.history[-1].value + 1 == timeline.live[0].value
    assert [hour for hour, _ in timeline.live_hours()] == live


@given(moments, st.timedeltas(timedelta(), timedelta(days=6)))
def test_an_earlier_look_at_the_same_week_agrees_with_a_later_one(
    now: datetime, later: timedelta
) -> None:
    points = [DemoPoint(END - n * HOUR, "ewr", "departures", float(n)) for n in range(500, 0, -1)]
    before, after = build_timeline(points, now), build_timeline(points, now + later)
    if before.shift == after.shift:
        known = [*before.history, *before.live]
        assert [*after.history, *after.live][: len(known)] == known
