"""The second demo's data: what it was made from, and that both incidents are in it."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime, timedelta

import pytest

from demo.dataset import DATASETS, RETAIL
from demo.rebuild_retail import COLUMNS, FILE, gather
from demo.retail import LARGEST_MEANT, derive_retail
from demo.timeline import DAY, HOUR

LINES, REPEATED, ANONYMOUS = 1_067_371, 34_335, 243_007


def test_the_committed_rows_add_up_to_the_invoice_lines() -> None:
    with gzip.open(FILE, "rt", newline="") as text:
        rows = list(csv.DictReader(text))
    assert tuple(rows[0]) == COLUMNS
    sums = {name: sum(int(row[name]) for row in rows) for name in COLUMNS[2:6]}
    assert (sums["lines"], sums["repeated"], sums["anonymous"]) == (LINES, REPEATED, ANONYMOUS)
    assert sums["anonymous"] / LINES == pytest.approx(0.228, abs=0.0005)
    assert rows == sorted(rows, key=lambda row: (row["minute"], row["market"]))


def test_lines_are_gathered_by_market_and_minute() -> None:
    line = {
        "Invoice": "1",
        "StockCode": "a",
        "Description": "",
        "Quantity": "3",
        "InvoiceDate": "1/18/2011 10:01",
        "Price": "1.5",
        "Customer ID": "",
        "Country": "United Kingdom",
    }
    gone = {**line, "Invoice": "C1", "Quantity": "-3", "Customer ID": "7"}
    found = gather([line, line, gone, {**line, "Country": "France"}])
    home = found["2011-01-18T10:01Z", "home"]
    assert (home.lines, home.repeated, home.anonymous, home.cancelled) == (3, 1, 2, 1)
    assert (home.revenue, home.largest) == (900, 3)
    assert found["2011-01-18T10:01Z", "abroad"].lines == 1


def test_two_orders_that_nobody_meant_stand_out() -> None:
    found = [
        (point.timestamp, point.value)
        for point in derive_retail()
        if point.metric == "largest_quantity" and point.value > LARGEST_MEANT
    ]
    assert found == [
        (datetime(2011, 1, 18, 10, 1, tzinfo=UTC), 74_215),
        (datetime(2011, 12, 9, 9, 15, tzinfo=UTC), 80_995),
    ]


@pytest.mark.parametrize("hour", range(0, 24, 5))
def test_the_second_is_part_of_the_live_day_whenever_the_demo_runs(hour: int) -> None:
    now = datetime(2026, 7, 1, hour, 37, tzinfo=UTC)
    timeline = RETAIL.timeline(now)
    live = [p.value for p in timeline.live if p.metric == "largest_quantity"]
    assert max(live) == 80_995
    largest = [p.value for p in timeline.history if p.metric == "largest_quantity"]
    assert max(largest) == 74_215
    assert timeline.history[-1].timestamp < now - DAY
    assert all(now - DAY - HOUR <= point.timestamp < now for point in timeline.live)
    assert timeline.shift % HOUR == timedelta()


def test_each_data_set_has_its_workspace_and_folder() -> None:
    assert set(DATASETS) == {"flights", "retail"}
    assert len({one.source for one in DATASETS.values()}) == 2
    assert all(one.blueprint.is_file() for one in DATASETS.values())
