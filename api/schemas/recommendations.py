"""Recommendations: what could be done, what it is worth, what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.schemas.shared import Body, Person, Shape, ShortText
from convex.insights.recommendation import Recommendation

OriginName = Literal["tuning", "pattern", "noise", "quality", "health", "claude"]
StateName = Literal["open", "accepted", "dismissed", "done"]
Why = Annotated[
    str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")
]


class RecommendationShape(Shape):
    """Something to do, ranked by `priority`: its measured effect times its actionability."""

    id: UUID
    framework_id: UUID | None
    rule_id: UUID | None
    origin: OriginName
    title: str
    action: dict[str, Any] = Field(
        description="`kind` says what accepting it does: update_rule, mute_window and"
        " inhibition_rule are done by Convex (a rule that is kept as code comes as a file to"
        " apply), the others by people.",
        examples=[{"kind": "update_rule", "rule_id": "6f3c", "changes": {"for": "2h"}}],
    )
    actionability: int = Field(ge=0, le=100)
    priority: float = Field(ge=0, le=100)
    evidence: dict[str, Any] = Field(description="What it rests on; of a tuning, its backtests.")
    effect: dict[str, Any] = Field(description="What it would do, as measured over the past.")
    state: StateName
    note: str
    decided_by: Person | None
    decided_at: datetime | None
    applied: dict[str, Any] | None = Field(
        description="What accepting it changed: `before` and `after`, or the `file` to apply."
    )
    measured_effect: dict[str, Any] | None = Field(
        description="From a week after accepting: how often it fires now, with a 90 % interval,"
        " beside what was promised."
    )
    version: int
    created_at: datetime
    updated_at: datetime


class DecisionNote(Body):
    """A few words, if there is something to say."""

    note: ShortText = ""


class DismissBody(Body):
    """Why not."""

    reason: Why = Field(examples=["We want to hear of every cancellation in winter."])


def recommendation_json(one: Recommendation) -> dict[str, Any]:
    """A recommendation as the API shows it."""
    by = None
    if one.decided_by is not None:
        by = {"id": one.decided_by, "name": one.decided_by_name or ""}
    return {
        "id": one.id,
        "framework_id": one.framework_id,
        "rule_id": one.rule_id,
        "origin": one.origin.value,
        "title": one.title,
        "action": one.action,
        "actionability": one.actionability,
        "priority": one.priority,
        "evidence": one.evidence,
        "effect": one.effect,
        "state": one.state.value,
        "note": one.note,
        "decided_by": by,
        "decided_at": one.decided_at,
        "applied": one.applied,
        "measured_effect": one.measured_effect,
        "version": one.version,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }
