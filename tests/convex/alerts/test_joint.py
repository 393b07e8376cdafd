"""Rules for a whole framework: one trigger names all series that deviate together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convex.alerts import joint
from convex.alerts.model import Condition, NoData, RuleType, Sensitivity
from convex.alerts.rehearsal import rehearse
from convex.alerts.replay import Peak
from convex.alerts.rule_service import draft_of
from convex.anomaly import Explanation, Score, State
from convex.db import Database
from convex.errors import InvalidInput
from convex.metrics.model import Aggregate, PointBatch, to_datetime
from convex.predictions.history import load_history
from tests.conftest import make_tenant
from tests.convex.alerts.conftest import NOW, Bench, at, batch_of, make_bench

JOINT: dict[str, Any] = {
    "name": "airport",
    "type": RuleType.ANOMALY,
    "metric_id": None,
    "threshold_value": None,
    "condition": Condition.CHANGES_BY,
    "deduplication_window_seconds": 0,
}
METRICS = ("delay", "cancelled", "wind")
COUNT = 400
Point = tuple[float, float, str]  # minute, value, metric


def past(metric: str, seed: int = 1) -> list[Point]:
    """Values between 9 and 11, one every ten minutes up to minute 0."""
    rng = random.Random(f"{metric} {seed}")
    return [
        (10.0 * (n - COUNT + 1), rng.choice((9.0, 9.5, 10.0, 10.5, 11.0)), metric)
        for n in range(COUNT)
    ]


def batch(points: Sequence[Point]) -> PointBatch:
    """Points of several metrics as one batch."""
    made = batch_of([(minute, value, {}) for minute, value, _ in points])
    made.metrics[:] = [metric for _, _, metric in points]
    return made


async def learn(bench: Bench, metrics: Sequence[str] = METRICS) -> None:
    """Let the detectors know what is usual; nothing of it was watched."""
    await bench.push_batch(batch([point for metric in metrics for point in past(metric)]))


async def test_series_that_deviate_together_are_one_trigger_that_names_them_all(
    bench: Bench,
) -> None:
    await learn(bench)
    rule = await bench.rule(**JOINT)
    assert (rule.metric, rule.framework_name) == ("", "Airport")
    await bench.push_batch(batch([(115, 60, "delay"), (115, 10, "cancelled"), (115, 10, "wind")]))
    (trigger,) = await bench.triggers()
    assert [one["metric"] for one in trigger["context"]["members"]] == ["delay"]
    assert trigger["reason"].startswith("One series of Airport deviates: delay is 60, ")
    assert trigger["labels"] == {}
    assert trigger["metric_id"] is None
    assert trigger["confidence"] == trigger["context"]["confidence"]["percent"]
    joined = await bench.push_batch(batch([(115.5, -500, "wind")]))
    assert joined.cursor is not None
    (trigger,) = await bench.triggers()
    members = trigger["context"]["members"]
    assert [one["metric"] for one in members] == ["wind", "delay"]
    assert members[0]["contribution"] > members[1]["contribution"]
    assert sum(one["contribution"] for one in members) == pytest.approx(1, abs=1e-3)
    assert members[0]["low"] < members[0]["expected"] < members[0]["high"]
    assert members[0]["value"] == -500
    assert trigger["reason"].startswith("2 series of Airport deviate together: wind is -500, ")
    assert trigger["state"] == "firing"
    assert len(await bench.transitions()) == 1


async def test_the_trigger_ends_with_the_last_series_that_deviates(bench: Bench) -> None:
    await learn(bench)
    await bench.rule(**JOINT)
    await bench.push_batch(batch([(10, 60, "delay"), (10, 60, "wind")]))
    calm = [(11.0 + n, value) for n, (_, value, _) in enumerate(past("calm")[:100])]
    await bench.push_batch(batch([(minute, value, "wind") for minute, value in calm]))
    assert [one["state"] for one in await bench.triggers()] == ["firing"]
    await bench.push_batch(batch([(minute + 0.5, value, "delay") for minute, value in calm]))
    triggers = await bench.triggers()
    assert triggers[0]["state"] == "resolved"
    assert {one["metric"] for one in triggers[0]["context"]["members"]} == {"delay", "wind"}


async def test_labels_tell_one_anomaly_of_a_framework_from_another(bench: Bench) -> None:
    learnt = [(minute, value, {"gate": g}) for g in "ab" for minute, value, _ in past("delay")]
    await bench.push_batch(batch_of(learnt))
    await bench.rule(**JOINT, group_by=("gate",))
    await bench.push_batch(batch_of([(115, 60, {"gate": "a"}), (115, 60, {"gate": "b"})]))
    assert [one["labels"] for one in await bench.triggers()] == [{"gate": "a"}, {"gate": "b"}]


async def test_a_backtest_finds_what_would_have_been(bench: Bench) -> None:
    await learn(bench)
    rule = await bench.rule(**JOINT | {"sensitivity": Sensitivity.LOW})
    await bench.push_batch(batch([(10, 60, "delay"), (11, 90, "wind")]))
    (trigger,) = await bench.triggers()
    async with bench.database.read(bench.tenant.identity()) as connection:
        found = await rehearse(
            connection,
            bench.tenant.workspace_id,
            draft_of(rule),
            since=NOW - timedelta(hours=2),
            until=NOW,
            rule_id=rule.id,
        )
    assert (found.tested.series, len(found.tested.episodes)) == (3, 1)
    assert to_datetime(found.tested.episodes[0].opened_at) == trigger["opened_at"]
    assert found.tested.episodes[0].repeats == trigger["repeat_count"]


async def test_models_of_the_future_take_it_as_it_is(bench: Bench) -> None:
    await learn(bench)
    rule = await bench.rule(**JOINT)
    await bench.push_batch(batch([(10, 60, "delay"), (11, 90, "wind")]))
    async with bench.database.read(bench.tenant.identity()) as connection:
        known = await load_history(connection, bench.tenant.workspace_id, end=NOW)
    assert [one.id for one in known.rules] == [rule.id]
    assert known.days > 2


async def test_other_frameworks_and_disabled_rules_are_left_alone(bench: Bench) -> None:
    await learn(bench)
    await bench.rule(**JOINT, enabled=False)
    elsewhere = batch([(115, 60, "delay")])
    elsewhere.frameworks[:] = ["seaport"]
    await bench.push_batch(elsewhere)
    await bench.push_batch(batch([(115, 60, "delay")]))
    assert await bench.triggers() == []


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("metric_id", {"type": RuleType.THRESHOLD, "threshold_value": 3.0}),
        ("method", {"method": "robust_z"}),
        ("no_data", {"no_data": NoData.ALERT, "no_data_after_seconds": 600}),
        ("no_data_after", {"no_data_after_seconds": 600}),
        ("window", {"window_seconds": 600, "aggregate": Aggregate.MEAN}),
        ("evaluation_offset", {"evaluation_offset_seconds": 60}),
    ],
)
async def test_what_makes_no_sense_for_a_framework_is_refused(
    bench: Bench, field: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await bench.rule(**JOINT | changes)
    assert refused.value.details["field"] == field


def member(series_id: int, score: float, minute: float, metric: str = "delay") -> joint.Member:
    """A series that deviates."""
    why = Explanation(60.0, Score(9, 10.0, 8.0, 12.0, State.WATCHING), "values", 1, 1.0, None)
    return joint.member_of(joint.Name(metric, "", {}), series_id, Peak(at(minute), score), why)


@given(
    found=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from([1.0, 2.0, 3.0]), st.integers(0, 9)),
        min_size=1,
        max_size=12,
    ),
    cut=st.integers(0, 12),
)
def test_members_may_come_in_any_order_and_in_parts(
    found: list[tuple[int, float, int]], cut: int
) -> None:
    members = [member(*one) for one in dict.fromkeys(found)]
    # One point has one score.
    members = list({(one["series_id"], one["at"]): one for one in members}.values())
    whole = joint.together(members)
    parts = joint.together([*joint.together(members[cut:]), *joint.together(members[:cut])])
    assert whole == parts
    assert len(whole) == len({one["series_id"] for one in members})
    contributions = [one["contribution"] for one in whole]
    assert contributions == sorted(contributions, reverse=True)


def test_a_sentence_names_the_first_and_counts_the_rest() -> None:
    members = joint.together(member(n, 6.0 - n, n, f"m{n}") for n in range(1, 6))
    said = joint.describe("Newark", members)
    assert said.startswith(
        "5 series of Newark deviate together: m1 is 60, 8 to 12 was expected (45 %); m2 "
    )
    assert said.endswith("; and 1 more.")
    alone = joint.describe("Newark", joint.together([member(1, 3.0, 1)]))
    assert alone == (
        "One series of Newark deviates: delay is 60, 8 to 12 was expected"
        " (3 times the alert level)."
    )


@dataclass(frozen=True)
class Story:
    """A rule, points in order of time, and how they come."""

    rule: dict[str, Any]
    batches: list[list[Point]]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    points: list[Point] = []
    for number, metric in enumerate(METRICS):
        values = draw(st.lists(st.sampled_from([10, 10, 10, 60, 200, -90]), min_size=2, max_size=8))
        points += [
            (10.0 * (n + 1) + number / 8, float(value), metric) for n, value in enumerate(values)
        ]
    points.sort()
    batches: list[list[Point]] = []
    while points:
        size = draw(st.integers(1, 8))
        some, points = points[:size], points[size:]
        batches.append(list(draw(st.permutations(some))))
        if draw(st.integers(0, 5)) == 0:
            batches.append(draw(st.sampled_from(batches)))
    rule = {
        "condition": draw(st.sampled_from([Condition.CHANGES_BY, Condition.ABOVE])),
        "sensitivity": draw(st.sampled_from(list(Sensitivity))),
        "for_seconds": draw(st.sampled_from([0, 0, 600])),
        "keep_firing_for_seconds": draw(st.sampled_from([0, 0, 600])),
        "deduplication_window_seconds": draw(st.sampled_from([0, 600])),
    }
    return Story(JOINT | rule, batches)


async def start(database: Database, worker: Database, rule: dict[str, Any]) -> Bench:
    """A workspace whose series are learnt before the rule is made."""
    bench = await make_bench(database, await make_tenant(worker))
    later, bench.now = bench.now, to_datetime(at(0))
    await learn(bench)
    bench.now = later
    await bench.rule(**rule)
    return bench


async def facts(bench: Bench) -> list[dict[str, Any]]:
    """What may not depend on how the points came."""
    found = await bench.rows(
        "SELECT state, resolution, opened_at, resolved_at, last_seen_at, value, repeat_count,"
        " historical, reason, version, confidence, context, (SELECT array_agg(x.kind ORDER BY x.id)"
        " FROM convex.trigger_transitions AS x WHERE x.trigger_id = t.id) AS kinds"
        " FROM convex.alert_triggers AS t ORDER BY opened_at"
    )
    for row in found:
        for one in row["context"]["members"]:
            del one["series_id"]  # another one in each workspace
    return found


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=stories())
async def test_however_points_are_cut_the_same_members_are_named(
    story: Story, api: Database, worker: Database
) -> None:
    whole = await start(api, worker, story.rule)
    parts = await start(api, worker, story.rule)
    await whole.push_batch(batch([point for some in story.batches for point in some]))
    for some in story.batches:
        await parts.push_batch(batch(some))
    assert await facts(whole) == await facts(parts)


async def test_history_that_comes_series_by_series_begins_nothing_again(bench: Bench) -> None:
    await learn(bench)
    await bench.rule(**JOINT | {"deduplication_window_seconds": 600})
    calm = [(41.0 + n, value) for n, (_, value, _) in enumerate(past("calm")[:75])]
    await bench.push_batch(
        batch([(40, 60, "delay"), *((minute, value, "delay") for minute, value in calm)])
    )
    (before,) = await bench.triggers()
    assert before["state"] == "resolved"
    came = await bench.push_batch(batch([(10, 60, "wind")]))
    assert came.outcomes == {"held_after_resolve": 1}
    assert await bench.triggers() == [before]
    await bench.push_batch(batch([(119, -300, "cancelled")]))
    assert [one["state"] for one in await bench.triggers()] == ["resolved", "firing"]


async def test_a_late_point_names_its_series_where_it_belongs(bench: Bench) -> None:
    await learn(bench)
    await bench.rule(**JOINT)
    rest = [
        (at_minute + 60, value, metric)
        for metric in METRICS
        for at_minute, value, _ in past(metric, 2)[-5:]
    ]
    await bench.push_batch(batch(rest))
    assert await bench.triggers() == []
    await bench.push_batch(batch([(15.0, 60.0, "wind")]))
    (trigger,) = await bench.triggers()
    assert (trigger["state"], trigger["opened_at"]) == ("firing", to_datetime(at(15)))
    (named,) = trigger["context"]["members"]
    assert (named["metric"], named["value"]) == ("wind", 60.0)


async def test_metrics_that_come_by_different_ways_at_once_are_one_trigger(
    api: Database, worker: Database
) -> None:
    bench = await start(api, worker, JOINT)
    await asyncio.gather(
        *(
            bench.push_batch(batch([(10 + number / 8, 60, metric)]))
            for number, metric in enumerate(METRICS)
        )
    )
    (trigger,) = await bench.triggers()
    assert {one["metric"] for one in trigger["context"]["members"]} == set(METRICS)
    for turn in range(4):  # some on time and some late: nobody waits for another in a circle
        await asyncio.gather(
            *(bench.push_batch(batch([(20 + 10 * turn, 50, metric)])) for metric in METRICS),
            *(bench.push_batch(batch([(1 + turn, 70, metric)])) for metric in METRICS),
        )
    states = [one["state"] for one in await bench.triggers()]
    assert states.count("firing") <= 1
