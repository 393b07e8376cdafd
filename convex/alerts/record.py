"""Write what a batch's evaluation found: states, triggers, transitions, the planning queue, and
last the live events.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from convex.alerts import anomalies, states, trigger_writes
from convex.alerts.assessment import Assessment, Result, is_quiet, is_tracked
from convex.alerts.describe import describe_opening, format_duration
from convex.alerts.evaluate import Change
from convex.alerts.matchers import identity_of
from convex.alerts.measure import is_learnt, is_running_total
from convex.alerts.model import Kind, RuleState
from convex.alerts.present import trigger_json
from convex.alerts.record_joint import Telling, find_tellings
from convex.alerts.replay import Episode, trigger_id_of
from convex.alerts.trigger_store import get_triggers
from convex.anomaly import Explanation
from convex.anomaly.confidence import ConfidenceMap
from convex.db import Connection

if TYPE_CHECKING:
    from convex.alerts.ingest import IngestResult

_TO_STATE = {Kind.OPENED: "firing", Kind.REOPENED: "firing", Kind.RESOLVED: "resolved"}


async def record(
    connection: Connection, workspace_id: UUID, assessment: Assessment, result: IngestResult
) -> None:
    """Save it all, and add it to the batch's result."""
    result.outcomes.update({reason.value: n for reason, n in assessment.reasons.items()})
    results = assessment.results
    await _adopt(connection, workspace_id, results)
    tellings = await find_tellings(connection, workspace_id, assessment)
    confidence = ConfidenceMap()
    if any(is_learnt(one.rule) for one, e in _episodes(results) if e.opened is not None):
        confidence = await anomalies.confidences(connection, workspace_id)
    new: list[trigger_writes.NewTrigger] = []
    changed: list[trigger_writes.TriggerChange] = []
    transitions: list[trigger_writes.NewTransition] = []
    promoted: list[UUID] = []
    told: dict[UUID, None] = {}
    for one, episode in _episodes(results):
        if episode.opened is not None:
            telling = tellings.pop(episode.trigger_id, None)
            why = assessment.explanation(one, episode.opened.at)
            new.append(_new_trigger(one, episode, episode.opened, why, confidence, telling))
            if not episode.historical:
                result.opened[(one.rule.type.value, one.rule.severity.value)] += 1
        else:
            changed.append(_trigger_change(episode))
        transitions += _transitions(one, episode)
        if episode.promoted:
            promoted.append(episode.trigger_id)
        telling = tellings.get(episode.trigger_id)
        joined = telling is not None and telling.joined and not episode.historical
        if episode.promoted or episode.live_changes or joined:
            told[episode.trigger_id] = None
        if episode.changes:
            result.trigger_ids.append(episode.trigger_id)
            result.series_of_triggers.append(one.series_id)
    stored = [
        states.StoredState(one.rule, one.series_id, one.outcome.state)
        for one in results
        if _is_worth_keeping(one)
    ]
    # What is only written needs no answer: it goes in one message, with the question at its end.
    async with connection.pipeline():
        # First what ends: a trigger that ends here makes room for the next of its fingerprint.
        if changed:
            await trigger_writes.change_triggers(connection, workspace_id, changed)
        if new:
            await trigger_writes.insert_triggers(connection, workspace_id, new)
        if transitions:
            await trigger_writes.append_transitions(connection, workspace_id, transitions)
        if assessment.moved:
            await trigger_writes.move_ends(connection, workspace_id, assessment.moved)
        if tellings:
            await trigger_writes.tell_members(
                connection,
                workspace_id,
                [(key, one.members, one.reason) for key, one in tellings.items()],
            )
        if promoted:
            await trigger_writes.plan_promoted(connection, workspace_id, promoted)
        if stored:
            await states.save_states(connection, workspace_id, stored)
        triggers = await get_triggers(connection, workspace_id, list(told)) if told else []
    result.transitions = len(transitions)
    if triggers:
        events = [(one.framework_id, trigger_json(one)) for one in triggers]
        trigger_writes.append_events_last(connection, workspace_id, events, result.appended)


def _episodes(results: list[Result]) -> Iterator[tuple[Result, Episode]]:
    for one in results:
        for episode in one.outcome.episodes:
            yield one, episode


def _is_worth_keeping(one: Result) -> bool:
    """States that only got another time of the last evaluation are not written again."""
    before, after = one.before, one.outcome.state
    if is_running_total(one.rule) or one.rule.evaluation_offset_seconds:
        return True
    if before is None:
        return (
            is_tracked(one.rule)
            or not is_quiet(after)
            or after.trigger_id is not None
            or (after.milestone_reached is not None)
        )
    return _lasting(before) != _lasting(after)


def _lasting(state: RuleState) -> RuleState:
    if not is_quiet(state):
        return state
    return state._replace(evaluated_at=None, value=None, reason=None)


async def _adopt(connection: Connection, workspace_id: UUID, results: list[Result]) -> None:
    """Where a new episode meets a trigger that is there already (its series was deleted and came
    back, or its rule shares the fingerprint), go on with that trigger instead.

    The open trigger on which the rule itself stands is not met: an episode beside it is one of the
    past, which late points brought to light and which is over.
    """
    opened = [(one, e) for one, e in _episodes(results) if e.opened is not None]
    if not opened:
        return
    existing, open_now = await trigger_writes.known_triggers(
        connection,
        workspace_id,
        [episode.trigger_id for _, episode in opened],
        {one.fingerprint for one, _ in opened},
    )
    ours = {episode.trigger_id for _, episode in _episodes(results) if episode.opened is None}
    ours |= {
        before.trigger_id
        for one, _ in opened
        if (before := one.shared or one.before) is not None
        and before.trigger_open
        and before.trigger_id is not None
    }
    for one, episode in opened:
        assert episode.opened is not None
        known = open_now.pop(one.fingerprint, None)
        if known is not None and known not in ours:
            _continue_with(one, episode, known)
        elif (opened_at := existing.get(episode.trigger_id)) is not None:
            if opened_at == episode.opened.at:
                _continue_with(one, episode, episode.trigger_id)
            else:  # that one was moved since: an import gave it an earlier beginning
                _rename(one, episode, trigger_id_of(f"{episode.trigger_id}", opened_at))


def _rename(one: Result, episode: Episode, name: UUID) -> None:
    if one.outcome.state.trigger_id == episode.trigger_id:
        one.outcome.state = one.outcome.state._replace(trigger_id=name)
    episode.trigger_id = name


def _continue_with(one: Result, episode: Episode, known: UUID) -> None:
    if known == episode.trigger_id:  # the same facts came in once before
        episode.changes, episode.quiet = [], set()
    else:
        _rename(one, episode, known)
        episode.changes = episode.changes[1:]
        episode.quiet = {number - 1 for number in episode.quiet if number > 0}
        episode.repeats += 1
    episode.opened = None


def _final_state(episode: Episode) -> tuple[str | None, Change | None]:
    """The trigger's state after the episode's changes, and the one that ended it."""
    for change in reversed(episode.changes):
        state = _TO_STATE.get(change.kind)
        if state is not None:
            return state, change if state == "resolved" else None
    return None, None


def _new_trigger(
    one: Result,
    episode: Episode,
    opened: Change,
    explanation: Explanation | None,
    confidence: ConfidenceMap,
    telling: Telling | None,
) -> trigger_writes.NewTrigger:
    _, ended = _final_state(episode)
    rule = one.rule
    context: dict[str, Any] = {
        "condition": rule.condition.value,
        "aggregate": rule.aggregate.value,
        "window": format_duration(rule.window_seconds),
        "score": episode.score,
    }
    reason = describe_opening(rule, opened.value, episode.score, opened.reason)
    trust: int | None = None
    if explanation is not None:
        context |= anomalies.explained(explanation, episode.score, confidence)
        trust = context["confidence"]["percent"]
        reason = anomalies.describe(rule, opened.value, episode.score, context)
    if telling is not None:
        context["members"], reason = list(telling.members), telling.reason
    return trigger_writes.NewTrigger(
        trigger_id=episode.trigger_id,
        rule=rule,
        series_id=one.series_id,
        fingerprint=one.fingerprint,
        labels=identity_of(one.labels, rule),
        value=opened.value,
        reason=reason,
        context=context,
        confidence=trust,
        opened_at=opened.at,
        last_seen_at=episode.last_seen_at or opened.at,
        repeats=episode.repeats,
        suppressed=episode.suppressed,
        historical=episode.historical,
        resolved_at=ended.at if ended else None,
        resolution=ended.resolution if ended else None,
        changes=max(1, len(episode.changes)),
    )


def _trigger_change(episode: Episode) -> trigger_writes.TriggerChange:
    state, ended = _final_state(episode)
    return trigger_writes.TriggerChange(
        trigger_id=episode.trigger_id,
        last_seen_at=episode.last_seen_at,
        repeats=episode.repeats,
        suppressed=episode.suppressed,
        historical=episode.historical,
        state=state,
        resolved_at=ended.at if ended else None,
        resolution=ended.resolution if ended else None,
        changes=len(episode.changes),
    )


def _transitions(one: Result, episode: Episode) -> Iterator[trigger_writes.NewTransition]:
    state: str | None = None
    if episode.opened is None:
        before = one.shared or one.before
        state = "firing"
        if before is not None and before.trigger_id == episode.trigger_id:
            if not before.trigger_open:
                state = "resolved"
            elif before.acknowledged:
                state = "acknowledged"
    for number, change in enumerate(episode.changes):
        to_state = _TO_STATE.get(change.kind) or state or "firing"
        yield trigger_writes.NewTransition(
            trigger_id=episode.trigger_id,
            kind=change.kind.value,
            from_state=state,
            to_state=to_state,
            reason=change.reason,
            value=change.value,
            at=change.at,
            planned=number not in episode.quiet,
        )
        state = to_state
