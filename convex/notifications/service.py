"""Planning against the database: take from the queue, load, decide, write. One transaction.

Few round trips, so that a firing is told within milliseconds: one takes the queue with its facts,
one loads everything around them, one writes. What is due at once may be written straight into the
hands of the sender that planned it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from convex.db import Connection
from convex.notifications import context_store, inbox, ledger_store, store
from convex.notifications.channels.message import Part
from convex.notifications.context_store import Context
from convex.notifications.grouping import group_key
from convex.notifications.ledger_store import Lease
from convex.notifications.model import (
    ChannelKind,
    Past,
    Plan,
    Planned,
    Reminder,
    Situation,
    State,
    Transition,
    Trigger,
)
from convex.notifications.outbox import Claim
from convex.notifications.plan import plan
from convex.notifications.preferences import GROUPINGS, Preferences
from convex.telemetry.metrics import notification_latency, notifications

_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Planning:
    """What one call of `plan_transitions` did.

    `cursors`: the newest live event by workspace, to be announced after the commit. `claims`: rows
    that were written into the caller's hands, to be sent after the commit. `due_now`: how many
    others can be sent at once.
    """

    transitions: int = 0
    written: int = 0
    changed: int = 0
    told_at_once: int = 0
    due_now: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    cursors: Mapping[UUID, int] = field(default_factory=dict)
    claims: Sequence[Claim] = ()


async def plan_transitions(
    connection: Connection,
    now: datetime,
    *,
    email_works: bool,
    limit: int = 1_000,
    lease: Lease | None = None,
) -> Planning:
    """Plan what is in the queue: rows of the ledger and the outbox, events of the inbox.

    Runs in the caller's transaction, as SYSTEM or for one workspace. What is in the inbox is told
    when that transaction commits; everything else is then due, or claimed under `lease`.
    """
    taken, transitions = await store.take_transitions(connection, limit)
    if not transitions:
        return Planning(transitions=taken)
    planning = await plan_and_save(
        connection, transitions, now, email_works=email_works, lease=lease
    )
    for several in transitions.values():
        for one in several:
            notification_latency.observe(max((now - one.queued_at).total_seconds(), 0.0))
    return replace(planning, transitions=taken)


async def plan_and_save(
    connection: Connection,
    transitions: Mapping[UUID, Sequence[Transition]],
    now: datetime,
    *,
    email_works: bool,
    reminders: Mapping[UUID, Sequence[Reminder]] = MappingProxyType({}),
    lease: Lease | None = None,
) -> Planning:
    """Plan transitions and reminders by workspace, and write what comes of it.

    The caller is the only planner of these workspaces.
    """
    plans, context = await _decide(connection, transitions, reminders, now, email_works=email_works)
    new = [one for made in plans.values() for one in made.notifications]
    changes = [one for made in plans.values() for one in made.changes]
    told = [one for one in new if one.state is State.DELIVERED]
    traces = {
        one.id: one.traceparent
        for several in transitions.values()
        for one in several
        if one.traceparent
    }
    claims = [] if lease is None else _claims(new, context, lease, now, traces)
    events = inbox.event_queries(entry_of(one, now) for one in told)
    writes = ledger_store.save_queries(
        new, changes, now, lease=lease, leased={claim.id for claim in claims}
    )
    cursors: dict[UUID, int] = {}
    if writes or events:
        answers = await store.send_together(connection, writes, list(events.values()))
        cursors = {
            workspace_id: rows[0]["cursor"]
            for workspace_id, rows in zip(events, answers, strict=True)
        }
    if told:
        notifications.labels("in_app", "delivered").inc(len(told))
    due_now = sum(one.state is State.DUE and one.due_at == now for one in new)
    return Planning(
        written=len(new),
        changed=len(changes),
        told_at_once=len(told),
        due_now=due_now - len(claims) + len(changes),
        states=Counter(one.state.value for one in new),
        cursors=cursors,
        claims=claims,
    )


async def _decide(
    connection: Connection,
    transitions: Mapping[UUID, Sequence[Transition]],
    reminders: Mapping[UUID, Sequence[Reminder]],
    now: datetime,
    *,
    email_works: bool,
) -> tuple[dict[UUID, Plan], Context]:
    """Plan each workspace, again when a sender has taken a row that the plan counted on."""
    workspaces = list({**transitions, **reminders})
    triggers = [one.trigger for several in transitions.values() for one in several]
    triggers += [one.trigger for several in reminders.values() for one in several]
    for _ in range(_ROUNDS):
        history_query = ledger_store.history_query(
            {one.id for one in triggers}, workspaces, _groups(triggers), now
        )
        *around, past = await store.fetch_together(
            connection, [*context_store.context_queries(workspaces, now), history_query]
        )
        context = context_store.read_context(around, workspaces, now, email_works=email_works)
        history = ledger_store.read_history(past)
        open_triggers = (
            await store.load_open_triggers(connection, list(context.inhibitions))
            if context.inhibitions
            else {}
        )
        plans = {
            workspace_id: plan(
                Situation(
                    workspace_id=workspace_id,
                    transitions=transitions.get(workspace_id, ()),
                    reminders=reminders.get(workspace_id, ()),
                    members=context.members.get(workspace_id, ()),
                    defaults=context.defaults.get(workspace_id, Preferences()),
                    channels=context.channels[workspace_id],
                    history=history.get(workspace_id, ()),
                    mutes=context.mutes.get(workspace_id, ()),
                    inhibitions=context.inhibitions.get(workspace_id, ()),
                    open_triggers=open_triggers.get(workspace_id, ()),
                ),
                now,
            )
            for workspace_id in workspaces
        }
        if await ledger_store.hold(connection, _counted_on(plans.values(), history), now):
            return plans, context
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


def _groups(triggers: Iterable[Trigger]) -> set[str]:
    """Every group that a trigger could belong to, whatever its members prefer."""
    return {group_key(kind, one) for kind in GROUPINGS for one in triggers}


def _claims(
    planned: Sequence[Planned],
    context: Context,
    lease: Lease,
    now: datetime,
    traces: Mapping[int, str],
) -> list[Claim]:
    """What is due at once, as claims; not what waits for another or for a circuit to close."""
    carried: dict[UUID, list[Part]] = {}
    for one in planned:
        if one.carried_by is not None:
            part = Part(one.kind, one.severity, one.payload)
            carried.setdefault(one.carried_by, []).append(part)
    people = {one.id: one for several in context.members.values() for one in several}
    claims: list[Claim] = []
    for one in planned:
        if len(claims) >= lease.free:
            break
        kind = one.target.kind
        if one.state is not State.DUE or one.due_at is None or one.due_at > now:
            continue
        if kind is None or kind is ChannelKind.IN_APP or "after" in one.payload:
            continue
        way = context.ways.get(one.target.channel) if one.target.channel else None
        if way is not None and way.open_until is not None and way.open_until > now:
            continue
        person = people.get(one.target.recipient) if one.target.recipient else None
        claims.append(
            Claim(
                id=one.id,
                workspace_id=one.workspace_id,
                trigger_id=one.trigger_id,
                kind=one.kind,
                recipient_id=one.target.recipient,
                channel_id=one.target.channel,
                channel_kind=kind,
                step=one.step,
                severity=one.severity,
                group_key=one.group_key,
                payload=one.payload,
                attempt=1,
                due_at=one.due_at,
                created_at=now,
                email=person.email if person else "",
                recipient_name=person.name if person else "",
                config=way.config if way else {},
                sealed=way.sealed if way else None,
                channel_version=way.version if way else 0,
                carried=carried.get(one.id, ()),
                traceparent=traces.get(one.transition_id or 0),
            )
        )
    return claims


def entry_of(planned: Planned, now: datetime) -> inbox.Entry:
    """What was told in the inbox at once, as the inbox shows it."""
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
