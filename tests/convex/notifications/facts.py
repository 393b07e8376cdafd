"""Values for tests of the pure parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from convex.notifications.model import (
    Channel,
    ChannelKind,
    Member,
    Past,
    Plan,
    Planned,
    Situation,
    State,
    Transition,
    Trigger,
)
from convex.notifications.plan import plan
from convex.notifications.preferences import Grouping, Preferences

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
WORKSPACE = UUID(int=1)
ANN, BOB = UUID(int=11), UUID(int=12)
INBOX = Channel(None, "in_app", ChannelKind.IN_APP, True)
MAIL = Channel(UUID(int=21), "mail", ChannelKind.EMAIL, True)
HOOK = Channel(UUID(int=22), "pager", ChannelKind.WEBHOOK, False)
CHAT = Channel(UUID(int=23), "chat", ChannelKind.SLACK, False)
ALONE = Preferences(grouping=Grouping(by="none"))


def trigger(number: int = 1, **changes: Any) -> Trigger:
    """A firing trigger; its number makes its id and fingerprint."""
    plain = Trigger(
        id=UUID(int=1000 + number),
        workspace_id=WORKSPACE,
        fingerprint=f"fingerprint-{number}",
        rule_id=UUID(int=31),
        rule_name="Many cancellations",
        framework_id=UUID(int=41),
        framework="ewr",
        framework_name="Newark",
        metric="cancel_rate",
        type="threshold",
        severity="warning",
        state="firing",
        value=0.5,
        threshold=0.2,
        reason="0.5 is above 0.2",
        opened_at=NOW,
    )
    return replace(plain, **changes)


def transition(number: int, about: Trigger, kind: str = "opened", **changes: Any) -> Transition:
    """One transition; resolved ones resolve their trigger."""
    if kind == "resolved":
        about = replace(
            about,
            state="resolved",
            resolved_at=changes.get("at", NOW),
            resolution=about.resolution or "recovered",
        )
    return replace(Transition(number, about, kind, at=NOW, queued_at=NOW), **changes)


def member(identity: UUID = ANN, preferences: Preferences | None = None) -> Member:
    """A member who reads an address named after the id."""
    return Member(identity, "Ann", f"{identity.int}@example.com", preferences or Preferences())


def situation(*transitions: Transition, **changes: Any) -> Situation:
    """One member, an inbox, mail and a webhook, unless said otherwise."""
    plain = Situation(
        workspace_id=WORKSPACE,
        transitions=transitions,
        members=[member()],
        defaults=Preferences(),
        channels=[INBOX, MAIL, HOOK],
    )
    return replace(plain, **changes)


def row(made: Plan, kind: ChannelKind | None, transition_id: int = 1) -> Planned:
    """The only row of a transition for a kind of channel."""
    found = [
        one
        for one in made.notifications
        if one.target.kind is kind and one.transition_id == transition_id and one.step == 0
    ]
    assert len(found) == 1, f"{len(found)} rows"
    return found[0]


def as_past(made: Plan, past: Sequence[Past] = (), **changes: Any) -> list[Past]:
    """What the database holds after a plan; `changes` apply to each message that was due."""
    fingerprints = {UUID(int=1000 + number): f"fingerprint-{number}" for number in range(200)}
    kept = {one.id: one for one in past}
    for change in made.changes:
        kept[change.id] = replace(
            kept[change.id],
            state=change.state,
            reason=change.reason,
            explanation=change.explanation,
            due_at=change.due_at,
            carried_by=change.carried_by,
        )
    for one in made.notifications:
        kept[one.id] = Past(
            id=one.id,
            trigger_id=one.trigger_id,
            transition_id=one.transition_id,
            fingerprint=fingerprints.get(one.trigger_id, "") if one.trigger_id else "",
            kind=one.kind,
            target=one.target,
            step=one.step,
            state=one.state,
            reason=one.reason,
            severity=one.severity,
            group_key=one.group_key,
            created_at=NOW,
            due_at=one.due_at,
            delivered_at=one.delivered_at,
            carried_by=one.carried_by,
            explanation=one.explanation,
        )
    return [
        replace(one, **changes) if changes and one.state is State.DUE else one
        for one in kept.values()
    ]


def delivered(made: Plan, past: Sequence[Past] = (), *, now: datetime = NOW) -> list[Past]:
    """The same, with everything that was due at `now` delivered then."""
    return [
        replace(one, state=State.DELIVERED, delivered_at=now)
        if one.state is State.DUE and one.due_at is not None and one.due_at <= now
        else one
        for one in as_past(made, past)
    ]


def later(**span: float) -> datetime:
    """That long after NOW."""
    return NOW + timedelta(**span)


def decide(*transitions: Transition, now: datetime = NOW, **changes: Any) -> Plan:
    """Plan a situation."""
    return plan(situation(*transitions, **changes), now)
