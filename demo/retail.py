"""The second demo's points: a web shop's invoices, as dirty as they came.

By the hour and market: revenue (£), lines, cancel_rate, anonymous_rate and repeated_rate (shares of
the hour's lines); by the minute: largest_quantity, the largest quantity of one line. What must show
are two orders that nobody meant: 74,215 jars on 18 January 2011 at 10:01, and 80,995 paper birds on
9 December 2011 at 09:15, in the last hours of the data.

The two years are moved by whole hours, so that they end now and the second order is always part of
the live day; hours without an invoice have no point.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo.timeline import DATA, HOUR, DemoPoint, Timeline, build_timeline

START = datetime(2009, 12, 1, tzinfo=UTC)
END = datetime(2011, 12, 9, 13, tzinfo=UTC)  # exclusive
LARGEST_MEANT = 20_000.0
MARKETS = {"home": "shop-uk", "abroad": "shop-abroad"}


def derive_retail(file: Path = DATA / "retail.csv.gz") -> Iterator[DemoPoint]:
    """Every point in order of time, unshifted; those of an hour after those of its minutes."""
    hours: dict[str, list[int]] = {}
    hour = START
    with gzip.open(file, "rt", newline="") as text:
        rows = csv.reader(text)
        next(rows)
        for minute, market, *counts in rows:
            moment = datetime.fromisoformat(minute)
            begin = moment.replace(minute=0)
            if begin != hour:
                yield from _of_hour(hour, hours)
                hour, hours = begin, {}
            lines, repeated, anonymous, cancelled, revenue, largest = map(int, counts)
            total = hours.setdefault(market, [0, 0, 0, 0, 0])
            for place, count in enumerate((lines, repeated, anonymous, cancelled, revenue)):
                total[place] += count
            if largest:
                yield DemoPoint(moment, MARKETS[market], "largest_quantity", float(largest))
    yield from _of_hour(hour, hours)


def _of_hour(hour: datetime, markets: dict[str, list[int]]) -> Iterator[DemoPoint]:
    for market, (lines, repeated, anonymous, cancelled, pence) in sorted(markets.items()):
        for metric, value in (
            ("revenue", pence / 100),
            ("lines", float(lines)),
            ("cancel_rate", cancelled / lines),
            ("anonymous_rate", anonymous / lines),
            ("repeated_rate", repeated / lines),
        ):
            yield DemoPoint(hour, MARKETS[market], metric, value)


def retail_timeline(now: datetime) -> Timeline:
    """The two years as if they ended with the last whole hour before `now`."""
    newest = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    shift: timedelta = (newest - END) // HOUR * HOUR
    return build_timeline(derive_retail(), now, shift=shift)
