"""The decision, as tables: values by the minute, what happens, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from convex.alerts.evaluate import end_rule, end_series, evaluate, lapse, release_by_hand
from convex.alerts.measure import Measurement
from convex.alerts.model import (
    Condition,
    Kind,
    NoData,
    Reason,
    Resolution,
    Rule,
    RuleState,
    RuleType,
    Status,
)
from convex.alerts.replay import trigger_id_of
from convex.metrics.model import MINUTE
from tests.convex.alerts.rules import make_rule, milestone_rule


def steps(
    rule: Rule, values: Sequence[float], state: RuleState | None = None, start: int = 0
) -> tuple[list[tuple[int, Kind | None, Reason]], RuleState]:
    """Evaluate one value a minute: (minute, what happened, why), and the state at the end."""
    state = state or RuleState()
    seen = []
    for minute, value in enumerate(values, start=start):
        decision = evaluate(rule, Measurement(value, value), state, minute * MINUTE)
        state = decision.state
        if decision.change is not None and decision.change.kind is Kind.OPENED:
            state = state._replace(trigger_id=trigger_id_of("f", minute))
        kind = None if decision.change is None else decision.change.kind
        seen.append((minute, kind, decision.reason))
    return seen, state


def changes(rule: Rule, values: Sequence[float]) -> list[tuple[int, str]]:
    return [(minute, kind.value) for minute, kind, _ in steps(rule, values)[0] if kind is not None]


HIGH, LOW, MIDDLE = 12.0, 3.0, 9.0


@pytest.mark.parametrize(
    ("fields", "values", "expected"),
    [
        # plain
        ({}, [LOW, HIGH, HIGH, LOW], [(1, "opened"), (3, "resolved")]),
        ({}, [10.0, 10.0], []),
        ({"condition": Condition.BELOW}, [10.0, 9.9, 10.0], [(1, "opened"), (2, "resolved")]),
        ({"condition": Condition.EQUALS}, [9.0, 10.0, 11.0], [(1, "opened"), (2, "resolved")]),
        # for: by the points' own time, the first true one counts as the beginning
        ({"for_seconds": 120}, [HIGH, HIGH, HIGH], [(2, "opened")]),
        ({"for_seconds": 121}, [HIGH, HIGH, HIGH, HIGH], [(3, "opened")]),
        ({"for_seconds": 120}, [HIGH, HIGH, LOW, HIGH, HIGH], []),
        # keep_firing_for: starts at the first false one, a true one clears it
        (
            {"keep_firing_for_seconds": 120},
            [HIGH, LOW, LOW, LOW],
            [(0, "opened"), (3, "resolved")],
        ),
        (
            {"keep_firing_for_seconds": 120},
            [HIGH, LOW, LOW, HIGH, LOW, LOW, LOW],
            [(0, "opened"), (6, "resolved")],
        ),
        # recovery: while firing the recovery threshold decides, before that it does not
        (
            {"recovery_threshold": 8.0},
            [MIDDLE, HIGH, MIDDLE, 8.0],
            [(1, "opened"), (3, "resolved")],
        ),
        (
            {"recovery_threshold": 12.0, "condition": Condition.BELOW},
            [11.0, 9.0, 11.0, 12.0],
            [(1, "opened"), (3, "resolved")],
        ),
        # both ends
        (
            {"for_seconds": 60, "keep_firing_for_seconds": 60, "recovery_threshold": 8.0},
            [HIGH, HIGH, MIDDLE, LOW, LOW],
            [(1, "opened"), (4, "resolved")],
        ),
        # deduplication: again within the window is the same trigger, after it another one
        (
            {"deduplication_window_seconds": 60},
            [HIGH, LOW, HIGH],
            [(0, "opened"), (1, "resolved"), (2, "reopened")],
        ),
        (
            {"deduplication_window_seconds": 60},
            [HIGH, LOW, LOW, HIGH],
            [(0, "opened"), (1, "resolved"), (3, "opened")],
        ),
        # flapping: the fourth change does not resolve; it settles when fewer than four are left
        (
            {},
            [HIGH, LOW, HIGH, LOW, HIGH, LOW],
            [(0, "opened"), (1, "resolved"), (2, "opened"), (3, "flapping")],
        ),
        (
            {},
            [HIGH, LOW, HIGH, LOW, *[LOW] * 17],
            [(0, "opened"), (1, "resolved"), (2, "opened"), (3, "flapping"), (20, "resolved")],
        ),
        (
            {},
            [HIGH, LOW, HIGH, LOW, *[HIGH] * 20, LOW],
            [(0, "opened"), (1, "resolved"), (2, "opened"), (3, "flapping"), (24, "resolved")],
        ),
        # a value that is no number decides nothing
        ({}, [HIGH, float("inf"), HIGH, LOW], [(0, "opened"), (3, "resolved")]),
    ],
)
def test_what_happens_minute_by_minute(
    fields: dict[str, Any], values: list[float], expected: list[tuple[int, str]]
) -> None:
    assert changes(make_rule(**fields), values) == expected


def test_every_outcome_has_a_reason() -> None:
    rule = make_rule(for_seconds=60, keep_firing_for_seconds=60)
    seen, _ = steps(rule, [LOW, HIGH, LOW, HIGH, HIGH, HIGH, LOW, HIGH, LOW, LOW, float("nan")])
    assert [reason for _, _, reason in seen] == [
        Reason.NOT_MET,
        Reason.PENDING_STARTED,
        Reason.PENDING_DROPPED,
        Reason.PENDING_STARTED,
        Reason.CONDITION_MET,
        Reason.STILL_FIRING,
        Reason.RECOVERY_STARTED,
        Reason.RECOVERY_CANCELLED,
        Reason.RECOVERY_STARTED,
        Reason.RECOVERED,
        Reason.EVALUATION_FAILED,
    ]


def test_an_instant_is_evaluated_once() -> None:
    _, state = steps(make_rule(), [LOW, LOW])
    again = evaluate(make_rule(), Measurement(HIGH, HIGH), state, MINUTE)
    assert (again.state, again.change, again.reason) == (state, None, Reason.ALREADY_EVALUATED)


def test_too_short_a_past_decides_nothing_and_keeps_what_fires() -> None:
    _, state = steps(make_rule(), [HIGH])
    unknown = evaluate(make_rule(), Measurement(LOW, LOW, known=False), state, MINUTE)
    assert unknown.reason is Reason.NOT_ENOUGH_HISTORY
    assert unknown.state.status is Status.FIRING


@pytest.mark.parametrize(
    ("no_data", "firing", "kind", "reason"),
    [
        (NoData.KEEP, True, None, Reason.DATA_MISSING),
        (NoData.KEEP, False, None, Reason.DATA_MISSING),
        (NoData.OK, True, Kind.RESOLVED, Reason.NO_DATA_OK),
        (NoData.OK, False, None, Reason.NO_DATA_OK),
        (NoData.ALERT, False, Kind.OPENED, Reason.NO_DATA_ALERT),
        (NoData.ALERT, True, None, Reason.DATA_MISSING),
    ],
)
def test_silence(no_data: NoData, firing: bool, kind: Kind | None, reason: Reason) -> None:
    rule = make_rule(no_data=no_data, no_data_after_seconds=300)
    _, state = steps(rule, [HIGH if firing else LOW])
    assert lapse(rule, state, 5 * MINUTE).reason is Reason.ALREADY_EVALUATED
    decision = lapse(rule, state, 6 * MINUTE)
    assert (decision.change.kind if decision.change else None, decision.reason) == (kind, reason)
    if decision.change is not None:
        assert decision.change.at == 5 * MINUTE
    assert lapse(rule, decision.state, 7 * MINUTE).reason is Reason.ALREADY_EVALUATED


def test_data_that_comes_back_ends_the_alert_about_its_absence() -> None:
    rule = make_rule(no_data=NoData.ALERT, no_data_after_seconds=300)
    _, state = steps(rule, [LOW])
    opened = lapse(rule, state, 20 * MINUTE).state._replace(trigger_id=trigger_id_of("f", 0))
    back = evaluate(rule, Measurement(LOW, LOW), opened, 20 * MINUTE)
    assert back.change is not None
    assert back.change.resolution is Resolution.RECOVERED
    breach = evaluate(rule, Measurement(HIGH, HIGH), opened, 20 * MINUTE)
    assert breach.change is None
    assert breach.repeated


@pytest.mark.parametrize("values", [[HIGH], [HIGH, LOW], [HIGH, LOW, HIGH, LOW]])
def test_an_ended_series_resolves_whatever_is_open(values: list[float]) -> None:
    _, state = steps(make_rule(keep_firing_for_seconds=600), values)
    ended = end_series(state, 10 * MINUTE)
    assert ended.change is not None
    assert ended.change.resolution is Resolution.STALE
    assert ended.state.status is Status.OK
    assert end_series(ended.state, 11 * MINUTE).reason is Reason.SERIES_ENDED


def test_a_rule_that_ends_takes_its_trigger_along_and_forgets_what_was_pending() -> None:
    _, firing = steps(make_rule(), [HIGH])
    decision = end_rule(firing, MINUTE, Reason.RULE_DISABLED, Resolution.RULE_DISABLED)
    assert decision.change is not None
    assert decision.change.resolution is Resolution.RULE_DISABLED
    assert decision.state.trigger_id is None
    _, pending = steps(make_rule(for_seconds=600), [HIGH])
    decision = end_rule(pending, MINUTE, Reason.RULE_DELETED, Resolution.RULE_DELETED)
    assert decision.change is None
    assert decision.state.pending_since is None


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [(HIGH, None, Reason.STILL_FIRING), (MIDDLE, Kind.RESOLVED, Reason.RULE_CHANGED)],
)
def test_a_changed_rule_goes_on_only_if_it_fires_as_it_is_now(
    value: float, kind: Kind | None, reason: Reason
) -> None:
    rule = make_rule(recovery_threshold=8.0, keep_firing_for_seconds=600)
    _, state = steps(rule, [HIGH])
    decision = evaluate(rule, Measurement(value, value), state._replace(outdated=True), 5 * MINUTE)
    assert (decision.change.kind if decision.change else None, decision.reason) == (kind, reason)
    assert not decision.state.outdated


def test_what_a_person_resolved_is_counted_for_a_while_and_then_opens_anew() -> None:
    rule = make_rule(deduplication_window_seconds=120)
    _, state = steps(rule, [HIGH])
    state = release_by_hand(state, MINUTE)
    held = evaluate(rule, Measurement(HIGH, HIGH), state, 2 * MINUTE)
    assert (held.change, held.reason, held.repeated) == (None, Reason.HELD_AFTER_RESOLVE, True)
    opened = evaluate(rule, Measurement(HIGH, HIGH), held.state, 4 * MINUTE)
    assert opened.change is not None
    assert opened.change.kind is Kind.OPENED


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        (Condition.ABOVE, [9.0, 10.0, 12.0], [1]),
        (Condition.BELOW, [12.0, 10.0, 9.0], [1]),
        (Condition.EQUALS, [9.0, 10.0, 10.0, 11.0], [1]),
        (Condition.ABOVE, [12.0, 3.0, 12.0], [0]),
    ],
)
def test_a_goal_is_reached_once(
    condition: Condition, values: list[float], expected: list[int]
) -> None:
    rule = make_rule(type=RuleType.MILESTONE, condition=condition)
    seen, state = steps(rule, values)
    assert [minute for minute, kind, _ in seen if kind is Kind.OPENED] == expected
    assert not state.trigger_open
    assert state.status is Status.OK


def test_another_goal_arms_a_milestone_again() -> None:
    _, state = steps(milestone_rule(threshold_value=10.0), [12.0])
    higher = milestone_rule(threshold_value=20.0)
    seen, _ = steps(higher, [15.0, 25.0, 30.0], state, start=1)
    assert [(minute, reason) for minute, kind, reason in seen if kind is Kind.OPENED] == [
        (2, Reason.GOAL_REACHED)
    ]
