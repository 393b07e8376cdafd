"""Triggers: what has fired, and what was done about it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.rules import SeverityName, TypeName
from api.schemas.shared import Body, Person, Shape
from convex.alerts.model import Transition, Trigger

StateName = Literal["firing", "acknowledged", "resolved"]
Note = Annotated[str, Field(max_length=10_000, pattern=r"^[^\x00]*$")]


class NoteBody(Body):
    """A few words for the others."""

    note: Note | None = Field(None, examples=["Runway closed until 14:00."])


class CommentBody(Body):
    """A comment."""

    note: Annotated[str, Field(min_length=1, max_length=10_000, pattern=r"^[^\x00]*[^\x00\s]")]


class AssignBody(Body):
    """Whom to give it to; null takes it back."""

    user_id: UUID | None


class FeedbackBody(Body):
    """Whether it was worth it; null takes the mark back."""

    feedback: Literal["actionable", "false_positive"] | None
    note: Note | None = None


class BulkBody(Body):
    """The same change of several triggers."""

    ids: Annotated[list[UUID], Field(min_length=1, max_length=500)]
    action: Literal["acknowledge", "resolve"]
    note: Note | None = None


class BulkFailure(Shape):
    """Why one of them was not changed."""

    id: UUID
    code: str
    detail: str


class BulkResult(Shape):
    """Which were changed."""

    changed: list[UUID]
    failed: list[BulkFailure]


class TriggerShape(Shape):
    """One firing episode of a rule on a series."""

    id: UUID
    rule_id: UUID | None
    rule_name: str
    framework_id: UUID
    framework: str
    framework_name: str
    metric: str
    series_id: int | None
    labels: dict[str, str]
    type: TypeName
    severity: SeverityName
    state: StateName
    value: float | None
    threshold: float | None
    reason: str
    opened_at: datetime
    last_seen_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: Person | None
    resolved_at: datetime | None
    resolved_by: Person | None
    resolution_reason: str | None
    assigned_to: Person | None
    feedback: Literal["actionable", "false_positive"] | None
    confidence: int | None
    repeat_count: int
    suppressed_count: int
    historical: bool
    version: int
    created_at: datetime
    updated_at: datetime
    context: dict[str, Any]


class TransitionShape(Shape):
    """One change of a trigger."""

    id: int
    kind: str
    from_state: StateName | None
    to_state: StateName
    reason: str
    note: str
    author: Person | None
    value: float | None
    at: datetime
    created_at: datetime


class TriggerDetail(TriggerShape):
    """A trigger with its history, oldest first."""

    transitions: list[TransitionShape]


def transition_json(transition: Transition) -> dict[str, object]:
    """As `TransitionShape`."""
    return {
        "id": transition.id,
        "kind": transition.kind,
        "from_state": transition.from_state,
        "to_state": transition.to_state,
        "reason": transition.reason,
        "note": transition.note,
        "author": transition.author,
        "value": transition.value,
        "at": transition.at,
        "created_at": transition.created_at,
    }


def trigger_json(trigger: Trigger) -> dict[str, object]:
    """As `TriggerShape`; the same that live events carry."""
    return {
        "id": trigger.id,
        "rule_id": trigger.rule_id,
        "rule_name": trigger.rule_name,
        "framework_id": trigger.framework_id,
        "framework": trigger.framework,
        "framework_name": trigger.framework_name,
        "metric": trigger.metric,
        "series_id": trigger.series_id,
        "labels": trigger.labels,
        "type": trigger.type,
        "severity": trigger.severity,
        "state": trigger.state,
        "value": trigger.value,
        "threshold": trigger.threshold,
        "reason": trigger.reason,
        "opened_at": trigger.opened_at,
        "last_seen_at": trigger.last_seen_at,
        "acknowledged_at": trigger.acknowledged_at,
        "acknowledged_by": trigger.acknowledged_by,
        "resolved_at": trigger.resolved_at,
        "resolved_by": trigger.resolved_by,
        "resolution_reason": trigger.resolution,
        "assigned_to": trigger.assigned_to,
        "feedback": trigger.feedback,
        "confidence": trigger.confidence,
        "repeat_count": trigger.repeat_count,
        "suppressed_count": trigger.suppressed_count,
        "historical": trigger.historical,
        "version": trigger.version,
        "created_at": trigger.created_at,
        "updated_at": trigger.updated_at,
        "context": trigger.context,
    }
