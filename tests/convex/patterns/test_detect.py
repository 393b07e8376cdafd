"""What is found in histories that hold nothing, or one thing; made as the benchmark makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.patterns import flights, histories
from bench.patterns.histories import Made
from convex.patterns.detect import detect
from convex.patterns.model import (
    DAY,
    HOUR,
    MINUTE,
    NEVER,
    Finding,
    Frequency,
    History,
    Subject,
    Type,
)
from convex.patterns.needs import lacking
from convex.patterns.wall_clock import to_instant

ZONE = "America/New_York"


def plant(name: str, seed: int = 7) -> Made:
    make: Callable[[np.random.Generator, int, int], Made] = histories.PLANTED[name][0]
    return make(np.random.default_rng(seed), 12, 91)


def history(
    times: dict[str, list[datetime]],
    end: datetime,
    *,
    zone: str = ZONE,
    minutes: int = 5,
    since: datetime | None = None,
) -> History:
    """One rule a name, each trigger open for some minutes."""
    begin = NEVER if since is None else to_instant(since)
    subjects = [Subject(name, name, "f", since=begin) for name in times]
    rows = [(n, to_instant(t)) for n, each in enumerate(times.values()) for t in each]
    opened = np.array([at for _, at in rows], np.int64)
    return History(
        subjects,
        np.array([n for n, _ in rows], np.int64),
        opened,
        opened + minutes * MINUTE,
        to_instant(end),
        zone,
    )


def only(made: History, kind: Type) -> Finding:
    (found,) = [one for one in detect(made).findings if one.type is kind]
    return found


def shape(finding: Finding) -> Any:
    """Everything but the rows' numbers."""
    return orjson.loads(
        orjson.dumps(
            [
                finding.fingerprint,
                finding.title,
                finding.label,
                finding.confidence,
                finding.support,
                finding.last_occurrence_at,
                finding.next_expected_at,
                dict(finding.evidence),
            ],
            option=orjson.OPT_SERIALIZE_NUMPY,
        )
    )


@pytest.mark.parametrize("name", list(histories.NULLS))
def test_where_nothing_is_next_to_nothing_is_found(name: str) -> None:
    """Twenty runs; more than three with a discovery of one type come once in 60 at 5 % each."""
    counts = dict.fromkeys(Type, 0)
    for seed in range(20):
        made = histories.NULLS[name](np.random.default_rng([3, seed]), 10, 91)
        for kind in {one.type for one in detect(made.history).findings}:
            counts[kind] += 1
    assert max(counts.values()) <= 3, counts


@pytest.mark.parametrize("name", [name for name in histories.PLANTED if "× 2" not in name])
def test_what_is_planted_is_found(name: str) -> None:
    made = plant(name)
    found = {
        (str(one.type), one.subject.key, one.other.key if one.other else None)
        for one in detect(made.history).findings
    }
    assert made.planted <= found
    assert len(found) <= 2


@pytest.mark.parametrize("name", list(histories.PLANTED))
def test_neither_the_order_of_triggers_nor_of_rules_matters(name: str) -> None:
    made = plant(name).history
    rng = np.random.default_rng(5)
    rows, rules = rng.permutation(len(made.opened)), rng.permutation(len(made.subjects))
    shuffled = History(
        [made.subjects[rule] for rule in rules],
        np.argsort(rules)[made.subject[rows]].astype(np.int64),
        made.opened[rows],
        made.resolved[rows],
        made.end,
        made.zone,
    )
    first, second = detect(made), detect(shuffled)
    assert list(map(shape, first.findings)) == list(map(shape, second.findings))
    assert first.tested == second.tested
    for one, other in zip(first.findings, second.findings, strict=True):
        assert made.opened[one.rows].tolist() == shuffled.opened[other.rows].tolist()


def test_the_same_history_gives_the_same_findings() -> None:
    made = plant("A and B together").history
    assert list(map(shape, detect(made).findings)) == list(map(shape, detect(made).findings))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
def test_what_comes_later_changes_nothing_of_an_earlier_look(seed: int, days: int) -> None:
    rng = np.random.default_rng(seed)
    made = histories.long_bursts(rng, 6, 60).history
    cut = made.end - days * DAY
    late = made.opened > cut
    corrupted = replace(
        made,
        opened=np.where(late, cut + rng.integers(1, days * DAY, len(late)), made.opened),
        resolved=np.where(made.resolved > cut, NEVER, made.resolved),
    )
    one, other = detect(made.until(cut)), detect(corrupted.until(cut))
    assert list(map(shape, one.findings)) == list(map(shape, other.findings))


def test_a_label_is_by_the_wall_clock_through_a_change_of_it() -> None:
    """Half of the Mondays in winter time, half in summer time: one hour on the wall."""
    first = datetime(2026, 1, 5, 14, 1, tzinfo=UTC)
    times = [first + timedelta(weeks=n) - timedelta(hours=int(n >= 9)) for n in range(18)]
    found = only(history({"backup": times}, datetime(2026, 5, 6, tzinfo=UTC)), Type.SEASONAL)
    assert found.label == "Mon 09:00, 18 of 18 weeks"
    assert found.frequency is Frequency.WEEKLY
    assert found.next_expected_at == datetime(2026, 5, 11, 13, 0, tzinfo=UTC)
    assert len(found.rows) == 18


@pytest.mark.parametrize(
    ("days", "hours", "label", "frequency"),
    [
        ({0, 1, 2, 3, 4}, 1, "weekdays 06:00", Frequency.WEEKLY),
        (set(range(7)), 1, "daily 06:00", Frequency.DAILY),
        ({5, 6}, 1, "weekends 06:00", Frequency.WEEKLY),
        ({1, 3}, 1, "Tue, Thu 06:00", Frequency.WEEKLY),
        ({0, 1, 2, 3, 4, 5}, 1, "daily but Sun 06:00", Frequency.WEEKLY),
    ],
)
def test_a_season_names_its_days(
    days: set[int], hours: int, label: str, frequency: Frequency
) -> None:
    start = datetime(2026, 1, 5, 6, 3, tzinfo=UTC)
    times = [start + timedelta(days=n) for n in range(90) if n % 7 in days]
    end = start + timedelta(days=90)
    found = only(history({"job": times}, end, zone="UTC"), Type.SEASONAL)
    assert found.label.startswith(label)
    assert found.frequency is frequency


@pytest.mark.parametrize(("date", "label"), [(1, "1st 02:00"), (-1, "last of the month 02:00")])
def test_a_date_of_the_month_is_found_in_a_year(date: int, label: str) -> None:
    months = [datetime(2025 + n // 12, 1 + n % 12, 1, 2, 5, tzinfo=UTC) for n in range(13)]
    times = months if date == 1 else [month - timedelta(days=1) for month in months]
    end = datetime(2026, 1, 20, tzinfo=UTC)
    since = datetime(2024, 12, 20, tzinfo=UTC)
    found = only(history({"invoice": times}, end, zone="UTC", since=since), Type.SEASONAL)
    assert found.label.startswith(label)
    assert found.frequency is Frequency.MONTHLY
    assert found.next_expected_at in (
        datetime(2026, 1, 31, 2, 0, tzinfo=UTC),
        datetime(2026, 2, 1, 2, 0, tzinfo=UTC),
    )


def test_a_daily_pattern_is_not_also_a_cycle() -> None:
    start = datetime(2026, 1, 5, 6, 3, tzinfo=UTC)
    times = [start + timedelta(days=n, minutes=n % 5) for n in range(60)]
    found = detect(history({"job": times}, start + timedelta(days=60), zone="UTC")).findings
    assert [one.type for one in found] == [Type.SEASONAL]


def test_a_cycle_says_when_it_is_due_or_that_it_is_overdue() -> None:
    start, step = datetime(2026, 1, 5, tzinfo=UTC), timedelta(hours=7, minutes=13)
    times = [start + step * n for n in range(60)]
    due = only(history({"leak": times}, times[-1] + timedelta(hours=1)), Type.CYCLICAL)
    late = only(history({"leak": times}, times[-1] + timedelta(hours=20)), Type.CYCLICAL)
    assert due.period_seconds == pytest.approx(step.total_seconds())
    assert due.next_expected_at == times[-1] + step
    assert (late.next_expected_at, late.evidence["overdue"]) == (None, True)


def test_two_rules_of_the_same_hour_are_each_seasonal_and_not_correlated() -> None:
    """That both fire every day at six says nothing about one another."""
    start = datetime(2026, 1, 5, 6, 3, tzinfo=UTC)
    rng = np.random.default_rng(1)
    times = {
        name: [start + timedelta(days=n, minutes=float(rng.uniform(0, 4))) for n in range(60)]
        for name in ("one", "two")
    }
    found = detect(history(times, start + timedelta(days=60), zone="UTC")).findings
    assert [one.type for one in found] == [Type.SEASONAL, Type.SEASONAL]


def test_rules_on_hourly_points_are_not_together_for_firing_on_the_hour() -> None:
    rng = np.random.default_rng(4)
    start = datetime(2026, 1, 5, tzinfo=UTC)
    times = {
        name: [start + timedelta(hours=int(h)) for h in np.unique(rng.integers(0, 24 * 90, 300))]
        for name in ("one", "two", "three")
    }
    found = detect(history(times, start + timedelta(days=90))).findings
    assert [one for one in found if one.type in (Type.CORRELATED, Type.TRIGGERED_BY)] == []


def test_the_flights_year_has_daily_seasons_and_delays_that_come_together() -> None:
    found = detect(flights.read_triggers()).findings
    seasons = [one for one in found if one.type is Type.SEASONAL]
    pairs = {
        frozenset((one.subject.name, one.other.name if one.other else ""))
        for one in found
        if one.type is Type.CORRELATED
    }
    assert len(seasons) >= 5
    assert frozenset(("Newark Liberty (EWR): long delays", "LaGuardia (LGA): long delays")) in pairs


def test_an_empty_history_says_what_it_would_take() -> None:
    found = detect(history({"rule": []}, datetime(2026, 1, 1, tzinfo=UTC)))
    assert found.findings == []
    assert {one.type: one.too_short for one in found.tested} == dict.fromkeys(Type, 1)


@pytest.mark.parametrize(
    ("episodes", "days", "kinds"),
    [
        (0, 400, list(Type)),
        (8, 60, [Type.CYCLICAL, Type.ESCALATING]),
        (50, 60, [Type.ESCALATING]),
        (50, 90, []),
        (50, 3, [Type.SEASONAL, Type.CORRELATED, Type.TRIGGERED_BY, Type.ESCALATING]),
    ],
)
def test_too_short_a_history_is_said_by_type(episodes: int, days: float, kinds: list[Type]) -> None:
    assert set(lacking(episodes, days)) == set(kinds)


def test_a_following_rule_has_its_lag_and_its_next_time_only_while_it_is_awaited() -> None:
    made = plant("A, then B after 10 min").history
    found = only(made, Type.TRIGGERED_BY)
    lag = found.evidence["lag_seconds"]
    assert lag["median"] == pytest.approx(600, abs=120)
    assert found.next_expected_at is None
    cause = made.subject == 0
    last = int(made.opened[cause].max())
    awaited = only(made.until(last + 2 * MINUTE), Type.TRIGGERED_BY)
    assert awaited.next_expected_at is not None
    assert abs(to_instant(awaited.next_expected_at) - last - 10 * MINUTE) < 2 * MINUTE
    assert last + HOUR < made.end
