"""Batches written as one: each sender hears what it would have heard alone."""

from __future__ import annotations

from typing import Any

import pytest

from convex.alerts.pooled import NotSeparable, count_together, ingest_together, is_poolable
from convex.db import Role
from convex.metrics.model import PointBatch
from convex.metrics.partitions import ensure_partitions
from tests.convex.alerts.conftest import Bench, batch_of


def one(name: str, *points: tuple[float, float]) -> PointBatch:
    return batch_of([(minute, value, {"gate": name}) for minute, value in points])


@pytest.mark.parametrize(
    ("names", "together"),
    [
        (["a"], 1),
        (["a", "b", "c"], 3),
        (["a", "b", "a", "c"], 2),
        ([f"g{n}" for n in range(50)], 32),
    ],
)
def test_no_series_is_met_twice_and_nobody_overtakes(names: list[str], together: int) -> None:
    assert count_together([one(name, (1, 1)) for name in names]) == together


def test_the_order_of_labels_makes_no_other_series() -> None:
    forth, back = batch_of([(1, 1, {"a": "1", "b": "2"})]), batch_of([(1, 1, {"b": "2", "a": "1"})])
    assert count_together([forth, back]) == 1


def test_what_cannot_be_compared_goes_alone() -> None:
    odd: Any = {"a": ["1"]}
    assert count_together([batch_of([(1, 1, odd)]), one("b", (1, 1))]) == 1
    assert count_together([one("b", (1, 1)), batch_of([(1, 1, odd)])]) == 1


def test_large_batches_and_history_are_not_pooled() -> None:
    assert is_poolable(one("a", (1, 1)))
    assert not is_poolable(one("a", *((minute, 1.0) for minute in range(65))))
    assert not is_poolable(batch_of([(1, 1, {})], history=True))
    assert not is_poolable(batch_of([]))


async def together(bench: Bench, *batches: PointBatch) -> list[dict[str, Any]]:
    identity = bench.tenant.identity(Role.INGEST)
    async with bench.database.transaction(identity) as connection:
        await ensure_partitions(connection, batches[0], now=bench.now)
    async with bench.database.transaction(identity) as connection:
        whole, each = await ingest_together(
            connection, bench.tenant.workspace_id, batches, now=bench.now
        )
    assert whole.accepted == sum(portion.accepted for portion in each)
    return [{"accepted": p.accepted, "triggers": p.trigger_ids} for p in each]


async def test_each_hears_of_its_own_triggers(bench: Bench) -> None:
    await bench.rule()
    quiet, loud, louder = await together(
        bench, one("a", (119, 3)), one("b", (118, 1), (119, 12)), one("c", (119, 30))
    )
    of_gate = {row["labels"]["gate"]: row["id"] for row in await bench.triggers()}
    assert quiet == {"accepted": 1, "triggers": []}
    assert loud == {"accepted": 2, "triggers": [of_gate["b"]]}
    assert louder == {"accepted": 1, "triggers": [of_gate["c"]]}
    events = await bench.rows("SELECT cursor FROM convex.live_events ORDER BY cursor")
    assert [event["cursor"] for event in events] == [1, 2]


async def test_points_that_are_there_already_send_everybody_back(bench: Bench) -> None:
    await bench.push_batch(one("a", (119, 3)))
    with pytest.raises(NotSeparable):
        await together(bench, one("a", (119, 3)), one("b", (119, 3)))
    (count,) = await bench.rows("SELECT count(*) AS points FROM convex.points")
    assert count == {"points": 1}
