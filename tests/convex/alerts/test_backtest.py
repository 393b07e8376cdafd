"""Backtests and tunings: what would have been is what is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from convex.alerts import backtest, rehearsal, service, tuning
from convex.alerts.backtest import History, Labelled
from convex.alerts.measure import Points
from convex.alerts.model import Condition
from convex.alerts.rule_service import draft_of
from convex.errors import InvalidInput
from convex.metrics.model import DAY, HOUR, Aggregate, to_microseconds
from tests.convex.alerts.conftest import NOW, Bench
from tests.convex.alerts.rules import make_rule

WEEKS = 10


def hourly(values: list[float], series_id: int = 1) -> History:
    return History(
        series_id,
        {"gate": str(series_id)},
        Points(np.arange(1, len(values) + 1, dtype=np.int64) * HOUR, np.array(values)),
    )


def with_peaks(places: list[int], height: float = 20.0) -> list[float]:
    values = [5.0] * (WEEKS * 168)
    for place in places:
        values[place] = height
    return values


def test_episodes_per_week_with_an_interval_sleep_share_and_time_firing() -> None:
    places = [week * 168 + 12 for week in range(WEEKS)] + [200 * 7 + 23]
    found = backtest.backtest(
        make_rule(), [hourly(with_peaks(places))], 0, WEEKS * 7 * DAY, zone="UTC"
    )
    assert len(found.episodes) == 11
    assert found.per_week == pytest.approx(1.1)
    assert found.interval is not None
    low, high = found.interval
    assert low <= 1.1 <= high
    assert found.sleep_share == pytest.approx(0, abs=0.1)
    assert found.firing_share == pytest.approx(11 / (WEEKS * 168))


def test_too_short_a_range_has_no_interval() -> None:
    found = backtest.backtest(make_rule(), [hourly([5.0] * 200)], 0, 7 * DAY)
    assert found.interval is None
    assert found.sleep_share is None


def test_labelled_triggers_that_overlap_are_found_again() -> None:
    history = [hourly(with_peaks([100, 101, 102, 500]))]
    marks = [
        Labelled(1, "actionable", 101 * HOUR, 104 * HOUR),
        Labelled(1, "false_positive", 501 * HOUR, 502 * HOUR),
        Labelled(2, "actionable", 101 * HOUR, 104 * HOUR),
    ]
    found = backtest.backtest(make_rule(), history, 0, WEEKS * 7 * DAY, labelled=marks)
    assert found.overlap["actionable"] == backtest.Overlap(2, 1)
    assert found.overlap["false_positive"] == backtest.Overlap(1, 1)
    waiting = replace(make_rule(), for_seconds=7200)
    found = backtest.backtest(waiting, history, 0, WEEKS * 7 * DAY, labelled=marks)
    assert found.overlap["false_positive"] == backtest.Overlap(1, 0)


def test_tuning_shows_what_is_saved_against_what_is_missed() -> None:
    blips = [week * 168 + 12 for week in range(WEEKS)]
    incident = [900, 901, 902, 903, 904]
    values = with_peaks(blips)
    for place in incident:
        values[place] = 40.0
    history = [hourly(values)]
    marks = [Labelled(1, "actionable", 901 * HOUR, 906 * HOUR)]
    rule = make_rule()
    prepared = backtest.prepare(rule, history, 0, WEEKS * 7 * DAY)
    found = tuning.tune(rule, prepared, 0, WEEKS * 7 * DAY, labelled=marks)
    assert found.tried > 20
    assert found.now.missed == 0
    lossless = [one for one in found.candidates if one.missed == 0]
    assert lossless
    assert lossless[0].saved == pytest.approx(WEEKS / WEEKS, abs=0.01)
    for one in found.candidates:
        beaten = [
            other
            for other in found.candidates
            if other.saved >= one.saved and other.missed < one.missed
        ]
        assert not beaten
        again = backtest.backtest(one.rule, history, 0, WEEKS * 7 * DAY, labelled=marks)
        assert again == one.backtest


@pytest.mark.parametrize(
    "fields",
    [
        {"for_seconds": 120, "recovery_threshold": 8.0},
        {"aggregate": Aggregate.MEAN, "window_seconds": 180},
        {
            "condition": Condition.CHANGES_BY,
            "threshold_value": None,
            "change_percentage": 60.0,
            "keep_firing_for_seconds": 120,
        },
    ],
)
async def test_a_backtest_finds_what_ingestion_found(
    bench: Bench, fields: dict[str, object]
) -> None:
    rule = await bench.rule(**fields)
    numbers = np.random.default_rng(7)
    for gate in ("a", "b"):
        values = numbers.choice([4.0, 9.0, 12.0, 15.0], 110, p=[0.4, 0.3, 0.2, 0.1])
        await bench.push(
            [(float(minute), float(value)) for minute, value in enumerate(values)], {"gate": gate}
        )
    async with bench.database.read(bench.tenant.identity()) as connection:
        found = await rehearsal.rehearse(
            connection,
            bench.tenant.workspace_id,
            draft_of(rule),
            since=NOW - timedelta(days=1),
            until=NOW,
            rule_id=rule.id,
        )
    triggers = await bench.triggers()
    assert triggers
    assert [(one.opened_at, dict(one.labels)) for one in found.tested.episodes] == [
        (to_microseconds(row["opened_at"]), row["labels"]) for row in triggers
    ]
    assert found.saved is not None
    assert found.saved.episodes == found.tested.episodes


async def test_acknowledged_triggers_are_worth_keeping(bench: Bench) -> None:
    rule = await bench.rule()
    await bench.push([(float(minute), 12.0 if minute == 60 else 5.0) for minute in range(110)])
    (row,) = await bench.triggers()
    identity = bench.tenant.identity()
    async with bench.database.transaction(identity) as connection:
        await service.give_feedback(connection, identity, row["id"], feedback="actionable", now=NOW)
    async with bench.database.read(identity) as connection:
        found = await rehearsal.tune_rule(
            connection,
            bench.tenant.workspace_id,
            rule.id,
            since=NOW - timedelta(days=1),
            until=NOW,
        )
    shown = rehearsal.tuning_json(found)
    assert shown["now"]["backtest"]["actionable"] == {"total": 1, "found": 1}
    assert all(one["missed_actionable"] == 1 for one in shown["candidates"])


async def test_a_rule_that_cannot_work_is_refused_before_it_is_rehearsed(bench: Bench) -> None:
    rule = await bench.rule()
    async with bench.database.read(bench.tenant.identity()) as connection:
        with pytest.raises(InvalidInput):
            await rehearsal.rehearse(
                connection,
                bench.tenant.workspace_id,
                replace(draft_of(rule), threshold_value=None),
                since=NOW - timedelta(days=1),
                until=NOW,
            )
