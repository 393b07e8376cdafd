"""The demo's points: derived from the committed hours, moved to now, split into past and live day.

Pure apart from reading the two files of demo/data. A point carries the start of its hour (UTC) and
exists only once that hour is over. Metrics per airport:

- departures, cancelled: flights scheduled and cancelled in the hour; 0 in an hour without any, all
  night for instance.
- cancel_rate (0–1), on_time_rate (0–1, left less than 15 minutes late, of all scheduled): no point
  in an hour without scheduled departures.
- delay_mean (minutes, early departures negative): of the flights that left; no point without any.
- precipitation (inches), wind (miles per hour), visibility (miles): where they were measured.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parent / "data"
AIRPORTS = ("EWR", "JFK", "LGA")
FLIGHT_METRICS = ("departures", "cancelled", "cancel_rate", "delay_mean", "on_time_rate")
WEATHER_METRICS = ("precipitation", "wind", "visibility")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)

# The airports' local year 2013; the end is exclusive.
START = datetime(2013, 1, 1, 5, tzinfo=UTC)
END = datetime(2014, 1, 1, 5, tzinfo=UTC)


class DemoPoint(NamedTuple):
    """One value of one airport's metric; `framework` is the airport's slug."""

    timestamp: datetime
    framework: str
    metric: str
    value: float


class FlightHour(NamedTuple):
    """The committed counts of one airport and hour."""

    scheduled: int
    cancelled: int
    delay_sum: int
    on_time: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The points of a year that ends now, each list in order of time.

    `history` is everything before the live day, `live` the last 24 whole hours.
    """

    shift: timedelta
    history: Sequence[DemoPoint]
    live: Sequence[DemoPoint]

    def live_hours(self) -> list[tuple[datetime, list[DemoPoint]]]:
        """The live day hour by hour, oldest first; an hour without any point is left out."""
        hours: dict[datetime, list[DemoPoint]] = {}
        for point in self.live:
            hour = point.timestamp.replace(minute=0, second=0)
            hours.setdefault(hour, []).append(point)
        return sorted(hours.items())


def read_flights(path: Path = DATA / "flights.csv.gz") -> dict[tuple[datetime, str], FlightHour]:
    """Counts by hour (UTC) and airport, only hours with scheduled departures."""
    return {
        (datetime.fromisoformat(hour), airport): FlightHour(*map(int, counts))
        for hour, airport, *counts in _rows(path)
    }


def read_weather(
    path: Path = DATA / "weather.csv.gz",
) -> dict[tuple[datetime, str], tuple[float | None, ...]]:
    """Precipitation, wind and visibility by hour (UTC) and airport; None was not measured."""
    return {
        (datetime.fromisoformat(hour), airport): tuple(
            float(value) if value else None for value in values
        )
        for hour, airport, *values in _rows(path)
    }


def derive_points(
    flights: Mapping[tuple[datetime, str], FlightHour],
    weather: Mapping[tuple[datetime, str], Sequence[float | None]],
    *,
    start: datetime = START,
    end: datetime = END,
) -> Iterator[DemoPoint]:
    """Every point of the hours from `start` up to `end` (exclusive), hour by hour, unshifted."""
    for number in range((end - start) // HOUR):
        hour = start + number * HOUR
        for airport in AIRPORTS:
            slug = airport.lower()
            for metric, value in _flight_values(flights.get((hour, airport))):
                yield DemoPoint(hour, slug, metric, value)
            observed = weather.get((hour, airport), (None,) * len(WEATHER_METRICS))
            for metric, measured in zip(WEATHER_METRICS, observed, strict=True):
                if measured is not None:
                    yield DemoPoint(hour, slug, metric, measured)


def whole_weeks(now: datetime) -> timedelta:
    """By how much the year is moved: the least whole number of weeks after which it reaches `now`.

    Whole weeks keep each value on its weekday and hour. The rest of the year's last week, at most
    seven days less an hour, lies in the future and appears as time passes.
    """
    return -((END - _whole_hour(now)) // WEEK) * WEEK


def build_timeline(
    points: Iterable[DemoPoint], now: datetime, *, shift: timedelta | None = None
) -> Timeline:
    """`points` (unshifted, in order of time) as a year that ends with the last hour over by `now`.

    `now` must be aware; the same `now` gives the same timeline. `shift` None: by whole weeks.
    """
    shift, newest = whole_weeks(now) if shift is None else shift, _whole_hour(now)
    history: list[DemoPoint] = []
    live: list[DemoPoint] = []
    for point in points:
        moved = point._replace(timestamp=point.timestamp + shift)
        if moved.timestamp < newest - DAY:
            history.append(moved)
        elif moved.timestamp < newest:
            live.append(moved)
    return Timeline(shift, history, live)


def _flight_values(hour: FlightHour | None) -> Iterator[tuple[str, float]]:
    if hour is None:
        yield "departures", 0.0
        yield "cancelled", 0.0
        return
    flown = hour.scheduled - hour.cancelled
    yield "departures", float(hour.scheduled)
    yield "cancelled", float(hour.cancelled)
    yield "cancel_rate", hour.cancelled / hour.scheduled
    if flown:
        yield "delay_mean", hour.delay_sum / flown
    yield "on_time_rate", hour.on_time / hour.scheduled


def _whole_hour(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _rows(path: Path) -> Iterator[list[str]]:
    with gzip.open(path, "rt", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from rows
