"""Rules that group: several series share one trigger. Pure.

Each series has its own state and is decided by `evaluate` as ever; the trigger opens with the first
series that fires and is over with the last one that stops. While it is open, more series that fire
are repeats. The instants of all series are taken in one order, by time and then by series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from convex.alerts.evaluate import Decision, end_series, evaluate, lapse
from convex.alerts.measure import Measurements
from convex.alerts.model import Kind, Reason, Rule, RuleState, Status
from convex.alerts.replay import Peak, Recorder
from convex.metrics.model import IntArray

_FIRING = (Status.FIRING, Status.RECOVERING)


@dataclass(slots=True)
class Member:
    """One series of a group: its state, and what is to be evaluated (nothing for the others)."""

    series_id: int
    state: RuleState
    at: IntArray | None = None
    measured: Measurements | None = None
    live_from: int = 0
    ends: Sequence[int] = ()

    def holds(self) -> bool:
        """Whether this series keeps the group's trigger open."""
        return self.state.trigger_open


@dataclass(slots=True)
class Shared:
    """The trigger that a group shares: the open one or the last."""

    trigger_id: UUID | None = None
    open: bool = False
    acknowledged: bool = False
    historical: bool = False
    resolved_at: int | None = None
    resolved_by_hand: bool = False


@dataclass(slots=True)
class GroupOutcome:
    """What happened to the group's trigger, and which series opened each new one."""

    recorder: Recorder
    openers: dict[UUID, int]


def shared_by(states: Sequence[RuleState]) -> Shared:
    """The trigger that these states of one group have in common: an open one before others."""
    known = [state for state in states if state.trigger_id is not None]
    if not known:
        return Shared()
    newest = max(known, key=lambda state: (state.trigger_open, state.resolved_at or 0))
    return Shared(
        newest.trigger_id,
        newest.trigger_open,
        newest.acknowledged,
        newest.historical,
        newest.resolved_at,
        newest.resolved_by_hand,
    )


def as_member(state: RuleState) -> RuleState:
    """A stored state with `trigger_open` saying whether *this* series holds the trigger open."""
    holds = state.trigger_open and (
        state.status in _FIRING
        or state.flapping_since is not None
        or state.status in (Status.NO_DATA, Status.ERROR)
        or state.outdated
    )
    return state._replace(trigger_open=holds)


def replay_group(
    rule: Rule,
    fingerprint: str,
    members: Sequence[Member],
    shared: Shared,
    until: int | None = None,
) -> GroupOutcome:
    """Evaluate all members in the order of time; their `state` is moved on in place.

    `until`: the silence from each member's last point to this instant is decided too.
    """
    group = _Group(rule, fingerprint, members, shared)
    steps = sorted(
        (at, number, kind, index)
        for number, member in enumerate(members)
        for kind, instants in (
            (0, [] if member.at is None else member.at.tolist()),
            (1, list(member.ends)),
        )
        for index, at in enumerate(instants)
    )
    for at, number, kind, index in steps:
        member = members[number]
        if kind == 1:
            group.take(member, end_series(group.seen_by(member), at), at, None)
            continue
        silence = lapse(rule, group.seen_by(member), at)
        if silence.reason is not Reason.ALREADY_EVALUATED:
            group.take(member, silence, silence.state.no_data_at or at, None)
        assert member.measured is not None
        measurement = member.measured[index]
        decision = evaluate(rule, measurement, group.seen_by(member), at)
        group.take(member, decision, at, measurement.score)
    for member in sorted(members, key=lambda one: one.state.evaluated_at or 0):
        silence = lapse(rule, group.seen_by(member), until or 0)
        if until is not None and silence.reason is not Reason.ALREADY_EVALUATED:
            group.take(member, silence, silence.state.no_data_at or until, None)
    return group.outcome


class _Group:
    """The shared trigger while its members are replayed."""

    def __init__(
        self, rule: Rule, fingerprint: str, members: Sequence[Member], shared: Shared
    ) -> None:
        start = RuleState(trigger_id=shared.trigger_id, historical=shared.historical)
        self.outcome = GroupOutcome(Recorder(fingerprint, start, 0), {})
        self._members = members
        self._shared = shared

    def seen_by(self, member: Member) -> RuleState:
        """The member's state with what it must know of the shared trigger."""
        shared = self._shared
        return member.state._replace(
            trigger_id=shared.trigger_id,
            historical=shared.historical,
            resolved_at=None if shared.open else shared.resolved_at,
            resolved_by_hand=shared.resolved_by_hand and not shared.open,
        )

    def take(self, member: Member, decision: Decision, at: int, score: float | None) -> None:
        """Let the member's decision act on the shared trigger."""
        shared = self._shared
        decision = self._translate(member, decision)
        self.outcome.recorder.live_from = member.live_from
        state = self.outcome.recorder.take(decision, at, score)
        if decision.seen and score is not None:
            self.outcome.recorder.rise(member.series_id, Peak(at, score))
        change = decision.change
        if change is not None and change.kind is Kind.OPENED:
            assert state.trigger_id is not None
            self.outcome.openers[state.trigger_id] = member.series_id
            shared.acknowledged = False
        shared.trigger_id, shared.historical = state.trigger_id, state.historical
        if change is not None:
            shared.open = change.kind is not Kind.RESOLVED
            shared.resolved_at = None if shared.open else change.at
            shared.resolved_by_hand = False
        member.state = state

    def _translate(self, member: Member, decision: Decision) -> Decision:
        change = decision.change
        if change is None:
            return decision
        others = any(other.holds() for other in self._members if other is not member)
        if change.kind in (Kind.OPENED, Kind.REOPENED) and self._shared.open:
            return decision._replace(change=None, repeated=True, seen=True)
        if change.kind is Kind.REOPENED and change.at < (self._shared.resolved_at or 0):
            # This series came after the others: what was over later cannot begin again here, only
            # after that end.
            state = self.seen_by(member)._replace(evaluated_at=change.at, value=change.value)
            return Decision(state, None, Reason.HELD_AFTER_RESOLVE)
        if change.kind is Kind.RESOLVED and others:
            return decision._replace(change=None)
        if change.kind is Kind.FLAPPING and any(
            other.state.flapping_since is not None for other in self._members if other is not member
        ):
            return decision._replace(change=None, suppressed=True)
        return decision
