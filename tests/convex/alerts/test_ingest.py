"""Points in, alerts out, against a real PostgreSQL as the login of the API."""

from __future__ import annotations

import numpy as np

from convex.alerts import service
from convex.alerts.model import Condition
from convex.metrics.model import STALE_BITS, to_datetime
from tests.convex.alerts.conftest import NOW, Bench, at, batch_of


async def test_a_breach_opens_a_trigger_and_its_end_resolves_it(bench: Bench) -> None:
    rule = await bench.rule(severity="critical")
    opened = await bench.push([(118, 3), (119, 12)])
    assert (opened.accepted, opened.corrected, opened.unchanged, opened.rejected) == (2, 0, 0, 0)
    assert opened.transitions == 1
    assert opened.cursor == 1
    (trigger,) = await bench.triggers()
    assert opened.trigger_ids == [trigger["id"]]
    assert trigger["state"] == "firing"
    assert trigger["rule_id"] == rule.id
    assert trigger["severity"] == "critical"
    assert trigger["value"] == 12
    assert trigger["threshold"] == 10
    assert trigger["opened_at"] == to_datetime(at(119))
    assert trigger["reason"] == "delay is 12, above 10."
    assert not trigger["historical"]
    closed = await bench.push([(120, 4)])
    assert closed.trigger_ids == [trigger["id"]]
    (trigger,) = await bench.triggers()
    assert (trigger["state"], trigger["resolution"]) == ("resolved", "recovered")
    kinds = [(row["kind"], row["from_state"], row["to_state"], row["planned"])
             for row in await bench.transitions()]  # fmt: skip
    assert kinds == [("opened", None, "firing", True), ("resolved", "firing", "resolved", True)]
    events = await bench.rows("SELECT * FROM convex.live_events ORDER BY cursor")
    assert [event["data"]["state"] for event in events] == ["firing", "resolved"]
    assert events[0]["data"]["framework"] == "airport"


async def test_the_same_batch_again_changes_nothing(bench: Bench) -> None:
    await bench.rule()
    points = [(117.0, 3.0), (118.0, 12.0), (119.0, 13.0)]
    await bench.push(points)
    before = [await bench.triggers(), await bench.transitions(), await bench.states()]
    again = await bench.push(points)
    assert (again.accepted, again.unchanged, again.transitions) == (0, 3, 0)
    assert [await bench.triggers(), await bench.transitions(), await bench.states()] == before


async def test_a_correction_is_counted_and_never_pages(bench: Bench) -> None:
    await bench.rule()
    await bench.push([(118, 3), (119, 3)])
    corrected = await bench.push([(118, 50), (119, 3)])
    assert (corrected.corrected, corrected.unchanged) == (1, 1)
    assert await bench.triggers() == []
    audit = await bench.rows("SELECT * FROM convex.audit_log WHERE table_name LIKE 'points%%'")
    assert len(audit) == 1


async def test_what_cannot_be_stored_is_kept_with_its_reason(bench: Bench) -> None:
    batch = batch_of(
        [(1, np.nan, {}), (2, np.inf, {}), (131, 1, {}), (3, 1, {}), (4, 1, {"bad name": "x"})]
    )
    batch.frameworks[3] = "nobody"
    result = await bench.push_batch(batch)
    assert (result.accepted, result.rejected) == (0, 5)
    rows = await bench.rows("SELECT reason, point FROM convex.rejected_points ORDER BY id")
    assert [row["reason"] for row in rows] == [
        "not_a_number",
        "infinite",
        "in_the_future",
        "unknown_framework",
        "invalid_labels",
    ]
    assert rows[0]["point"]["value"] == "nan"


async def test_metrics_and_series_are_made_by_pushing_unless_the_workspace_says_no(
    bench: Bench,
) -> None:
    made = await bench.push([(1, 1)], {"gate": "a"}, metric="new")
    assert made.accepted == 1
    async with bench.database.transaction(bench.tenant.identity()) as connection:
        await connection.execute(
            "UPDATE convex.workspaces SET settings ="
            ' \'{"auto_create_metrics": false, "series_limit": 2}\''
        )
    assert (await bench.push([(1, 1)], metric="newer")).refused == {"unknown_metric": 1}
    assert (await bench.push([(1, 1)], {"gate": "b"}, metric="new")).accepted == 1
    assert (await bench.push([(1, 1)], {"gate": "c"}, metric="new")).refused == {
        "too_many_series": 1
    }


async def test_acknowledging_and_resolving_by_hand(bench: Bench) -> None:
    await bench.rule()
    await bench.push([(118, 12)])
    (row,) = await bench.triggers()
    identity = bench.tenant.identity()
    async with bench.database.transaction(identity) as connection:
        acted = await service.acknowledge(connection, identity, row["id"], note="mine", now=NOW)
    assert acted.trigger.state == "acknowledged"
    assert acted.trigger.acknowledged_by is not None
    assert acted.cursor == 2
    await bench.push([(119, 13)])
    (row,) = await bench.triggers()
    assert (row["state"], row["repeat_count"]) == ("acknowledged", 1)
    async with bench.database.transaction(identity) as connection:
        acted = await service.resolve(connection, identity, row["id"], now=NOW)
    assert acted.trigger.resolution == "by_hand"
    await bench.push([(121, 14)])
    (row,) = await bench.triggers()
    assert (row["state"], row["repeat_count"]) == ("resolved", 2)
    await bench.push([(127, 14)])
    assert [one["state"] for one in await bench.triggers()] == ["resolved", "firing"]


async def test_an_import_is_history_but_what_still_holds_becomes_live(bench: Bench) -> None:
    await bench.rule()
    await bench.push([(1, 12), (2, 3), (30, 12), (60, 12)])
    past, present = await bench.triggers()
    assert past["historical"]
    assert not present["historical"]
    assert [row["planned"] for row in await bench.transitions()] == [False, False, True]
    assert len(await bench.rows("SELECT 1 AS one FROM convex.live_events")) == 1


async def test_an_ended_series_resolves_its_trigger_as_stale(bench: Bench) -> None:
    await bench.rule()
    await bench.push([(118, 12)])
    batch = batch_of([(119, 0, {})])
    batch.values.view(np.uint64)[0] = STALE_BITS
    await bench.push_batch(batch)
    (row,) = await bench.triggers()
    assert row["resolution"] == "stale"
    (series,) = await bench.rows("SELECT newest_at, ended_at FROM convex.series")
    assert series["newest_at"] == to_datetime(at(118))
    assert series["ended_at"] == to_datetime(at(119))


async def test_windows_reach_into_points_stored_before(bench: Bench) -> None:
    await bench.rule(aggregate="mean", window_seconds=180)
    await bench.push([(100, 1), (101, 5), (102, 12)])
    await bench.push([(103, 14)])
    (row,) = await bench.triggers()
    assert row["opened_at"] == to_datetime(at(103))
    assert row["value"] == 31 / 3


async def test_a_change_is_told_against_the_point_before(bench: Bench) -> None:
    await bench.rule(condition=Condition.CHANGES_BY, threshold_value=None, change_percentage=50)
    await bench.push([(100, 10)])
    await bench.push([(101, 14), (102, 22)])
    (row,) = await bench.triggers()
    assert row["opened_at"] == to_datetime(at(102))


async def test_a_milestone_fires_once_and_resolves_itself(bench: Bench) -> None:
    await bench.rule(type="milestone", aggregate="sum", threshold_value=100)
    await bench.push([(minute, 30) for minute in range(110, 113)])
    await bench.push([(113, 30), (114, 30)])
    (row,) = await bench.triggers()
    assert (row["state"], row["resolution"], row["value"]) == ("resolved", "milestone", 120)
