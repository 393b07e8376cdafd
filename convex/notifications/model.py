"""The values of planning: what happened, who could be told, what was told before, what is planned.

All instants are aware (UTC). Ids of notifications are derived from their idempotency key, so that
planning stays pure and a plan that is made twice is the same plan.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from convex.notifications.preferences import Preferences


class Kind(StrEnum):
    """What a notification says."""

    FIRING = "firing"
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"
    ESCALATION = "escalation"
    REPEAT = "repeat"
    FLAPPING = "flapping"
    DIGEST = "digest"
    TEST = "test"
    PREDICTION = "prediction"
    NOTICE = "notice"


class State(StrEnum):
    """Where a notification stands.

    due: waits for `due_at` or a free sender · delivered · failed: given up after its attempts ·
    withheld: is never sent, for its reason · carried: said within another notification.
    """

    DUE = "due"
    DELIVERED = "delivered"
    FAILED = "failed"
    WITHHELD = "withheld"
    CARRIED = "carried"


class Reason(StrEnum):
    """Why a notification is planned as it is."""

    SENT = "sent"
    DEFERRED_QUIET_HOURS = "deferred_quiet_hours"
    GROUPED = "grouped"
    DEDUPLICATED = "deduplicated"
    BELOW_SEVERITY = "below_severity"
    SILENCED = "silenced"
    MUTED = "muted"
    INHIBITED = "inhibited"
    OVER_HOURLY_CAP = "over_hourly_cap"
    FLAPPING = "flapping"
    NO_CHANNEL = "no_channel"
    ACKNOWLEDGED = "acknowledged"
    EXPIRED = "expired"
    TEST = "test"


class ChannelKind(StrEnum):
    """How a notification travels. The first two reach a person, the others a place."""

    IN_APP = "in_app"
    EMAIL = "email"
    SLACK = "slack"
    WEBHOOK = "webhook"
    APPRISE = "apprise"


SEVERITIES: Mapping[str, int] = {"info": 0, "warning": 1, "critical": 2}
CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Trigger:
    """The facts of a trigger that planning and the messages need."""

    id: UUID
    workspace_id: UUID
    fingerprint: str
    rule_id: UUID | None
    rule_name: str
    framework_id: UUID
    framework: str
    framework_name: str
    metric: str
    type: str
    severity: str
    state: str
    value: float | None
    threshold: float | None
    reason: str
    opened_at: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    resolution: str | None = None
    description: str = ""
    unit: str = ""
    runbook_url: str = ""
    tags: Sequence[str] = ()
    channels: Sequence[str] = ()
    templates: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of a trigger's state that has not been planned yet."""

    id: int
    trigger: Trigger
    kind: str
    at: datetime
    queued_at: datetime
    reason: str = ""
    note: str = ""
    author_id: UUID | None = None
    author: str | None = None
    value: float | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A person who could be told."""

    id: UUID
    name: str
    email: str
    preferences: Preferences


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to tell. `id` is None for the built-in ones (in_app, and email by the operator's SMTP).

    `personal`: one notification per member; otherwise one, without a recipient. `unusable` says why
    nothing can be sent by it now, or is empty. `heartbeat`: it gets heartbeats and nothing else.
    """

    id: UUID | None
    name: str
    kind: ChannelKind
    personal: bool
    unusable: str = ""
    heartbeat: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Recipient × channel: what one row of the ledger is about. `recipient` None: the workspace."""

    recipient: UUID | None
    kind: ChannelKind | None
    channel: UUID | None


@dataclass(frozen=True, slots=True)
class Past:
    """A notification that exists already."""

    id: UUID
    trigger_id: UUID | None
    transition_id: int | None
    fingerprint: str
    kind: Kind
    target: Target
    step: int
    state: State
    reason: Reason
    severity: str
    group_key: str
    created_at: datetime
    due_at: datetime | None = None
    delivered_at: datetime | None = None
    attempts: int = 0
    leased: bool = False
    carried_by: UUID | None = None
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a trigger: `=`, `!=`, `=~` or `!~`, by a label or a property."""

    label: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Mute:
    """What keeps matching triggers from being told now: a silence or a mute window."""

    reason: Reason
    matchers: Sequence[Matcher]
    starts_at: datetime
    ends_at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While a trigger that matches `source` is open, those that match `target` are not told.

    `equal` lists labels or properties in which both must agree.
    """

    name: str
    source: Sequence[Matcher]
    target: Sequence[Matcher]
    equal: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Reminder:
    """A trigger that still fires and is to be told again to a target (kind repeat), or for the
    first time since what muted it has ended (kind firing). `since`: the row that it follows.
    """

    trigger: Trigger
    target: Target
    kind: Kind
    since: UUID


@dataclass(frozen=True, slots=True)
class Situation:
    """All that planning knows about one workspace. Transitions are in the order of their ids."""

    workspace_id: UUID
    transitions: Sequence[Transition]
    members: Sequence[Member]
    defaults: Preferences
    channels: Sequence[Channel]
    history: Sequence[Past] = ()
    mutes: Sequence[Mute] = ()
    inhibitions: Sequence[Inhibition] = ()
    open_triggers: Sequence[Trigger] = ()
    reminders: Sequence[Reminder] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """A notification to be written: a row of the ledger and, when it is due, of the outbox."""

    id: UUID
    workspace_id: UUID
    trigger_id: UUID | None
    transition_id: int | None
    kind: Kind
    target: Target
    step: int
    state: State
    reason: Reason
    explanation: str
    severity: str
    group_key: str
    idempotency_key: str
    payload: Mapping[str, Any]
    due_at: datetime | None = None
    delivered_at: datetime | None = None
    carried_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A planned notification that nobody has been sent yet and that now stands otherwise."""

    id: UUID
    state: State
    reason: Reason
    explanation: str
    due_at: datetime | None
    carried_by: UUID | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What planning decided."""

    notifications: Sequence[Planned]
    changes: Sequence[Change]


def idempotency_key(
    workspace_id: UUID,
    fingerprint: str,
    episode: UUID | str,
    transition: int | str,
    target: Target,
    step: int,
) -> str:
    """What makes a notification the same notification over every retry and every replay."""
    parts = (
        workspace_id,
        fingerprint,
        episode,
        transition,
        target.channel or target.kind or "none",
        target.recipient or "workspace",
        step,
    )
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


def notification_id(key: str) -> UUID:
    """The id of the notification with this idempotency key (a version 8 UUID)."""
    return UUID(int=(int(key[:32], 16) & ~(0xF << 76) & ~(0x3 << 62)) | (8 << 76) | (2 << 62))


def minutes_and_seconds(span: timedelta) -> str:
    """A length of time in words: 45 s, 12 min, 3 h 5 min, 2 d 4 h."""
    seconds = max(round(span.total_seconds()), 0)
    if seconds < 120:
        return f"{seconds} s"
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 120:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"
