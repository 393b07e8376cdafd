"""Late points of rules that group, count totals, or ask the detector."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convex.alerts.assess_late import MOST_RELEARNT
from convex.alerts.model import Condition, RuleType
from convex.db import Database
from convex.metrics.model import Aggregate, to_datetime
from tests.conftest import make_tenant
from tests.convex.alerts.conftest import NOW, Bench, at, batch_of, make_bench
from tests.convex.alerts.test_anomalies import ANOMALY, history

A, B = {"site": "x", "gate": "a"}, {"site": "x", "gate": "b"}
TOTAL: dict[str, Any] = {"type": RuleType.MILESTONE, "aggregate": Aggregate.SUM}
Point = tuple[float, float, dict[str, str]]

_HYPOTHESIS = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


async def met(bench: Bench, *labels: dict[str, str], value: float = 3) -> None:
    """The series are met two hours ago, so that what follows happens while watched."""
    bench.now = NOW - timedelta(hours=2)
    await bench.push_batch(batch_of([(0, value, some) for some in labels]))
    bench.now = NOW


async def found(bench: Bench) -> list[tuple[Any, ...]]:
    names = ("opened_at", "resolved_at", "labels", "historical")
    return [tuple(str(row[name]) for name in names) for row in await bench.triggers()]


# groups


async def test_a_late_episode_of_one_series_is_one_of_the_group(bench: Bench) -> None:
    await bench.rule(group_by=("site",), deduplication_window_seconds=0)
    await met(bench, A, B)
    await bench.push_batch(batch_of([(118, 3, A), (119, 3, B)]))
    await bench.push_batch(batch_of([(50, 12, A), (51, 3, A)]))
    (trigger,) = await bench.triggers()
    assert (trigger["labels"], trigger["historical"]) == ({"site": "x"}, True)
    assert (trigger["opened_at"], trigger["resolved_at"]) == (
        to_datetime(at(50)),
        to_datetime(at(51)),
    )
    assert not any(row["planned"] for row in await bench.transitions())


async def test_what_another_series_told_in_time_is_not_told_again(bench: Bench) -> None:
    await bench.rule(group_by=("site",), deduplication_window_seconds=0)
    await met(bench, A, B)
    await bench.push([(50, 12)], A)
    await bench.push([(60, 3)], A)
    await bench.push([(60, 3)], B)
    before = await found(bench)
    await bench.push([(55, 12)], B)
    assert await found(bench) == before


async def test_a_late_episode_leaves_the_open_trigger_of_the_group_alone(bench: Bench) -> None:
    await bench.rule(group_by=("site",), deduplication_window_seconds=0)
    await met(bench, A, B)
    await bench.push([(118, 3), (119, 12)], A)
    await bench.push([(119, 3)], B)
    await bench.push([(50, 12), (51, 3)], B)
    past, now = await bench.triggers()
    assert (past["state"], past["resolved_at"]) == ("resolved", to_datetime(at(51)))
    assert (now["state"], now["opened_at"]) == ("firing", to_datetime(at(119)))
    await bench.push([(119.5, 3)], A)
    assert (await bench.triggers())[-1]["state"] == "resolved"


async def test_a_late_point_can_make_the_group_fire_now_and_the_next_one_ends_it(
    bench: Bench,
) -> None:
    await bench.rule(group_by=("site",), for_seconds=240)
    await met(bench, A, B)
    await bench.push([(118, 12), (119, 12)], A)
    await bench.push([(119, 3)], B)
    assert await bench.triggers() == []
    await bench.push([(115, 12)], A)
    (trigger,) = await bench.triggers()
    assert (trigger["state"], trigger["opened_at"]) == ("firing", to_datetime(at(119)))
    await bench.push([(119.5, 3)], A)
    (trigger,) = await bench.triggers()
    assert trigger["resolved_at"] == to_datetime(at(119.5))


async def test_late_and_new_points_of_a_group_come_in_one_batch(bench: Bench) -> None:
    await bench.rule(group_by=("site",), for_seconds=240)
    await met(bench, A, B)
    await bench.push([(118, 12), (118.5, 12)], A)
    await bench.push_batch(batch_of([(114.4, 12, A), (119, 3, A), (119, 3, B)]))
    (trigger,) = await bench.triggers()
    assert (trigger["state"], trigger["resolved_at"]) == ("resolved", to_datetime(at(119)))


@_HYPOTHESIS
@given(
    runs=st.lists(
        st.tuples(st.sampled_from([3.0, 12.0]), st.sampled_from([3.0, 12.0])),
        min_size=2,
        max_size=6,
    ),
    pieces=st.permutations(range(6)),
)
async def test_an_import_in_pieces_finds_every_episode_of_a_group(
    runs: list[tuple[float, float]], pieces: list[int], api: Database, worker: Database
) -> None:
    ordered = await make_bench(api, await make_tenant(worker))
    mixed = await make_bench(api, await make_tenant(worker))
    points: list[list[Point]] = [[], []]
    for number, pair in enumerate(value for value in runs for _ in range(24)):
        for which, labels in enumerate((A, B)):
            points[which].append((1 + number * 0.7, pair[which], labels))
    size = len(points[0]) // 3 + 1
    for bench in (ordered, mixed):
        await bench.rule(group_by=("site",), deduplication_window_seconds=0)
    last: list[Point] = [(119.0, 3.0, A), (119.0, 3.0, B)]
    await ordered.push_batch(batch_of(points[0] + points[1] + last, history=True))
    await mixed.push_batch(batch_of(last, history=True))
    for piece in pieces:
        some, part = points[piece % 2], piece // 2
        if cut := some[part * size : (part + 1) * size]:
            await mixed.push_batch(batch_of(cut, history=True))
    # Two that were found apart can turn out to be one; what was found is not taken away.
    assert {row[:3] for row in await found(mixed)} >= {row[:3] for row in await found(ordered)}


# totals


async def test_a_late_point_that_reaches_the_goal_opens_the_milestone_where_it_was_reached(
    bench: Bench,
) -> None:
    await bench.rule(**TOTAL, threshold_value=20.0)
    await met(bench, {})
    await bench.push([(60, 5), (118, 5)])
    assert await bench.triggers() == []
    await bench.push([(50, 8)])
    (trigger,) = await bench.triggers()
    assert (trigger["opened_at"], trigger["historical"]) == (to_datetime(at(118)), False)
    assert trigger["value"] == 21
    await bench.push([(119, 5)])
    assert len(await bench.triggers()) == 1
    (state,) = await bench.states()
    assert state["running_total"] == 26


async def test_a_late_point_that_is_no_news_counts_from_then_on(bench: Bench) -> None:
    await bench.rule(**TOTAL, threshold_value=20.0)
    await met(bench, {})
    await bench.push([(60, 5), (118, 5)])
    await bench.push([(50, 3)])
    await bench.push([(51, 2)])
    (state,) = await bench.states()
    assert state["running_total"] == 18
    await bench.push([(119, 1)])
    await bench.push([(119.5, 1)])
    (trigger,) = await bench.triggers()
    assert trigger["opened_at"] == to_datetime(at(119.5))


async def test_a_goal_that_was_reached_stays_where_it_was_told(bench: Bench) -> None:
    await bench.rule(**TOTAL, threshold_value=20.0)
    await met(bench, {})
    await bench.push([(60, 5), (118, 15)])
    before = await found(bench)
    await bench.push([(50, 30)])
    assert await found(bench) == before
    assert len(before) == 1


async def test_a_level_is_reached_once_also_when_it_was_reached_earlier_than_known(
    bench: Bench,
) -> None:
    await bench.rule(type=RuleType.MILESTONE, threshold_value=20.0)
    await met(bench, {})
    await bench.push([(118, 25)])
    await bench.push([(50, 30), (51, 3)])
    (trigger,) = await bench.triggers()
    assert trigger["opened_at"] == to_datetime(at(118))


@_HYPOTHESIS
@given(
    values=st.lists(st.integers(0, 9), min_size=4, max_size=40),
    goal=st.integers(5, 150),
    pieces=st.permutations(range(4)),
)
async def test_an_import_in_pieces_reaches_the_goal_at_the_same_point(
    values: list[int], goal: int, pieces: list[int], api: Database, worker: Database
) -> None:
    ordered = await make_bench(api, await make_tenant(worker))
    mixed = await make_bench(api, await make_tenant(worker))
    points: list[Point] = [(1.0 + number, float(value), {}) for number, value in enumerate(values)]
    size = len(points) // 4 + 1
    for bench in (ordered, mixed):
        await bench.rule(**TOTAL, threshold_value=float(goal))
    last: list[Point] = [(119.0, 0.0, {})]
    await ordered.push_batch(batch_of(points + last, history=True))
    await mixed.push_batch(batch_of(last, history=True))
    for piece in pieces:
        if cut := points[piece * size : (piece + 1) * size]:
            await mixed.push_batch(batch_of(cut, history=True))
    assert await found(mixed) == await found(ordered)
    totals = [[row["running_total"] for row in await b.states()] for b in (ordered, mixed)]
    assert totals == [[float(sum(values))]] * 2


# detectors


async def test_a_late_anomaly_is_found_and_what_follows_is_scored_as_if_it_had_come_in_time(
    bench: Bench,
) -> None:
    await bench.rule(**ANOMALY, condition=Condition.CHANGES_BY)
    before, rest = history()[:840], history()[841:]
    late, end = (history()[840][0], 60.0), (118.0, -400.0)
    await bench.push([*before, late, *rest], {"gate": "in time"}, history=True)
    await bench.push([*before, *rest], {"gate": "late"}, history=True)
    await bench.push([late], {"gate": "late"}, history=True)
    for gate in ("in time", "late"):
        await bench.push([end], {"gate": gate}, history=True)
    seen: dict[str, dict[Any, list[Any]]] = {"in time": {}, "late": {}}
    for row in await bench.triggers():
        shown = [row["resolved_at"], row["value"], row["reason"]]
        seen[row["labels"]["gate"]][row["opened_at"]] = shown
    for instant in (late[0], end[0]):
        opened = to_datetime(at(instant))
        assert seen["late"][opened] == seen["in time"][opened]


async def test_an_import_in_two_halves_learns_what_one_import_learns(bench: Bench) -> None:
    await bench.rule(**ANOMALY, condition=Condition.ABOVE)
    points = [*history(), (3.0, 10.0), (5.0, 50.0), (8.0, 10.0), (60.0, 9.5), (118.0, 10.0)]
    await bench.push(points, {"gate": "whole"}, history=True)
    await bench.push(points[-900:], {"gate": "halves"}, history=True)
    await bench.push(points[:-900], {"gate": "halves"}, history=True)
    by_gate: dict[str, set[Any]] = {"whole": set(), "halves": set()}
    for row in await bench.triggers():
        by_gate[row["labels"]["gate"]].add((row["opened_at"], row["resolved_at"]))
    assert to_datetime(at(5)) in {opened for opened, _ in by_gate["whole"]}
    assert by_gate["halves"] >= by_gate["whole"]  # what was found with less knowledge stays


@pytest.mark.parametrize("again", [False, True])
async def test_a_series_too_long_to_learn_again_goes_on_as_it_was(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    monkeypatch.setattr("convex.alerts.assess_late.MOST_RELEARNT", MOST_RELEARNT if again else 1000)
    await bench.rule(**ANOMALY, condition=Condition.ABOVE)
    await bench.push([*history(), (10, 10.0), (60, 10.0)])
    await bench.push([(5, 60.0)])
    assert len(await bench.triggers()) == int(again)
    await bench.push([(118, 7000.0)])
    assert (await bench.triggers())[-1]["opened_at"] == to_datetime(at(118))
