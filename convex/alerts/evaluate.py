"""The decision at one evaluation. Pure: no clock, no I/O; instants come in, decisions go out.

    (rule, measurement, state, now) -> (state, transition or None, reason)

`now` is the instant of the evaluated point, never the clock: the same points give the same
decisions whenever they arrive. Every outcome has a named reason, "nothing" included.

The states, and what leads from one to another (true: the condition holds; while firing, the
recovery threshold decides instead of the threshold):

| state | true | false |
|---|---|---|
| ok | pending, or firing when `for` is 0 | ok |
| pending | firing when now − pending_since ≥ for | ok: one false evaluation drops it |
| firing | firing (a repeat) | recovering, or ok when keep_firing_for is 0 |
| recovering | firing | ok when now − keep_firing_since ≥ keep_firing_for |
| no_data, error | as firing while its trigger is open, else as ok | likewise |

Becoming ok resolves the trigger, unless the rule is flapping: with 4 or more changes between firing
and not firing in the last 20 evaluations the trigger stays open, one transition says so, and the
changes are counted as suppressed until fewer than 4 are left in those 20.

Firing opens a trigger. Within the deduplication window after the last one resolved it is a repeat
instead: the trigger opens again when it had recovered by itself; when a person resolved it, the
repeat is only counted, and a new trigger opens if the condition still holds after the window.
"""

from __future__ import annotations

from typing import NamedTuple

from convex.alerts.measure import Measurement, fires, keeps
from convex.alerts.model import Kind, NoData, Reason, Resolution, Rule, RuleState, RuleType, Status
from convex.metrics.model import SECOND

FLAPPING_CHANGES = 4
FLAPPING_EVALUATIONS = 20
_RECENT = (1 << FLAPPING_EVALUATIONS) - 1


class Change(NamedTuple):
    """What happens to the trigger; `resolution` when it is over."""

    kind: Kind
    at: int
    reason: Reason
    value: float | None
    resolution: Resolution | None = None


class Decision(NamedTuple):
    """The outcome: the state after, what happens to the trigger, and why.

    `seen`: the condition held while a trigger is open (a repeat, unless it has just opened).
    `repeated`: counts on `repeat_count`; `suppressed`: on `suppressed_count`.
    """

    state: RuleState
    change: Change | None
    reason: Reason
    seen: bool = False
    repeated: bool = False
    suppressed: bool = False


def is_alerting(state: RuleState) -> bool:
    """Whether the condition counts as met, as opposed to the trigger being open (flapping)."""
    if state.status in (Status.FIRING, Status.RECOVERING):
        return True
    return (
        state.status in (Status.NO_DATA, Status.ERROR)
        and state.trigger_open
        and state.flapping_since is None
    )


def evaluate(rule: Rule, measurement: Measurement, state: RuleState, now: int) -> Decision:
    """Decide at the point of instant `now` (microseconds since 1970 UTC).

    A gap longer than `no_data_after` before it is decided first, by `lapse`.
    """
    if state.evaluated_at is not None and now <= state.evaluated_at:
        return Decision(state, None, Reason.ALREADY_EVALUATED)
    if rule.type is RuleType.MILESTONE:
        return _evaluate_milestone(rule, measurement, state, now)
    state = state._replace(evaluated_at=now, value=measurement.value, no_data_at=None)
    if not measurement.known:
        return _undecided(state, Reason.NOT_ENOUGH_HISTORY)
    if not measurement.finite:
        return _undecided(_enter(state, Status.ERROR, now), Reason.EVALUATION_FAILED)
    if state.outdated:
        return _reconsider(rule, measurement, state, now)
    if is_alerting(state):
        if keeps(rule, measurement.score):
            return _still_true(state, now)
        return _became_false(rule, state, now)
    if fires(rule, measurement.score):
        return _became_true(rule, state, now)
    reason = Reason.PENDING_DROPPED if state.status is Status.PENDING else Reason.NOT_MET
    return _settle(_enter(_shift(state, False), Status.OK, now), now, reason)


def lapse(rule: Rule, state: RuleState, until: int) -> Decision:
    """Decide about the time without points from the last evaluation to `until`.

    No data is noticed `no_data_after` after the last point, whenever somebody looks: by the next
    point, or by the flow that checks for silence.
    """
    after = rule.no_data_after_seconds * SECOND
    last = state.evaluated_at
    if after == 0 or last is None or until - last <= after or state.no_data_at is not None:
        return Decision(state, None, Reason.ALREADY_EVALUATED)
    at = last + after
    if rule.no_data is NoData.KEEP:
        return Decision(state._replace(no_data_at=at), None, Reason.DATA_MISSING)
    lost = _enter(state, Status.NO_DATA, at)._replace(no_data_at=at)
    if rule.no_data is NoData.OK:
        lost = lost._replace(recent_changes=0, flapping_since=None)
        return _close(lost, at, Reason.NO_DATA_OK, Resolution.NO_DATA)
    if state.trigger_open:
        return Decision(lost, None, Reason.DATA_MISSING)
    opened = lost._replace(trigger_open=True, resolved_by_hand=False)
    return Decision(
        opened, Change(Kind.OPENED, at, Reason.NO_DATA_ALERT, None), Reason.NO_DATA_ALERT, seen=True
    )


def end_series(state: RuleState, at: int) -> Decision:
    """The series ends at `at` (its stale marker): nothing is pending or firing any more."""
    if state.evaluated_at is not None and at < state.evaluated_at:
        return Decision(state, None, Reason.ALREADY_EVALUATED)
    ended = _enter(state, Status.OK, at)._replace(
        evaluated_at=at,
        recent_changes=0,
        flapping_since=None,
        no_data_at=None,
    )
    decision = _close(ended, at, Reason.STALE, Resolution.STALE)
    return decision if decision.change else decision._replace(reason=Reason.SERIES_ENDED)


def end_rule(state: RuleState, at: int, reason: Reason, resolution: Resolution) -> Decision:
    """The rule is disabled, deleted, or no longer about this series: its trigger is over and the
    state starts afresh. A milestone's total and goal are kept: only the points know them.
    """
    fresh = RuleState(
        since=at,
        evaluated_at=state.evaluated_at,
        value=state.value,
        outdated=True,
        trigger_id=state.trigger_id,
        trigger_open=state.trigger_open,
        historical=state.historical,
        milestone_reached=state.milestone_reached,
        running_total=state.running_total,
    )
    decision = _close(fresh, at, reason, resolution)
    # A rule that was changed is another rule: what fires next is no repeat of the old one.
    return decision._replace(state=decision.state._replace(trigger_id=None, resolved_at=None))


def release_by_hand(state: RuleState, at: int) -> RuleState:
    """A person resolved the trigger at `at`."""
    return _enter(state, Status.OK, at)._replace(
        flapping_since=None,
        trigger_open=False,
        resolved_by_hand=True,
        resolved_at=at,
    )


def _enter(state: RuleState, status: Status, now: int) -> RuleState:
    if status is state.status:
        return state
    return state._replace(status=status, since=now, pending_since=None, keep_firing_since=None)


def _reconsider(rule: Rule, measurement: Measurement, state: RuleState, now: int) -> Decision:
    """The first evaluation after the rule changed: what fires goes on, anything else is over."""
    state = _enter(state, Status.OK, now)._replace(
        outdated=False, recent_changes=0, flapping_since=None
    )
    if not fires(rule, measurement.score):
        return _close(state, now, Reason.RULE_CHANGED, Resolution.RULE_CHANGED)
    if not state.trigger_open:
        return _became_true(rule, state, now)
    reason = Reason.STILL_FIRING
    firing = _enter(state, Status.FIRING, now)._replace(reason=reason)
    return Decision(firing, None, reason, seen=True, repeated=True)


def _shift(state: RuleState, changed: bool) -> RuleState:
    recent = ((state.recent_changes << 1) | changed) & _RECENT
    return state if recent == state.recent_changes else state._replace(recent_changes=recent)


def _is_flapping(state: RuleState) -> bool:
    return state.recent_changes.bit_count() >= FLAPPING_CHANGES


def _undecided(state: RuleState, reason: Reason) -> Decision:
    return Decision(state._replace(reason=reason), None, reason)


def _still_true(state: RuleState, now: int) -> Decision:
    cancelled = state.status is Status.RECOVERING
    state = _enter(_shift(state, False), Status.FIRING, now)
    reason = Reason.RECOVERY_CANCELLED if cancelled else Reason.STILL_FIRING
    return _settle(state, now, reason, seen=True, repeated=True)


def _became_true(rule: Rule, state: RuleState, now: int) -> Decision:
    wait = rule.for_seconds * SECOND
    if wait and state.status is not Status.PENDING:
        state = _enter(_shift(state, False), Status.PENDING, now)._replace(pending_since=now)
        return _settle(state, now, Reason.PENDING_STARTED)
    if state.pending_since is not None and now - state.pending_since < wait:
        return _settle(_shift(state, False), now, Reason.PENDING)
    if state.trigger_open:  # it was flapping: the trigger never closed
        fired = _enter(_shift(state, True), Status.FIRING, now)
        return _settle(
            fired, now, Reason.FLAPPING_CONTINUES, seen=True, repeated=True, suppressed=True
        )
    if _within_deduplication(rule, state, now):
        if state.resolved_by_hand:
            held = _shift(state, False)._replace(reason=Reason.HELD_AFTER_RESOLVE)
            return Decision(held, None, Reason.HELD_AFTER_RESOLVE, repeated=True)
        fired = _enter(_shift(state, True), Status.FIRING, now)._replace(
            trigger_open=True, resolved_at=None
        )
        change = Change(Kind.REOPENED, now, Reason.MET_AGAIN, state.value)
        return _decided(fired, change, seen=True, repeated=True)
    fired = _enter(_shift(state, True), Status.FIRING, now)._replace(
        trigger_open=True,
        resolved_at=None,
        resolved_by_hand=False,
    )
    return _decided(fired, Change(Kind.OPENED, now, Reason.CONDITION_MET, state.value), seen=True)


def _within_deduplication(rule: Rule, state: RuleState, now: int) -> bool:
    window = rule.deduplication_window_seconds * SECOND
    return (
        window > 0
        and state.trigger_id is not None
        and state.resolved_at is not None
        and now - state.resolved_at <= window
    )


def _became_false(rule: Rule, state: RuleState, now: int) -> Decision:
    keep = rule.keep_firing_for_seconds * SECOND
    if keep:
        if state.keep_firing_since is None:
            state = _enter(_shift(state, False), Status.RECOVERING, now)._replace(
                keep_firing_since=now
            )
            return _settle(state, now, Reason.RECOVERY_STARTED)
        if now - state.keep_firing_since < keep:
            return _settle(_shift(state, False), now, Reason.RECOVERING)
    state = _enter(_shift(state, True), Status.OK, now)
    if state.flapping_since is not None:
        return _settle(state, now, Reason.FLAPPING_CONTINUES, suppressed=True)
    if _is_flapping(state):
        flapping = state._replace(flapping_since=now)
        return _decided(flapping, Change(Kind.FLAPPING, now, Reason.FLAPPING, state.value))
    return _close(state, now, Reason.RECOVERED, Resolution.RECOVERED)


def _settle(
    state: RuleState,
    now: int,
    reason: Reason,
    *,
    seen: bool = False,
    repeated: bool = False,
    suppressed: bool = False,
) -> Decision:
    """End the flapping if it is over; a trigger that only flapping kept open is then resolved."""
    if state.flapping_since is not None and not _is_flapping(state):
        state = state._replace(flapping_since=None)
        if not is_alerting(state):
            return _close(state, now, Reason.SETTLED, Resolution.RECOVERED)
        reason = Reason.FLAPPING_ENDED
    return Decision(state._replace(reason=reason), None, reason, seen, repeated, suppressed)


def _decided(
    state: RuleState, change: Change, *, seen: bool = False, repeated: bool = False
) -> Decision:
    return Decision(state._replace(reason=change.reason), change, change.reason, seen, repeated)


def _close(state: RuleState, at: int, reason: Reason, resolution: Resolution) -> Decision:
    if not state.trigger_open:
        return Decision(state._replace(reason=reason), None, reason)
    closed = state._replace(trigger_open=False, resolved_at=at, resolved_by_hand=False)
    return _decided(closed, Change(Kind.RESOLVED, at, reason, state.value, resolution))


def _evaluate_milestone(
    rule: Rule, measurement: Measurement, state: RuleState, now: int
) -> Decision:
    state = state._replace(
        evaluated_at=now,
        value=measurement.value,
        running_total=state.running_total if measurement.total is None else measurement.total,
        no_data_at=None,
    )
    if not measurement.known:
        return _undecided(state, Reason.NOT_ENOUGH_HISTORY)
    if not measurement.finite:
        return _undecided(_enter(state, Status.ERROR, now), Reason.EVALUATION_FAILED)
    state = _enter(state, Status.OK, now)._replace(outdated=False)
    if not fires(rule, measurement.score):
        return _undecided(state, Reason.NOT_MET)
    if state.milestone_reached == rule.threshold_value:
        return _undecided(state, Reason.GOAL_REACHED_BEFORE)
    # It resolves itself at once: the shell writes both, this decision carries the opening.
    reached = state._replace(
        milestone_reached=rule.threshold_value,
        trigger_open=False,
        resolved_at=now,
        resolved_by_hand=False,
    )
    change = Change(Kind.OPENED, now, Reason.GOAL_REACHED, measurement.value, Resolution.MILESTONE)
    return _decided(reached, change, seen=True)
