"""The committed files say what the package says, and the script that writes them is right."""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from demo.rebuild_data import count_flights, hour_of, pick_weather, write_table
from demo.timeline import DATA, read_flights, read_weather

NEW_YORK = ZoneInfo("America/New_York")


def flight(local: str, stamp: str, delay: int | None, origin: str = "EWR") -> dict[str, str]:
    year, month, day, hour = local.split("-")
    return {
        "year": year,
        "month": month,
        "day": day,
        "hour": hour,
        "time_hour": stamp,
        "origin": origin,
        "dep_time": "NA" if delay is None else "600",
        "dep_delay": "NA" if delay is None else str(delay),
    }


def day_of(hour: datetime) -> date:
    return hour.astimezone(NEW_YORK).date()


@pytest.mark.parametrize(
    ("local", "stamp"),
    [
        ("2013-1-1-5", "2013-01-01T10:00:00Z"),
        ("2013-3-10-1", "2013-03-10T06:00:00Z"),
        ("2013-3-10-3", "2013-03-10T07:00:00Z"),
        ("2013-7-1-5", "2013-07-01T09:00:00Z"),
        ("2013-11-3-1", "2013-11-03T05:00:00Z"),
        ("2013-11-3-1", "2013-11-03T06:00:00Z"),
        ("2013-12-31-23", "2014-01-01T04:00:00Z"),
    ],
)
def test_a_local_hour_of_new_york_becomes_its_hour_in_utc(local: str, stamp: str) -> None:
    assert hour_of(flight(local, stamp, 0)) == datetime.fromisoformat(stamp)


def test_a_row_whose_clocks_contradict_each_other_is_refused() -> None:
    with pytest.raises(ValueError, match="EWR: local 2013-07-01 05 is not 2013-07-01T10"):
        hour_of(flight("2013-7-1-5", "2013-07-01T10:00:00Z", 0))


def test_flights_become_counts_by_hour_and_airport() -> None:
    stamp = "2013-01-01T10:00:00Z"
    rows = [
        flight("2013-1-1-5", stamp, 14, "JFK"),
        flight("2013-1-1-5", stamp, None),
        flight("2013-1-1-5", stamp, -6),
        flight("2013-1-1-5", stamp, 15),
    ]
    assert count_flights(rows)[1:] == [
        ["2013-01-01T10:00Z", "EWR", "3", "1", "9", "1"],
        ["2013-01-01T10:00Z", "JFK", "1", "0", "14", "1"],
    ]


def test_weather_keeps_what_was_measured_and_leaves_the_rest_empty() -> None:
    row = flight("2013-1-1-1", "2013-01-01T06:00:00Z", 0)
    observed = {"precip": "0", "wind_speed": "10.357019999999999", "visib": "NA"}
    assert pick_weather([row | observed])[1] == ["2013-01-01T06:00Z", "EWR", "0", "10.35702", ""]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [["hour", "airport"], ["2013-01-01T06:00Z", "EWR"]]
    write_table(tmp_path / "one.csv.gz", rows)
    write_table(tmp_path / "two.csv.gz", rows)
    assert (tmp_path / "one.csv.gz").read_bytes() == (tmp_path / "two.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "one.csv.gz").read_bytes()).decode().splitlines() == [
        "hour,airport",
        "2013-01-01T06:00Z,EWR",
    ]


def test_the_committed_files_hold_every_flight_and_every_observation_of_the_year() -> None:
    flights = read_flights()
    assert sum(hour.scheduled for hour in flights.values()) == 336_776
    assert sum(hour.cancelled for hour in flights.values()) == 8_255
    assert len(read_weather()) == 26_115
    assert {airport for _, airport in flights} == {"EWR", "JFK", "LGA"}
    files = (DATA / "flights.csv.gz", DATA / "weather.csv.gz")
    assert sum(file.stat().st_size for file in files) < 360_000


def test_the_february_blizzard_and_the_eighth_of_march_are_in_the_data() -> None:
    scheduled: Counter[date] = Counter()
    cancelled: Counter[date] = Counter()
    delay: Counter[date] = Counter()
    for (hour, _), counts in read_flights().items():
        scheduled[day_of(hour)] += counts.scheduled
        cancelled[day_of(hour)] += counts.cancelled
        delay[day_of(hour)] += counts.delay_sum

    def cancel_rate(day: date) -> float:
        return cancelled[day] / scheduled[day]

    def mean_delay(day: date) -> float:
        return delay[day] / (scheduled[day] - cancelled[day])

    assert cancel_rate(date(2013, 2, 8)) == pytest.approx(0.508, abs=5e-4)
    assert cancel_rate(date(2013, 2, 9)) == pytest.approx(0.575, abs=5e-4)
    assert mean_delay(date(2013, 2, 8)) < mean_delay(date(2013, 2, 9)) < 20
    assert mean_delay(date(2013, 3, 8)) == pytest.approx(83.5, abs=0.05)


def test_each_airport_schedules_its_hundred_thousandth_departure_on_its_day() -> None:
    totals: dict[str, int] = defaultdict(int)
    reached: dict[str, date] = {}
    for (hour, airport), counts in sorted(read_flights().items()):
        totals[airport] += counts.scheduled
        if totals[airport] >= 100_000:
            reached.setdefault(airport, day_of(hour))
    assert reached == {
        "EWR": date(2013, 10, 28),
        "JFK": date(2013, 11, 23),
        "LGA": date(2013, 12, 15),
    }


def test_hours_are_whole_and_in_utc() -> None:
    for hour, _ in [*read_flights(), *read_weather()]:
        assert hour.utcoffset() == datetime.now(UTC).utcoffset()
        assert (hour.minute, hour.second) == (0, 0)
