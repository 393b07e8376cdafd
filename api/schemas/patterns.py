"""Patterns in when alerts fire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from api.schemas.shared import PageOf, Shape

PatternType = Literal["seasonal", "cyclical", "correlated", "triggered_by", "escalating"]
PatternState = Literal["new", "active", "fading", "gone"]
Frequency = Literal["hourly", "daily", "weekly", "monthly", "period", "none"]


class PatternShape(Shape):
    """A pattern. Of triggered_by, the rule follows the other rule."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "0e7d3a86-4a07-4d7e-9d5c-0d5a3a5f4b11",
                    "type": "seasonal",
                    "state": "active",
                    "title": "Backup duration fires on Mondays at about 09:00",
                    "label": "Mon 09:00, 11 of 13 weeks",
                    "framework_id": "7a1f0a6e-2d0c-4bb4-8f52-6a0b0f0a1c22",
                    "framework": "shop",
                    "rule_id": "c1d9b7aa-5a4e-4c39-a3a5-3e2f6f6f9d33",
                    "rule_name": "Backup duration",
                    "other_rule_id": None,
                    "other_rule_name": None,
                    "frequency": "weekly",
                    "period_seconds": 604800,
                    "confidence": 98,
                    "support": 11,
                    "p_value": 4.1e-9,
                    "q_value": 2.4e-7,
                    "triggers": 11,
                    "first_seen_at": "2026-05-20T06:15:00Z",
                    "last_seen_at": "2026-06-01T12:15:00Z",
                    "last_occurrence_at": "2026-06-01T13:02:00Z",
                    "next_expected_at": "2026-06-08T13:00:00Z",
                }
            ]
        },
    )

    id: UUID
    type: PatternType
    state: PatternState
    title: str
    label: str = Field(description="Short, by the clock of the workspace's zone.")
    framework_id: UUID | None
    framework: str | None
    rule_id: UUID | None
    rule_name: str | None
    other_rule_id: UUID | None
    other_rule_name: str | None
    frequency: Frequency
    period_seconds: float | None
    confidence: int = Field(ge=0, le=100)
    support: int = Field(description="Cycles hit, intervals, meetings or episodes.")
    p_value: float
    q_value: float | None = Field(description="After false-discovery control over its type.")
    triggers: int = Field(description="How many are listed under /patterns/{id}/triggers.")
    first_seen_at: datetime
    last_seen_at: datetime
    last_occurrence_at: datetime | None
    next_expected_at: datetime | None


class PatternAdvice(Shape):
    """The recommendation that follows from a pattern."""

    id: UUID
    title: str
    action: dict[str, Any]
    actionability: int
    effect: dict[str, Any]
    state: Literal["open", "accepted", "dismissed", "done"]


class PatternDetail(PatternShape):
    """With the card that says why: tests, effect with its 90 % interval, lag, out of sample."""

    evidence: dict[str, Any]
    recommendation: PatternAdvice | None


class TestedType(Shape):
    """What the newest run looked at for one type; `cut` says what it left out, if anything."""

    type: PatternType
    eligible: int
    significant: int
    found: int
    too_short: int
    needs: str
    cut: str
    judged: int = Field(default=0, description="Earlier findings, four weeks or more ago.")
    held: int = Field(default=0, description="Of these, how many came again in four weeks.")


class PatternRun(Shape):
    """The newest look at the workspace's history."""

    as_of: datetime
    triggers: int
    episodes: int
    rules: int
    tested: list[TestedType]


class Shortage(Shape):
    """Not enough history: for how many rules, and what the type takes."""

    type: PatternType
    needs: str
    rules: int


class PatternPage(PageOf[PatternShape]):
    """One page of patterns; `run` is null before the first look."""

    run: PatternRun | None
    not_enough_history: list[Shortage]


class RunRequested(Shape):
    """A run that the flows will start within about a minute."""

    id: UUID
    state: Literal["requested", "running", "done", "failed"]
    created_at: datetime
