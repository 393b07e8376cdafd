"""Triggers: what has fired, and what was done about it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from api.schemas.rules import FrameworkRef, SeverityName, TypeName
from api.schemas.shared import Body, Flag, Instant, Person, Shape

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
    note: Note | None = None


class FeedbackBody(Body):
    """Whether it was worth it; null takes the mark back."""

    feedback: Literal["actionable", "false_positive"] | None
    note: Note | None = None


class TriggerFilter(Body):
    """Which triggers; what is left out does not filter. As in the listing."""

    state: tuple[StateName, ...] = ()
    severity: tuple[SeverityName, ...] = ()
    type: tuple[TypeName, ...] = ()
    framework: FrameworkRef | None = None
    rule: UUID | None = None
    assigned_to: UUID | None = None
    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None
    historical: Flag | None = None


class BulkBody(Body):
    """The same for several triggers: those named, or the newest 500 that a filter finds.

    `versions` (by id) are those that were seen: a trigger that has changed since is left alone.
    `note` is the comment of `comment`, `user_id` belongs to `assign`, `feedback` to `feedback`.
    """

    ids: Annotated[list[UUID], Field(min_length=1, max_length=500)] | None = None
    filter: TriggerFilter | None = None
    versions: Annotated[dict[UUID, int], Field(max_length=500)] = Field(default_factory=dict)
    action: Literal["acknowledge", "resolve", "reopen", "comment", "assign", "feedback"]
    note: Note | None = None
    user_id: UUID | None = None
    feedback: Literal["actionable", "false_positive"] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> BulkBody:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either ids or a filter")
        if self.action == "comment" and not (self.note or "").strip():
            raise ValueError("a comment needs a note")
        for name, action in (("user_id", "assign"), ("feedback", "feedback")):
            if (name in self.model_fields_set) != (self.action == action):
                raise ValueError(f"{name} belongs to the action {action}; null takes it back")
        return self


class BulkFailure(Shape):
    """Why one of them was not changed."""

    id: UUID
    code: str
    detail: str


class BulkResult(Shape):
    """Which were changed, which not; `more`: the filter finds others, ask again."""

    changed: list[UUID]
    failed: list[BulkFailure]
    more: bool


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
