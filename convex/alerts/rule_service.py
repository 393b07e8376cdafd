"""Creating, changing and ending rules, and what that does to their triggers. The caller owns the
transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from convex.alerts import rule_store, states, trigger_store, trigger_writes
from convex.alerts.evaluate import end_rule
from convex.alerts.matchers import match_all
from convex.alerts.model import Kind, Provenance, Reason, Resolution, Rule, RuleDraft
from convex.alerts.present import trigger_json
from convex.alerts.validate import check_rule
from convex.db import Connection, Identity, Role
from convex.errors import (
    Conflict,
    InvalidInput,
    KeptAsCode,
    NotPermitted,
    PreconditionFailed,
)
from convex.metrics import store as metric_store
from convex.metrics.model import to_microseconds

# Changes of these leave what the rule watches and decides as it is.
_COSMETIC = frozenset(
    {"name", "description", "severity", "channels", "tags", "runbook_url", "templates"}
    | {"provenance", "lateness_seconds"}
)


@dataclass(frozen=True, slots=True)
class RuleSaved:
    """The rule after the change, the triggers that it ended, and their last live event's cursor."""

    rule: Rule
    ended: tuple[UUID, ...] = ()
    cursor: int | None = None


async def create_rule(
    connection: Connection, identity: Identity, draft: RuleDraft, *, now: datetime
) -> RuleSaved:
    """Raises `InvalidInput` (naming the field), `Conflict` for a name that is taken."""
    workspace_id = may_write(identity)
    check_rule(draft)
    await _check_references(connection, workspace_id, draft)
    rule_id = await rule_store.insert_rule(connection, workspace_id, draft, identity.user_id)
    return RuleSaved(await rule_store.get_rule(connection, workspace_id, rule_id))


async def update_rule(
    connection: Connection,
    identity: Identity,
    rule_id: UUID,
    changes: Mapping[str, Any],
    *,
    now: datetime,
    expected_version: int | None = None,
    by_code: bool = False,
    within: Collection[int] | None = None,
) -> RuleSaved:
    """Change the given fields of `RuleDraft`; without a difference nothing is written.

    An open trigger goes on if the changed rule fires at its next evaluation, and is resolved as
    `rule_changed` if not; where the rule no longer watches its series, at once. Disabling resolves
    at once. Raises `PreconditionFailed` when the rule is not at `expected_version`, `Conflict` when
    it is kept as code and `by_code` is not set.

    Whoever changes several rules in one transaction locks their series first, and says `within`
    which: locking more of them after something was written could make others wait in a circle.
    Triggers of other series are then ended by the next look at silence.
    """
    workspace_id = may_write(identity)
    rule = await rule_store.get_rule(connection, workspace_id, rule_id, lock=True)
    _check_version(rule, expected_version)
    if rule.provenance is Provenance.CODE and not by_code:
        raise KeptAsCode("This rule is kept as code; change its file and apply it.")
    before = draft_of(rule)
    draft = replace(before, **changes)
    if draft == before:
        return RuleSaved(rule)
    check_rule(draft)
    await _check_references(connection, workspace_id, draft)
    ended, cursor = await _end_triggers(connection, rule, draft, now, within)
    await rule_store.replace_rule(connection, workspace_id, rule_id, draft)
    if not _is_another_rule(before, draft):
        await states.carry_states(connection, workspace_id, rule_id, rule.version)
    saved = await rule_store.get_rule(connection, workspace_id, rule_id)
    return RuleSaved(saved, ended, cursor)


async def delete_rule(
    connection: Connection,
    identity: Identity,
    rule_id: UUID,
    *,
    now: datetime,
    expected_version: int | None = None,
    by_code: bool = False,
    within: Collection[int] | None = None,
) -> RuleSaved:
    """Take the rule out of use; open triggers are resolved, and all stay. See `undelete_rule`;
    `within` is as in `update_rule`.
    """
    workspace_id = may_write(identity)
    rule = await rule_store.get_rule(connection, workspace_id, rule_id, lock=True)
    _check_version(rule, expected_version)
    if rule.provenance is Provenance.CODE and not by_code:
        raise KeptAsCode("This rule is kept as code; take it out of its file and apply it.")
    ended, cursor = await _end_triggers(connection, rule, None, now, within)
    await rule_store.replace_rule(connection, workspace_id, rule_id, draft_of(rule), deleted_at=now)
    gone = await rule_store.get_rule(connection, workspace_id, rule_id, deleted=True)
    return RuleSaved(gone, ended, cursor)


async def undelete_rule(
    connection: Connection,
    identity: Identity,
    rule_id: UUID,
    *,
    now: datetime,
    expected_version: int | None = None,
    by_code: bool = False,
) -> RuleSaved:
    """Bring a deleted rule back as it was, its states afresh. `Conflict` if its name is taken, or
    if it is kept as code and `by_code` is not set.
    """
    workspace_id = may_write(identity)
    rule = await rule_store.get_rule(connection, workspace_id, rule_id, deleted=True, lock=True)
    _check_version(rule, expected_version)
    if rule.deleted_at is None:
        raise Conflict("The rule is not deleted.")
    if rule.provenance is Provenance.CODE and not by_code:
        raise KeptAsCode("This rule is kept as code; put it back into its file and apply it.")
    await rule_store.replace_rule(connection, workspace_id, rule_id, draft_of(rule))
    return RuleSaved(await rule_store.get_rule(connection, workspace_id, rule_id))


def draft_of(rule: Rule) -> RuleDraft:
    """The fields that people set."""
    return RuleDraft(**{name: getattr(rule, name) for name in rule_store.DRAFT_COLUMNS})


def may_write(identity: Identity) -> UUID:
    """The workspace in which the identity may change rules. Raises `NotPermitted`."""
    if identity.workspace_id is None or identity.role not in (
        Role.EDITOR,
        Role.OWNER,
        Role.SYSTEM,
    ):
        raise NotPermitted("Changing alert rules needs the role editor or owner.")
    return identity.workspace_id


def _check_version(rule: Rule, expected: int | None) -> None:
    if expected is not None and rule.version != expected:
        raise PreconditionFailed(
            f"The rule is at version {rule.version}, not {expected}; read it again."
        )


async def _check_references(connection: Connection, workspace_id: UUID, draft: RuleDraft) -> None:
    around = await rule_store.surroundings(connection, workspace_id, draft)
    if around is None and draft.is_joint:
        raise InvalidInput("There is no such framework in this workspace.", field="framework_id")
    if around is None:
        raise InvalidInput("There is no such metric in this workspace.", field="metric_id")
    if around["framework_id"] != draft.framework_id:
        raise InvalidInput("The metric belongs to another framework.", field="metric_id")


def _is_another_rule(before: RuleDraft, after: RuleDraft) -> bool:
    return any(
        getattr(before, name) != getattr(after, name)
        for name in rule_store.DRAFT_COLUMNS
        if name not in _COSMETIC
    )


async def _end_triggers(
    connection: Connection,
    rule: Rule,
    after: RuleDraft | None,
    now: datetime,
    within: Collection[int] | None,
) -> tuple[tuple[UUID, ...], int | None]:
    """Resolve the triggers that the rule can no longer speak for; `after` None: it is deleted."""
    if after is None:
        reason, resolution = Reason.RULE_DELETED, Resolution.RULE_DELETED
    elif rule.enabled and not after.enabled:
        reason, resolution = Reason.RULE_DISABLED, Resolution.RULE_DISABLED
    else:
        reason, resolution = Reason.RULE_CHANGED, Resolution.RULE_CHANGED
    everywhere = after is None or not after.enabled or _speaks_of_another_thing(rule, after)
    if not everywhere and after is not None and after.label_matchers == rule.label_matchers:
        return (), None
    series_ids = await states.series_of_rule(connection, rule.workspace_id, rule.id)
    if within is not None:
        series_ids = {one: labels for one, labels in series_ids.items() if one in within}
    if len(series_ids) == 0:
        return (), None
    locked = await metric_store.lock_series(
        connection, rule.workspace_id, np.array(sorted(series_ids), np.int64)
    )
    stored = await states.load_states(connection, rule.workspace_id, [rule], locked.ids)
    at = to_microseconds(now)
    changes: dict[UUID, trigger_writes.TriggerChange] = {}
    transitions: list[trigger_writes.NewTransition] = []
    saved: list[states.StoredState] = []
    for (_, series_id), state in stored.items():
        watched = after is not None and match_all(after.label_matchers, series_ids[series_id])
        if not everywhere and watched:
            continue
        decision = end_rule(state, at, reason, resolution)
        saved.append(states.StoredState(rule, series_id, decision.state))
        if decision.change is None or state.trigger_id is None or state.trigger_id in changes:
            continue
        from_state = "acknowledged" if state.acknowledged else "firing"
        changes[state.trigger_id] = trigger_writes.TriggerChange(
            state.trigger_id, None, 0, 0, state.historical, "resolved", at, resolution, 1
        )
        transitions.append(
            trigger_writes.NewTransition(
                trigger_id=state.trigger_id,
                kind=Kind.RESOLVED.value,
                from_state=from_state,
                to_state="resolved",
                reason=reason,
                value=state.value,
                at=at,
                planned=not state.historical,
            )
        )
    if changes:
        await trigger_writes.change_triggers(connection, rule.workspace_id, list(changes.values()))
        await trigger_writes.append_transitions(connection, rule.workspace_id, transitions)
    if saved:
        await states.save_states(connection, rule.workspace_id, saved)
    told = [one.trigger_id for one in transitions if one.planned]
    if not told:
        return tuple(changes), None
    triggers = await trigger_store.get_triggers(connection, rule.workspace_id, told)
    cursor = await trigger_writes.append_live_events(
        connection,
        rule.workspace_id,
        [(trigger.framework_id, trigger_json(trigger)) for trigger in triggers],
    )
    return tuple(changes), cursor


def _speaks_of_another_thing(rule: Rule, after: RuleDraft) -> bool:
    return (rule.framework_id, rule.metric_id, rule.type, rule.group_by) != (
        after.framework_id,
        after.metric_id,
        after.type,
        after.group_by,
    )
