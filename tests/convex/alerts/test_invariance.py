"""However points are cut into batches, the same triggers and transitions; also with many writers.

Against a real PostgreSQL. The series are met first, so that every point happens while watched.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convex.alerts import bulk
from convex.alerts.model import Condition, NoData, RuleType, TriggerFilters
from convex.alerts.rule_store import RuleFilters
from convex.alerts.silence_of_data import check_silence
from convex.db import Database
from convex.metrics.model import Aggregate, to_datetime
from tests.conftest import make_tenant
from tests.convex.alerts.conftest import Bench, at, batch_of, make_bench

GATES = ("a", "b", "c")
_CONFIRMED = {Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.P50, Aggregate.P95}
Point = tuple[float, float, dict[str, str]]


@dataclass(frozen=True)
class Story:
    """Rules, points in order of time for each series, and how they come: batches of points."""

    rules: list[dict[str, Any]]
    batches: list[list[Point]]

    @property
    def whole(self) -> list[Point]:
        return [point for batch in self.batches for point in batch]


@st.composite
def rule_fields(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["threshold", "threshold", "window", "change", "milestone"]))
    if kind == "milestone":
        return {
            "type": RuleType.MILESTONE,
            "aggregate": Aggregate.SUM,
            "threshold_value": draw(st.sampled_from([30.0, 200.0])),
        }
    fields: dict[str, Any] = {
        "for_seconds": draw(st.sampled_from([0, 0, 120, 300])),
        "keep_firing_for_seconds": draw(st.sampled_from([0, 0, 180])),
        "deduplication_window_seconds": draw(st.sampled_from([0, 120, 300])),
        "no_data": draw(st.sampled_from(list(NoData))),
        "no_data_after_seconds": draw(st.sampled_from([240, 900])),
        # No series has a site, so they are one group; it cannot have an offset.
        **draw(
            st.sampled_from([{}, {}, {"evaluation_offset_seconds": 60}, {"group_by": ("site",)}])
        ),
    }
    if kind == "change":
        return fields | {
            "condition": Condition.CHANGES_BY,
            "threshold_value": None,
            "change_percentage": 30.0,
            "window_seconds": draw(st.sampled_from([0, 120])),
        }
    if kind == "window":
        fields |= {
            "aggregate": draw(st.sampled_from(list(Aggregate))),
            "window_seconds": draw(st.sampled_from([60, 150, 600])),
        }
        if fields["aggregate"] in _CONFIRMED and fields["window_seconds"] > 60:
            fields["confirm_window_seconds"] = draw(st.sampled_from([0, 60]))
    return fields | {"recovery_threshold": draw(st.sampled_from([None, 8.0]))}


@st.composite
def stories(draw: st.DrawFn) -> Story:
    points: list[Point] = []
    for gate in draw(st.lists(st.sampled_from(GATES), min_size=1, max_size=3, unique=True)):
        minute = 0.0
        for value, gap in draw(
            st.lists(
                st.tuples(st.sampled_from([5, 9, 11, 12, 14]), st.sampled_from([1, 1, 1, 2, 6])),
                min_size=3,
                max_size=25,
            )
        ):
            minute += gap
            if minute <= 119:  # no two series at one instant: a group takes them in order of time
                at_minute = minute + GATES.index(gate) / 8
                points.append((at_minute, float(value), {"gate": gate}))
    points.sort(key=lambda point: point[0])
    batches: list[list[Point]] = []
    left = points
    while left:
        size = draw(st.integers(1, 12))
        batch, left = left[:size], left[size:]
        if draw(st.booleans()):
            batch = draw(st.permutations(batch))
        batches.append(list(batch))
        if draw(st.integers(0, 5)) == 0:
            batches.append(draw(st.sampled_from(batches)))
    return Story([draw(rule_fields()) for _ in range(draw(st.integers(1, 3)))], batches)


async def start(database: Database, worker: Database, rules: list[dict[str, Any]]) -> Bench:
    """A workspace whose series were met at minute 0."""
    bench = await make_bench(database, await make_tenant(worker))
    later, bench.now = bench.now, to_datetime(at(0))
    await bench.push_batch(batch_of([(0, 5, {"gate": gate}) for gate in GATES]))
    bench.now = later
    for number, fields in enumerate(rules):
        await bench.rule(**fields, name=f"rule {number}")
    return bench


async def facts(bench: Bench) -> dict[str, Any]:
    """What may not depend on how the points came."""
    triggers = await bench.rows(
        "SELECT rule_name, labels, state, resolution, opened_at, resolved_at, last_seen_at, value,"
        " repeat_count, suppressed_count, historical, reason, version"
        " FROM convex.alert_triggers ORDER BY rule_name, labels::text, opened_at"
    )
    transitions = await bench.rows(
        "SELECT t.rule_name, t.labels, t.opened_at, x.kind, x.from_state, x.to_state, x.reason,"
        " x.value, x.at, q.transition_id IS NOT NULL AS planned"
        " FROM convex.trigger_transitions AS x"
        " INNER JOIN convex.alert_triggers AS t ON t.id = x.trigger_id"
        " LEFT JOIN convex.planning_queue AS q ON q.transition_id = x.id"
        " ORDER BY t.rule_name, t.labels::text, t.opened_at, x.id"
    )
    return {"triggers": triggers, "transitions": transitions}


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=stories())
async def test_cutting_repeating_and_shuffling_batches_changes_nothing(
    story: Story, api: Database, worker: Database
) -> None:
    whole = await start(api, worker, story.rules)
    parts = await start(api, worker, story.rules)
    await whole.push_batch(batch_of(story.whole))
    for batch in story.batches:
        await parts.push_batch(batch_of(batch))
    assert await facts(whole) == await facts(parts)
    for bench in (whole, parts):
        counts = await bench.rows("SELECT count(*) AS n FROM convex.points")
        assert counts[0]["n"] == len({(p[0], p[2]["gate"]) for p in story.whole}) + len(GATES)


async def test_eight_writers_open_one_trigger_per_fingerprint(
    api: Database, worker: Database
) -> None:
    bench = await start(api, worker, [{}, {"condition": Condition.BELOW}])
    quiet, loud = 5.0, 12.0
    batches = [
        [(10.0 + minute, (quiet, loud)[(minute + n) % 2], {"gate": gate}) for gate in GATES]
        for minute in range(20)
        for n in range(4)
    ]

    async def write(number: int) -> None:
        order = batches[number::8] if number % 2 else list(reversed(batches[number::8]))
        for batch in order:
            await bench.push_batch(batch_of(batch[::-1] if number % 3 else batch))

    await asyncio.gather(*(write(number) for number in range(8)))
    rows = await bench.rows(
        "SELECT fingerprint, count(*) FILTER (WHERE state <> 'resolved') AS open"
        " FROM convex.alert_triggers GROUP BY fingerprint"
    )
    assert rows
    assert all(row["open"] <= 1 for row in rows)
    mismatched = await bench.rows(
        "SELECT s.state, t.state AS trigger_state FROM convex.rule_states AS s"
        " LEFT JOIN convex.alert_triggers AS t ON t.id = s.trigger_id"
        " WHERE (s.state IN ('firing', 'recovering')) <> (t.state IS DISTINCT FROM 'resolved'"
        " AND t.id IS NOT NULL) AND s.flapping_since IS NULL"
    )
    assert mismatched == []
    histories = await bench.rows(
        "SELECT trigger_id, array_agg(kind ORDER BY id) AS kinds"
        " FROM convex.trigger_transitions GROUP BY trigger_id"
    )
    for history in histories:
        kinds = [kind for kind in history["kinds"] if kind not in ("flapping", "changed")]
        assert kinds[0] == "opened"
        assert all(
            (kind == "resolved") == (number % 2 == 1) for number, kind in enumerate(kinds)
        ), kinds


async def test_a_rolled_back_batch_leaves_nothing_and_comes_in_again(bench: Bench) -> None:
    await bench.rule()

    class Stopped(Exception):
        pass

    from convex.alerts.ingest import ingest_points

    batch = batch_of([(118, 3, {"gate": "z"}), (119, 12, {"gate": "z"})])
    try:
        async with bench.database.transaction(bench.tenant.identity()) as connection:
            await ingest_points(connection, bench.tenant.workspace_id, batch, now=bench.now)
            raise Stopped
    except Stopped:
        pass
    assert await bench.triggers() == []
    assert (await bench.push_batch(batch)).accepted == 2
    assert len(await bench.triggers()) == 1


async def test_two_processes_that_meet_the_same_new_series_agree(
    api: Database, worker: Database
) -> None:
    bench = await make_bench(api, await make_tenant(worker))
    await bench.rule()
    results = await asyncio.gather(
        *(bench.push([(119, 12)], {"gate": "new"}, metric="delay") for _ in range(6))
    )
    assert sum(result.accepted for result in results) == 1
    assert sum(result.unchanged for result in results) == 5
    assert len(await bench.triggers()) == 1


async def test_people_rules_and_writers_at_once_wait_for_each_other_in_one_order(
    api: Database, worker: Database
) -> None:
    """Many triggers acted on, rules switched, silence checked, while points come in: nothing
    deadlocks (the server would refuse one of them), and what is open is what fires.
    """
    bench = await start(api, worker, [{"threshold_value": 8.0 + n} for n in range(3)])
    identity = bench.tenant.identity()

    async def write(number: int) -> None:
        for minute in range(30):
            value = 12.0 if (minute + number) % 3 else 5.0
            await bench.push_batch(
                batch_of([(10.0 + minute, value, {"gate": gate}) for gate in GATES])
            )

    async def act(name: str) -> None:
        for _ in range(12):
            async with api.transaction(identity) as connection:
                await bulk.act_on_triggers(
                    connection,
                    identity,
                    bulk.TriggerAction(name),
                    filters=TriggerFilters(),
                    now=bench.now,
                )

    async def switch() -> None:
        for number in range(12):
            async with api.transaction(identity) as connection:
                await bulk.act_on_rules(
                    connection,
                    identity,
                    "enable" if number % 2 else "disable",
                    filters=RuleFilters(),
                    now=bench.now,
                )

    async def look() -> None:
        for _ in range(12):
            async with api.transaction(identity) as connection:
                await check_silence(connection, bench.tenant.workspace_id, now=bench.now)

    await asyncio.gather(
        write(0), write(1), act("resolve"), act("acknowledge"), act("reopen"), switch(), look()
    )
    open_now = await bench.rows(
        "SELECT fingerprint FROM convex.alert_triggers WHERE state <> 'resolved'"
        " GROUP BY fingerprint HAVING count(*) > 1"
    )
    assert open_now == []
