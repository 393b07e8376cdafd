"""Planning against the database: take from the queue, load, decide, write. One transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from convex.db import Connection
from convex.notifications import inbox, ledger_store, store
from convex.notifications.grouping import group_key
from convex.notifications.model import (
    Past,
    Plan,
    Planned,
    Reminder,
    Situation,
    State,
    Transition,
    Trigger,
)
from convex.notifications.plan import plan
from convex.notifications.preferences import Preferences
from convex.telemetry.metrics import notification_latency, notifications

_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Planning:
    """What one call of `plan_transitions` did.

    `cursors`: the newest live event by workspace, to be announced after the commit. `due_now`: how
    many rows of the outbox can be sent at once.
    """

    transitions: int = 0
    written: int = 0
    changed: int = 0
    told_at_once: int = 0
    due_now: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    cursors: Mapping[UUID, int] = field(default_factory=dict)


async def plan_transitions(
    connection: Connection, now: datetime, *, email_works: bool, limit: int = 1_000
) -> Planning:
    """Plan what is in the queue: rows of the ledger and the outbox, events of the inbox.

    Runs in the caller's transaction, as SYSTEM or for one workspace. What is in the inbox is told
    when that transaction commits; everything else is then due.
    """
    queued = await store.take_queue(connection, limit)
    if not queued:
        return Planning()
    transitions = await store.load_transitions(connection, queued)
    if not transitions:
        return Planning(transitions=len(queued))
    planning = await plan_and_save(connection, transitions, now, email_works=email_works)
    return replace(planning, transitions=len(queued))


async def plan_and_save(
    connection: Connection,
    transitions: Mapping[UUID, Sequence[Transition]],
    now: datetime,
    *,
    reminders: Mapping[UUID, Sequence[Reminder]] = MappingProxyType({}),
    email_works: bool,
) -> Planning:
    """Plan transitions and reminders by workspace, and write what comes of it."""
    plans = await _decide(connection, transitions, reminders, now, email_works=email_works)
    new = [one for made in plans.values() for one in made.notifications]
    changes = [one for made in plans.values() for one in made.changes]
    written = await ledger_store.save(connection, new, changes, now)
    told = [one for one in new if one.state is State.DELIVERED and one.id in written]
    cursors = await inbox.append_events(connection, [_event(one, now) for one in told])
    _count(told, transitions, now)
    states: dict[str, int] = {}
    for one in new:
        states[one.state.value] = states.get(one.state.value, 0) + 1
    return Planning(
        written=len(written),
        changed=len(changes),
        told_at_once=len(told),
        due_now=sum(one.state is State.DUE and one.due_at == now for one in new),
        states=states,
        cursors=cursors,
    )


async def _decide(
    connection: Connection,
    transitions: Mapping[UUID, Sequence[Transition]],
    reminders: Mapping[UUID, Sequence[Reminder]],
    now: datetime,
    *,
    email_works: bool,
) -> dict[UUID, Plan]:
    """Plan each workspace, again when a sender has taken a row that the plan counted on."""
    workspaces = list({**transitions, **reminders})
    triggers = {
        workspace_id: [
            *(one.trigger for one in transitions.get(workspace_id, ())),
            *(one.trigger for one in reminders.get(workspace_id, ())),
        ]
        for workspace_id in workspaces
    }
    defaults = await store.load_defaults(connection, workspaces)
    members = await store.load_members(connection, workspaces, defaults)
    channels = await store.load_channels(connection, workspaces, email_works=email_works)
    mutes = await store.load_mutes(connection, workspaces, now)
    inhibitions = await store.load_inhibitions(connection, workspaces)
    open_triggers = (
        await store.load_open_triggers(connection, list(inhibitions)) if inhibitions else {}
    )
    wishes = {
        workspace_id: [
            defaults.get(workspace_id, Preferences()),
            *(member.preferences for member in members.get(workspace_id, ())),
        ]
        for workspace_id in workspaces
    }
    for _ in range(_ROUNDS):
        history = await ledger_store.load_history(
            connection,
            triggers={one.id for several in triggers.values() for one in several},
            workspaces=workspaces,
            groups=_groups(triggers, wishes),
            capped=[
                workspace_id
                for workspace_id, several in wishes.items()
                if any(one.max_per_hour for one in several)
            ],
            look_back=max(
                timedelta(hours=2),
                *(one.grouping.interval for several in wishes.values() for one in several),
            ),
            now=now,
        )
        plans = {
            workspace_id: plan(
                Situation(
                    workspace_id=workspace_id,
                    transitions=transitions.get(workspace_id, ()),
                    reminders=reminders.get(workspace_id, ()),
                    members=members.get(workspace_id, ()),
                    defaults=defaults.get(workspace_id, Preferences()),
                    channels=channels[workspace_id],
                    history=history.get(workspace_id, ()),
                    mutes=mutes.get(workspace_id, ()),
                    inhibitions=inhibitions.get(workspace_id, ()),
                    open_triggers=open_triggers.get(workspace_id, ()),
                ),
                now,
            )
            for workspace_id in workspaces
        }
        if await ledger_store.hold(connection, _counted_on(plans.values(), history), now):
            return plans
    raise RuntimeError("senders keep taking what is being planned; the next round tries again")


def _counted_on(plans: Iterable[Plan], history: Mapping[UUID, Sequence[Past]]) -> dict[UUID, int]:
    """Rows of the past that must still wait for the plan to be right, with their attempts."""
    past = {one.id: one for several in history.values() for one in several}
    wanted: set[UUID] = set()
    for made in plans:
        for change in made.changes:
            before = past[change.id]
            wanted.add(before.carried_by or before.id)
        for planned in made.notifications:
            carrier = planned.carried_by and past.get(planned.carried_by)
            if carrier and carrier.state is State.DUE and not carrier.leased:
                wanted.add(carrier.id)
    return {one: past[one].attempts for one in wanted if past[one].state is State.DUE}


def _groups(
    triggers: Mapping[UUID, Sequence[Trigger]], wishes: Mapping[UUID, Sequence[Preferences]]
) -> set[str]:
    return {
        group_key(kind, one)
        for workspace_id, several in triggers.items()
        for kind in {each.grouping.by for each in wishes[workspace_id]}
        for one in several
    }


def _event(planned: Planned, now: datetime) -> inbox.Entry:
    trigger: Mapping[str, Any] = planned.payload.get("trigger", {})
    assert planned.target.recipient is not None
    return inbox.Entry(
        id=planned.id,
        workspace_id=planned.workspace_id,
        recipient_id=planned.target.recipient,
        framework_id=UUID(trigger["framework_id"]) if "framework_id" in trigger else None,
        trigger_id=planned.trigger_id,
        kind=planned.kind,
        severity=planned.severity,
        payload=planned.payload,
        created_at=now,
        read_at=None,
    )


def _count(
    told: Sequence[Planned], transitions: Mapping[UUID, Sequence[Transition]], now: datetime
) -> None:
    if told:
        notifications.labels("in_app", "delivered").inc(len(told))
    for several in transitions.values():
        for one in several:
            notification_latency.observe(max((now - one.queued_at).total_seconds(), 0.0))
