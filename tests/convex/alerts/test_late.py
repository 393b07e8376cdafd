"""Points that come late: what they add, and what they never take back."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convex.db import Database
from convex.metrics.model import to_datetime
from tests.conftest import make_tenant
from tests.convex.alerts.conftest import NOW, Bench, at, batch_of, make_bench


async def watched(bench: Bench) -> None:
    """The series is met two hours ago, so that what follows happens while watched."""
    bench.now = NOW - timedelta(hours=2)
    await bench.push([(0, 3)])
    bench.now = NOW


async def test_an_old_breach_is_recorded_as_history_and_tells_nobody(bench: Bench) -> None:
    await bench.rule()
    await watched(bench)
    await bench.push([(100, 3), (119, 3)])
    result = await bench.push([(50, 12), (51, 3)])
    assert result.cursor is None
    (trigger,) = await bench.triggers()
    assert trigger["historical"]
    assert trigger["opened_at"] == to_datetime(at(50))
    assert trigger["resolved_at"] == to_datetime(at(51))
    assert not any(row["planned"] for row in await bench.transitions())
    again = await bench.push([(50, 12), (51, 3)])
    assert (again.unchanged, again.transitions) == (2, 0)


async def test_a_breach_within_the_lateness_still_notifies(bench: Bench) -> None:
    await bench.rule()
    await watched(bench)
    await bench.push([(119, 3)])
    await bench.push([(117, 12)])
    (trigger,) = await bench.triggers()
    assert not trigger["historical"]
    assert trigger["resolved_at"] == to_datetime(at(119))
    assert all(row["planned"] for row in await bench.transitions())


async def test_a_late_point_can_make_the_condition_hold_now(bench: Bench) -> None:
    await bench.rule(for_seconds=240)
    await watched(bench)
    await bench.push([(118, 12), (119, 12)])
    assert await bench.triggers() == []
    await bench.push([(115, 12)])
    (trigger,) = await bench.triggers()
    assert trigger["state"] == "firing"
    assert trigger["opened_at"] == to_datetime(at(119))
    bench.now = NOW + timedelta(minutes=3)
    await bench.push([(120, 3)])
    (trigger,) = await bench.triggers()
    assert trigger["state"] == "resolved"


async def test_a_late_point_can_break_what_was_pending(bench: Bench) -> None:
    await bench.rule(for_seconds=180)
    await watched(bench)
    await bench.push([(116, 12), (118, 12)])
    await bench.push([(117, 3)])
    await bench.push([(119, 12)])
    assert await bench.triggers() == []
    (state,) = await bench.states()
    assert state["pending_since"] == to_datetime(at(118))


async def test_what_was_told_is_not_taken_back(bench: Bench) -> None:
    await bench.rule(for_seconds=180)
    await watched(bench)
    await bench.push([(115, 12), (119, 12)])
    await bench.push([(117, 3)])
    (trigger,) = await bench.triggers()
    assert trigger["state"] == "firing"


async def test_a_late_episode_that_is_over_leaves_the_open_trigger_alone(bench: Bench) -> None:
    await bench.rule()
    await watched(bench)
    await bench.push([(118, 3), (119, 12)])
    await bench.push([(50, 12)])
    await bench.push([(51, 3)])
    past, now = await bench.triggers()
    assert (past["historical"], past["state"]) == (True, "resolved")
    assert (past["opened_at"], past["resolved_at"]) == (to_datetime(at(50)), to_datetime(at(51)))
    assert (now["historical"], now["state"]) == (False, "firing")
    assert now["opened_at"] == to_datetime(at(119))
    (state,) = await bench.states()
    assert (state["state"], state["trigger_id"]) == ("firing", now["id"])


async def test_history_that_comes_in_pieces_ends_where_it_belongs(bench: Bench) -> None:
    await bench.rule(deduplication_window_seconds=0)
    await watched(bench)
    await bench.push([(119, 3)])
    await bench.push([(30, 12), (31, 12)])
    (trigger,) = await bench.triggers()
    assert trigger["resolved_at"] == to_datetime(at(119))
    await bench.push([(minute, 3) for minute in range(32, 60)])
    await bench.push([(60, 12), (61, 3)])
    first, second = await bench.triggers()
    assert first["resolved_at"] == to_datetime(at(32))
    assert second["opened_at"] == to_datetime(at(60))
    assert second["resolved_at"] == to_datetime(at(61))
    ends = [row["at"] for row in await bench.transitions() if row["kind"] == "changed"]
    assert ends == [to_datetime(at(32))]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    runs=st.lists(st.sampled_from([3.0, 12.0]), min_size=2, max_size=12),
    pieces=st.permutations(range(4)),
)
async def test_an_import_in_pieces_finds_every_episode(
    runs: list[float], pieces: list[int], api: Database, worker: Database
) -> None:
    """Runs of 24 points, so that nothing flaps, in four pieces that come in any order."""
    ordered = await make_bench(api, await make_tenant(worker))
    mixed = await make_bench(api, await make_tenant(worker))
    values = [value for value in runs for _ in range(24)]
    points: list[tuple[float, float, dict[str, str]]] = [
        (1 + number * 0.4, value, {}) for number, value in enumerate(values)
    ]
    size = len(points) // 4 + 1
    for bench in (ordered, mixed):
        await bench.rule(deduplication_window_seconds=0)
    last: list[tuple[float, float, dict[str, str]]] = [(119.0, 3.0, {})]
    await ordered.push_batch(batch_of(points + last, history=True))
    await mixed.push_batch(batch_of(last, history=True))
    for piece in pieces:
        if cut := points[piece * size : (piece + 1) * size]:
            await mixed.push_batch(batch_of(cut, history=True))
    true = {(row["opened_at"], row["resolved_at"]) for row in await ordered.triggers()}
    found = {(row["opened_at"], row["resolved_at"]) for row in await mixed.triggers()}
    assert found == true
