"""Channels, preferences, the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.rules import SeverityName
from api.schemas.shared import Body, Flag, PageOf, Person, Shape, Tag

ChannelKindName = Literal["in_app", "email", "slack", "webhook", "apprise"]
ChannelName = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$", examples=["ops-webhook"])
]
Config = Annotated[dict[str, Any], Field(max_length=50)]
Secret = Annotated[
    dict[str, Any] | str,
    Field(description="An object, or the text of its usual field; it is never shown again."),
]


class ChannelShape(Shape):
    """A way to tell people. Of its secret only whether there is one."""

    id: UUID
    name: str
    kind: ChannelKindName
    config: dict[str, Any]
    has_secret: bool
    enabled: bool
    disabled_reason: str | None
    circuit_open_until: datetime | None
    last_delivered_at: datetime | None
    last_failed_at: datetime | None
    last_error: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class ChannelCreated(ChannelShape):
    """A new channel; `secret` was made for it and is shown this once (null: you gave it)."""

    secret: str | None


class ChannelNew(Body):
    """A new channel."""

    name: ChannelName
    kind: ChannelKindName
    config: Config = Field(default_factory=dict, examples=[{"url": "https://example.com/hook"}])
    secret: Secret | None = None
    enabled: Flag = True


class ChannelChange(Body):
    """What is given is changed; switching on forgets why it was off."""

    name: ChannelName | None = None
    config: Config | None = None
    secret: Secret | None = None
    enabled: Flag | None = None


class ChannelTest(Shape):
    """The test that is on its way; the ledger tells what came of it."""

    notification_id: UUID


class ChannelHealth(Shape):
    """How a channel works, from its deliveries of the last day."""

    channel_id: UUID | None
    name: str
    kind: ChannelKindName
    state: Literal["healthy", "degraded", "down", "disconnected"]
    explanation: str
    attempts: int
    delivered: int
    failed: int
    p95_seconds: float | None
    last_delivered_at: datetime | None
    last_failed_at: datetime | None
    last_error: str | None


class ChannelsHealth(PageOf[ChannelHealth]):
    """All channels, the built-in ones too."""


Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["22:00"])]


class EscalationStep(Body):
    """Whom to tell when nobody has acknowledged in time."""

    after_minutes: Annotated[int, Field(strict=True, ge=1, le=600)] | None = None
    channels: Annotated[list[Tag], Field(max_length=20)] = Field(default_factory=list)
    members: Annotated[list[UUID], Field(max_length=50)] | None = None


class PreferencesChange(Body):
    """What is given is changed."""

    channels: Annotated[list[Tag], Field(max_length=20)] | None = None
    min_severity: SeverityName | None = None
    quiet_hours_enabled: Flag | None = None
    quiet_hours_start: Clock | None = None
    quiet_hours_end: Clock | None = None
    timezone: Annotated[str, Field(max_length=64)] | None = None
    deduplication_minutes: Annotated[int, Field(strict=True, ge=1, le=60)] | None = None
    group_by: Literal["none", "rule", "framework", "type"] | None = None
    group_wait_seconds: Annotated[int, Field(strict=True, ge=0, le=2_678_400)] | None = None
    group_interval_seconds: Annotated[int, Field(strict=True, ge=0, le=2_678_400)] | None = None
    repeat_interval_seconds: Annotated[int, Field(strict=True, ge=0, le=2_678_400)] | None = None
    max_per_hour: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None
    escalation_after_minutes: Annotated[int, Field(strict=True, ge=1, le=120)] | None = None
    escalation_steps: Annotated[list[EscalationStep], Field(max_length=5)] | None = None
    predictions: Flag | None = None


class Preferences(Shape):
    """What counts, and where it comes from."""

    channels: list[str]
    min_severity: SeverityName
    quiet_hours_enabled: bool
    quiet_hours_start: str
    quiet_hours_end: str
    timezone: str
    deduplication_minutes: int
    group_by: str
    group_wait_seconds: int
    group_interval_seconds: int
    repeat_interval_seconds: int
    max_per_hour: int | None
    escalation_after_minutes: int
    escalation_steps: list[dict[str, Any]]
    predictions: bool
    source: Literal["own", "workspace", "built_in"]
    version: int


class SimulationBody(Body):
    """Settings to try on the past; what is left out is as it is."""

    preferences: PreferencesChange = Field(
        default_factory=PreferencesChange,
        examples=[{"quiet_hours_enabled": True, "min_severity": "warning"}],
    )
    days: Annotated[int, Field(strict=True, ge=1, le=90)] = 90


class ForecastShape(Shape):
    """What one setting would have led to."""

    messages: dict[str, int] = Field(description="How many would have gone out, by channel.")
    total: int
    outcomes: dict[str, int] = Field(description="Rows of the ledger by their reason.")
    firings_told: int
    firings_not_told: int
    in_sleep_hours: int = Field(description="Messages between 22:00 and 06:00 of the zone.")
    busiest_hour: int = Field(description="Most messages within one hour.")


class FateShape(Shape):
    """What becomes of a transition on a channel."""

    state: Literal["due", "delivered", "failed", "withheld", "carried"]
    reason: str
    explanation: str
    at: datetime | None = Field(description="When it would have been said; null: never.")


class SimulationItem(Shape):
    """A transition that the two settings treat differently."""

    transition_id: int
    trigger_id: UUID
    kind: str
    rule: str
    framework: str
    severity: SeverityName
    at: datetime
    channel_kind: ChannelKindName | None
    current: FateShape | None
    proposed: FateShape | None


class SimulationShape(Shape):
    """The past with the settings as they are, and as they would be."""

    days: int
    transitions: int
    truncated: bool = Field(description="There were more; only the newest were replayed.")
    current: ForecastShape
    proposed: ForecastShape
    differences: int
    items: list[SimulationItem] = Field(description="The newest 200 differences.")


class DeliveryShape(Shape):
    """One attempt."""

    attempt: int
    started_at: datetime
    finished_at: datetime
    outcome: str
    status_code: int | None
    error: str | None


class LedgerShape(Shape):
    """Why somebody was, or was not, told; `explanation` is the whole answer in words."""

    id: UUID
    trigger_id: UUID | None
    transition_id: int | None
    kind: str
    recipient: Person | None
    channel: str | None
    channel_kind: str | None
    step: int
    state: str
    reason: str
    severity: SeverityName
    explanation: str
    due_at: datetime | None
    delivered_at: datetime | None
    attempts: int
    last_error: str | None
    carried_by: UUID | None
    created_at: datetime
    deliveries: list[DeliveryShape]


def preference_changes(body: PreferencesChange) -> dict[str, Any]:
    """As the domain takes them; null only where that means something."""
    given = body.model_dump(mode="json", exclude_unset=True)
    return {k: v for k, v in given.items() if v is not None or k == "max_per_hour"}
