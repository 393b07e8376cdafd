"""Anomaly rules that ask the detector, from points to triggers, on a real PostgreSQL."""

from __future__ import annotations

import random
from typing import Any

import pytest

from convex.alerts.model import Condition, RuleType, Sensitivity
from convex.errors import InvalidInput
from convex.metrics.model import to_datetime
from tests.convex.alerts.conftest import Bench, at

DAYS = 5
COUNT = DAYS * 288
_LAST = to_datetime(at(118))
ANOMALY: dict[str, Any] = {"type": RuleType.ANOMALY, "threshold_value": None}


def history(seed: int = 1) -> list[tuple[float, float]]:
    """Five days of five-minute values between 9 and 11, the last at minute 0."""
    rng = random.Random(seed)
    return [
        (5.0 * (at - COUNT + 1), rng.choice((9.0, 9.5, 10.0, 10.5, 11.0))) for at in range(COUNT)
    ]


async def test_an_unusual_point_opens_a_trigger_that_explains_itself(bench: Bench) -> None:
    await bench.rule(**ANOMALY, condition=Condition.ABOVE)
    await bench.push(history())
    assert await bench.triggers() == []
    opened = await bench.push([(118, 60.0)])
    (trigger,) = await bench.triggers()
    assert opened.trigger_ids == [trigger["id"]]
    assert (trigger["type"], trigger["state"]) == ("anomaly", "firing")
    assert trigger["opened_at"] == to_datetime(at(118))
    context = trigger["context"]
    assert context["method"] == "novelty"
    assert context["low"] < 10 < context["high"] < 20
    assert context["came"] == 60.0
    assert context["score"] >= 1
    assert context["confidence"]["count"] == 0
    assert 0 < context["confidence"]["percent"] <= 95
    assert context["nearest_at"] is not None
    assert "expected" in trigger["reason"]


async def test_each_rule_sees_its_own_side_and_the_series_learns_once(bench: Bench) -> None:
    await bench.rule(**ANOMALY, condition=Condition.BELOW, name="below")
    await bench.rule(**ANOMALY, condition=Condition.CHANGES_BY, name="both")
    await bench.rule(**ANOMALY, condition=Condition.ABOVE, name="calm", sensitivity=Sensitivity.LOW)
    await bench.push(history())
    await bench.push([(118, 60.0)])
    opened = [row["rule_name"] for row in await bench.triggers() if row["opened_at"] == _LAST]
    assert sorted(opened) == ["both", "calm"]


async def test_cutting_the_points_into_other_batches_changes_no_trigger(bench: Bench) -> None:
    await bench.rule(**ANOMALY, condition=Condition.CHANGES_BY)
    points = [*history(), (3, 10.5), (5, 40.0), (10, 41.0), (15, 9.0), (20, 10.0), (118, -30.0)]
    for start in range(0, len(points), 311):
        await bench.push([*points[start : start + 311]], {"gate": "a"})
    await bench.push(points, {"gate": "b"})
    shown = ("opened_at", "value", "reason", "state", "resolved_at", "repeat_count")
    found: dict[str, list[list[Any]]] = {"a": [], "b": []}
    for row in await bench.triggers():
        found[row["labels"]["gate"]].append([row[name] for name in shown])
    assert found["a"]
    assert found["a"] == found["b"]


async def test_a_series_that_is_still_learnt_raises_nothing(bench: Bench) -> None:
    await bench.rule(**ANOMALY, condition=Condition.ABOVE)
    pushed = await bench.push([*history()[-250:], (118, 500.0)])
    assert await bench.triggers() == []
    assert pushed.outcomes["not_enough_history"] == 251


async def test_feedback_moves_the_confidence_of_the_next_anomaly(bench: Bench) -> None:
    await bench.rule(**ANOMALY, condition=Condition.ABOVE)
    await bench.push(history())
    await bench.push([(1, 14.0)])
    (first,) = await bench.triggers()
    async with bench.database.transaction(bench.tenant.identity()) as connection:
        await connection.execute(
            "UPDATE convex.alert_triggers SET feedback = 'false_positive', feedback_by = %s,"
            " feedback_at = now()",
            (bench.tenant.user_id,),
        )
    await bench.push([(minute, 10.0) for minute in range(2, 60)])
    await bench.push([(118, 600.0)])
    second = (await bench.triggers())[-1]
    assert second["id"] != first["id"]
    assert second["context"]["confidence"]["count"] == 1
    assert second["context"]["confidence"]["percent"] < first["context"]["confidence"]["percent"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "magic"},
        {"window_seconds": 600},
        {"evaluation_offset_seconds": 60},
    ],
)
async def test_what_a_detector_cannot_do_is_refused(bench: Bench, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        await bench.rule(**ANOMALY, condition=Condition.ABOVE, **wrong)
    await bench.rule(**ANOMALY, condition=Condition.ABOVE, method="robust_z", window_seconds=600)


async def test_the_robust_score_is_a_method_of_its_own_in_whatever_batches_points_come(
    bench: Bench,
) -> None:
    """Six weeks of hours with a daily shape; a value of noon is unusual at midnight."""
    await bench.rule(**ANOMALY, condition=Condition.CHANGES_BY, method="robust_z", name="robust")
    rng = random.Random(4)
    hours = 6 * 168
    points = [
        (60.0 * (hour - hours + 2), 50.0 + 40.0 * (8 <= hour % 24 <= 20) + rng.random())
        for hour in range(hours)
    ]
    place = hours - 24 + 2
    assert points[place][1] < 60
    points[place] = (points[place][0], 90.0)
    await bench.push(points, {"gate": "whole"}, history=True)
    cuts = sorted(rng.sample(range(1, hours), 12))
    for first, last in zip([0, *cuts], [*cuts, hours], strict=True):
        await bench.push(points[first:last], {"gate": "parts"}, history=True)
    shown = ("opened_at", "resolved_at", "value", "reason")
    found: dict[str, list[list[Any]]] = {"whole": [], "parts": []}
    for row in await bench.triggers():
        assert row["threshold"] == 4.5
        found[row["labels"]["gate"]].append([row[name] for name in shown])
    assert found["parts"] == found["whole"]
    ((opened, resolved, _, reason),) = found["whole"]
    assert (opened, resolved) == tuple(to_datetime(at(points[n][0])) for n in (place, place + 1))
    assert "unusual for this hour of the week" in reason
