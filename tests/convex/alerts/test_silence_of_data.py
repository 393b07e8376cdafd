"""Series that go silent, told by the clock or by the next point: the same outcome."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from convex.alerts.model import NoData
from convex.alerts.silence_of_data import check_silence
from convex.metrics.model import to_datetime
from tests.convex.alerts.conftest import NOW, Bench, at


async def check(bench: Bench, minutes: float = 0) -> Any:
    async with bench.database.transaction(bench.tenant.identity()) as connection:
        return await check_silence(
            connection, bench.tenant.workspace_id, now=NOW + timedelta(minutes=minutes)
        )


async def test_silence_opens_an_alert_with_the_labels_of_the_series(bench: Bench) -> None:
    await bench.rule(no_data=NoData.ALERT, no_data_after_seconds=600)
    await bench.push([(115, 3)], {"gate": "a"})
    assert (await check(bench)).transitions == 0
    assert (await check(bench, 6)).transitions == 1
    assert (await check(bench, 7)).transitions == 0
    (trigger,) = await bench.triggers()
    assert trigger["labels"] == {"gate": "a"}
    assert trigger["opened_at"] == to_datetime(at(125))
    assert trigger["reason"] == "delay has had no data for 10m."
    bench.now = NOW + timedelta(minutes=10)
    await bench.push([(129, 3)], {"gate": "a"})
    (trigger,) = await bench.triggers()
    assert trigger["resolution"] == "recovered"


async def test_silence_resolves_where_it_means_that_all_is_well(bench: Bench) -> None:
    await bench.rule(no_data=NoData.OK, no_data_after_seconds=600)
    await bench.push([(115, 30)])
    assert (await check(bench, 6)).transitions == 1
    (trigger,) = await bench.triggers()
    assert trigger["resolution"] == "no_data"
    assert trigger["resolved_at"] == to_datetime(at(125))


async def test_the_next_point_tells_the_same_as_the_clock(bench: Bench) -> None:
    await bench.rule(no_data=NoData.ALERT, no_data_after_seconds=600)
    await bench.push([(100, 3)], {"gate": "clock"})
    await bench.push([(100, 3)], {"gate": "point"})
    await bench.push([(115, 3)], {"gate": "point"})
    await check(bench)
    await bench.push([(115, 3)], {"gate": "clock"})
    clock, point = await bench.triggers()
    assert clock["opened_at"] == point["opened_at"] == to_datetime(at(110))
    assert clock["resolved_at"] == point["resolved_at"] == to_datetime(at(115))


async def test_silence_that_began_long_ago_is_history(bench: Bench) -> None:
    await bench.rule(no_data=NoData.ALERT, no_data_after_seconds=600)
    await bench.push([(100, 3)])
    assert (await check(bench, 60 * 48)).cursor is None
    (trigger,) = await bench.triggers()
    assert trigger["historical"]
