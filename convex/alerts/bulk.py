"""The same for many triggers, or rules, at once: one transaction, an outcome for each. The caller
owns the transaction.

Everything that the items will want is locked first, in the order in which ingestion locks: series
by id, then fingerprints. Taken item by item the locks would come in another order, and the two
would wait for each other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import numpy as np

from convex.alerts import rule_service, rule_store, service, states, trigger_store
from convex.alerts.model import TriggerFilters
from convex.db import Connection, Identity, Role
from convex.errors import ConvexError, InvalidInput, NotPermitted
from convex.metrics import store as metric_store

MOST: Final = 500
RULE_ACTIONS: Final = ("enable", "disable", "delete", "undelete")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one of them was left as it is."""

    id: UUID
    code: str
    detail: str


@dataclass(slots=True)
class BulkOutcome:
    """What became of each; `more`: the filter finds others beyond these.

    `changed` hold what was acted on, whether or not that made a difference. `cursor` is the last
    live event (None: there was none).
    """

    changed: list[UUID] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    more: bool = False
    cursor: int | None = None


@dataclass(frozen=True, slots=True)
class TriggerAction:
    """What is done: `name` is one of `acknowledge`, `resolve`, `reopen`, `comment`, `assign`,
    `feedback`; the others say how.
    """

    name: str
    note: str | None = None
    user_id: UUID | None = None
    feedback: str | None = None


async def act_on_triggers(
    connection: Connection,
    identity: Identity,
    action: TriggerAction,
    *,
    ids: Sequence[UUID] | None = None,
    filters: TriggerFilters | None = None,
    versions: Mapping[UUID, int] | None = None,
    now: datetime,
) -> BulkOutcome:
    """Act on the triggers given by id, or on the newest `MOST` that the filters find.

    Each is a transition of its own, by whoever asks. `versions` are those that the caller has seen:
    a trigger at another one is left (`precondition_failed`). Raises `InvalidInput`.
    """
    workspace_id = service.may_change(identity)
    chosen, more = list(ids or ()), False
    if filters is not None:
        chosen = await trigger_store.find_trigger_ids(
            connection, workspace_id, filters, limit=MOST + 1
        )
        chosen, more = chosen[:MOST], len(chosen) > MOST
    _check_count(chosen)
    await trigger_store.lock_many(connection, workspace_id, chosen)
    act = _trigger_act(action)
    expected = versions or {}

    async def one(trigger_id: UUID) -> int | None:
        done = await act(connection, identity, trigger_id, now, expected.get(trigger_id))
        return done.cursor

    return await _each(connection, chosen, one, more=more)


async def act_on_rules(
    connection: Connection,
    identity: Identity,
    action: str,
    *,
    ids: Sequence[UUID] | None = None,
    filters: rule_store.RuleFilters | None = None,
    versions: Mapping[UUID, int] | None = None,
    now: datetime,
) -> BulkOutcome:
    """Enable, disable, delete or undelete rules given by id, or the first `MOST` by name that the
    filters find. Deleting and its undoing are for owners. Raises `InvalidInput`, `NotPermitted`.
    """
    workspace_id = rule_service.may_write(identity)
    if action in ("delete", "undelete") and identity.role not in (Role.OWNER, Role.SYSTEM):
        raise NotPermitted("Deleting alert rules, and bringing them back, is for owners.")
    if action not in RULE_ACTIONS:
        raise InvalidInput(f"The action is one of {', '.join(RULE_ACTIONS)}.", field="action")
    chosen, more = list(ids or ()), False
    if filters is not None:
        chosen = await rule_store.find_rule_ids(connection, workspace_id, filters, limit=MOST + 1)
        chosen, more = chosen[:MOST], len(chosen) > MOST
    _check_count(chosen)
    await rule_store.lock_rules(connection, workspace_id, chosen)
    series = await states.series_of_rules(connection, workspace_id, chosen)
    locked = await metric_store.lock_series(connection, workspace_id, np.array(series, np.int64))
    common: dict[str, Any] = {"now": now, "within": set(locked.ids.tolist())}
    expected = versions or {}

    async def one(rule_id: UUID) -> int | None:
        version = expected.get(rule_id)
        if action == "delete":
            saved = await rule_service.delete_rule(
                connection, identity, rule_id, expected_version=version, **common
            )
        elif action == "undelete":
            saved = await rule_service.undelete_rule(
                connection, identity, rule_id, now=now, expected_version=version
            )
        else:
            changes = {"enabled": action == "enable"}
            saved = await rule_service.update_rule(
                connection, identity, rule_id, changes, expected_version=version, **common
            )
        return saved.cursor

    return await _each(connection, chosen, one, more=more)


def _check_count(chosen: Sequence[UUID]) -> None:
    if len(chosen) > MOST:
        raise InvalidInput(f"At most {MOST} at once.", field="ids")


async def _each(
    connection: Connection,
    chosen: Sequence[UUID],
    act: Callable[[UUID], Awaitable[int | None]],
    *,
    more: bool,
) -> BulkOutcome:
    outcome = BulkOutcome(more=more)
    for item in dict.fromkeys(chosen):
        try:
            async with connection.transaction():
                cursor = await act(item)
        except ConvexError as error:
            outcome.failed.append(Failure(item, error.code, error.message))
        else:
            outcome.changed.append(item)
            outcome.cursor = cursor or outcome.cursor
    return outcome


_Act = Callable[[Connection, Identity, UUID, datetime, int | None], Awaitable[service.Acted]]


def _trigger_act(action: TriggerAction) -> _Act:
    simple = {
        "acknowledge": service.acknowledge,
        "resolve": service.resolve,
        "reopen": service.reopen,
    }.get(action.name)

    async def act(
        connection: Connection,
        identity: Identity,
        trigger_id: UUID,
        now: datetime,
        seen: int | None,
    ) -> service.Acted:
        target = connection, identity, trigger_id
        if simple is not None:
            return await simple(*target, note=action.note, now=now, expected_version=seen)
        if action.name == "comment":
            return await service.comment(
                *target, note=action.note or "", now=now, expected_version=seen
            )
        if action.name == "assign":
            return await service.assign(
                *target, user_id=action.user_id, note=action.note, now=now, expected_version=seen
            )
        return await service.give_feedback(
            *target, feedback=action.feedback, note=action.note, now=now, expected_version=seen
        )

    if simple is None and action.name not in ("comment", "assign", "feedback"):
        raise InvalidInput("There is no such action.", field="action")
    return act
