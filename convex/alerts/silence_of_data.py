"""What the clock alone can tell: series that have gone silent, and triggers nobody speaks for.

Called by a flow every minute for each workspace. It decides as the next point would (`lapse`), at
the instant at which the data became overdue, so it does not matter which of the two comes first.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import numpy as np

from convex.alerts import record, states
from convex.alerts.assessment import Assessment, Result, continued
from convex.alerts.evaluate import end_rule, lapse
from convex.alerts.groups import as_member, shared_by
from convex.alerts.ingest import IngestResult
from convex.alerts.liveness import HORIZON
from convex.alerts.matchers import fingerprint_of, identity_of
from convex.alerts.model import Kind, Reason, Resolution, Rule, RuleState
from convex.alerts.replay import Recorder
from convex.db import Connection
from convex.metrics import store
from convex.metrics.model import Labels, to_microseconds

_MOST = 10_000  # pairs of one call; the rest is found by the next


async def check_silence(
    connection: Connection, workspace_id: UUID, *, now: datetime
) -> IngestResult:
    """Decide about every rule whose series is overdue, and end triggers of rules that are gone.

    The caller owns the transaction. The result counts no points.
    """
    result = IngestResult()
    moment = to_microseconds(now)
    overdue = await states.overdue(connection, workspace_id, now, limit=_MOST)
    orphans = await states.orphans(connection, workspace_id)
    # All at once and before anything is written, in the order in which ingestion locks too.
    locked = await store.lock_series(
        connection,
        workspace_id,
        np.array(sorted({series_id for _, series_id in (*overdue, *orphans)}), np.int64),
    )
    assessment = Assessment()
    if overdue:
        newest = dict(zip(locked.ids.tolist(), locked.newest.tolist(), strict=True))
        rules = await states.rules_by_id(connection, workspace_id, {rule for rule, _ in overdue})
        fingerprints = sorted(
            fingerprint_of(workspace_id, str(rule_id), identity_of(labels, rules[rule_id]))
            for (rule_id, _), labels in overdue.items()
            if rule_id in rules and rules[rule_id].is_grouped
        )
        if fingerprints:
            await states.lock_fingerprints(connection, fingerprints)
        stored = await states.load_groups(connection, workspace_id, list(rules.values()))
        for (rule_id, series_id), labels in sorted(overdue.items(), key=lambda item: str(item[0])):
            rule, found = rules.get(rule_id), stored.get((rule_id, series_id))
            if rule is None or found is None or series_id not in newest:
                continue
            one = _decide(rule, series_id, labels, found[0], newest[series_id], moment, stored)
            if one is not None:
                assessment.results.append(one)
                assessment.reasons += one.outcome.reasons
                stored[(rule_id, series_id)] = (one.outcome.state, labels)
    await record.record(connection, workspace_id, assessment, result)
    await _end_orphans(connection, workspace_id, now, result, orphans, locked)
    return result


def _decide(
    rule: Rule,
    series_id: int,
    labels: Labels,
    stored: RuleState,
    newest: int,
    now: int,
    everything: dict[states.StateKey, tuple[RuleState, Labels]],
) -> Result | None:
    state = continued(rule, stored, newest)
    shared = None
    group: dict[int, RuleState] = {}
    if rule.is_grouped:
        identity = identity_of(labels, rule)
        group = {
            key: other
            for (rule_id, key), (other, own) in everything.items()
            if rule_id == rule.id and identity_of(own, rule) == identity
        }
        common = shared_by(list(group.values()))
        shared = RuleState(
            trigger_id=common.trigger_id,
            trigger_open=common.open,
            acknowledged=common.acknowledged,
        )
        state = as_member(state)._replace(
            trigger_id=common.trigger_id, historical=common.historical
        )
    decision = lapse(rule, state, now)
    if decision.reason is Reason.ALREADY_EVALUATED:
        return None
    change = decision.change
    if change is not None and shared is not None:
        others = any(
            as_member(other).trigger_open for key, other in group.items() if key != series_id
        )
        if change.kind is Kind.OPENED and shared.trigger_open:
            decision = decision._replace(change=None, repeated=True)
        elif change.kind is Kind.RESOLVED and others:
            decision = decision._replace(change=None)
    fingerprint = fingerprint_of(rule.workspace_id, str(rule.id), identity_of(labels, rule))
    recorder = Recorder(fingerprint, state, now - HORIZON)
    recorder.take(decision, decision.state.no_data_at or now)
    return Result(rule, series_id, labels, fingerprint, recorder.outcome, stored, shared)


async def _end_orphans(
    connection: Connection,
    workspace_id: UUID,
    now: datetime,
    result: IngestResult,
    orphans: list[states.StateKey],
    locked: store.LockedSeries,
) -> None:
    """A batch under way while its rule was disabled or deleted can leave a trigger open."""
    if not orphans:
        return
    rules = await states.rules_by_id(connection, workspace_id, {one[0] for one in orphans})
    stored = await states.load_states(connection, workspace_id, list(rules.values()), locked.ids)
    assessment = Assessment()
    for rule_id, series_id in orphans:
        rule, state = rules[rule_id], stored.get((rule_id, series_id))
        speaks = rule.enabled and rule.deleted_at is None
        if state is None or not state.trigger_open or speaks:
            continue
        reason, resolution = (
            (Reason.RULE_DISABLED, Resolution.RULE_DISABLED)
            if rule.deleted_at is None
            else (Reason.RULE_DELETED, Resolution.RULE_DELETED)
        )
        recorder = Recorder("", state, 0)
        decision = end_rule(state, to_microseconds(now), reason, resolution)
        ended = recorder.take(decision._replace(state=state), to_microseconds(now))
        recorder.outcome.state = decision.state._replace(
            historical=ended.historical, trigger_id=None
        )
        assessment.results.append(Result(rule, series_id, {}, "", recorder.outcome, state))
    await record.record(connection, workspace_id, assessment, result)
