"""Insights: what the figures mean, every number with the facts behind it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.schemas.shared import Body, Shape
from convex.insights.model import Fallback, Insight, Source
from convex.insights.questions import LONGEST

KindName = Literal["framework", "digest", "trigger", "strategy", "question"]
SourceName = Literal["claude", "template"]
Helpful = Literal["helpful", "not_helpful"]

_EXPLAINED = {
    Fallback.NO_KEY: "Claude is not set up (ANTHROPIC_API_KEY); written from templates.",
    Fallback.OVER_BUDGET: "Today's budget for Claude is used up; written from templates.",
    Fallback.TOO_LARGE: "The evidence is too large for Claude; written from templates.",
    Fallback.NO_EVIDENCE: "There are no figures to write about.",
    Fallback.REFUSAL: "Claude declined to answer; written from templates.",
    Fallback.CUT_OFF: "Claude's answer was cut off; written from templates.",
    Fallback.INVALID_ANSWER: "Claude's answer could not be read; written from templates.",
    Fallback.NOT_VERIFIED: "Claude's answer was not backed by the figures; written from templates.",
    Fallback.RATE_LIMITED: "Claude has had too many requests; written from templates.",
    Fallback.OVERLOADED: "Claude was overloaded; written from templates.",
    Fallback.TIMED_OUT: "Claude did not answer in time; written from templates.",
    Fallback.UNREACHABLE: "Claude could not be reached; written from templates.",
    Fallback.REFUSED_KEY: "Claude did not accept the key; written from templates.",
    Fallback.REFUSED_REQUEST: "Claude did not accept the request; written from templates.",
    Fallback.UNPRICED_MODEL: "The price of the model is not known; written from templates.",
}


class StatementShape(Shape):
    """A sentence and the ids of the facts behind it."""

    text: str
    facts: list[str]
    severity: Literal["info", "warning", "critical"] | None = Field(None, description="Findings.")
    score: float | None = Field(None, description="Risks, and the sides of a strategy: 0-100.")
    actionability: int | None = Field(None, description="Recommendations: 0-100.")
    quote: str | None = Field(None, description="Strategies: words of the document.")


class ContentShape(Shape):
    """What it says. A strategy has six sides, a score and a verdict in place of a summary."""

    headline: StatementShape
    summary: list[StatementShape] | None = None
    findings: list[StatementShape] | None = None
    risks: list[StatementShape] | None = None
    recommendations: list[StatementShape]
    answered: bool | None = Field(None, description="Questions: whether the figures answer it.")
    clarity: StatementShape | None = None
    specificity: StatementShape | None = None
    outcome_focus: StatementShape | None = None
    proof: StatementShape | None = None
    objection_handling: StatementShape | None = None
    risk_removal: StatementShape | None = None
    score: float | None = None
    verdict: Literal["pass", "needs_revision", "fail"] | None = None


class FactShape(Shape):
    """One result of one query."""

    id: str
    key: str
    query: str
    what: str
    of: str = Field(description="The rule, metric or framework that it is about.")
    within: str = Field(description="The framework of that.")
    value: float | str
    unit: str
    shown: str = Field(description="As it is written in a sentence.")
    start: datetime | None
    end: datetime | None
    window: str
    change: bool


class EvidenceShape(Shape):
    """Everything that the insight rests on."""

    kind: KindName
    subject: str
    as_of: datetime
    question: str
    left_out: int = Field(description="Facts that did not fit.")
    missing: list[str] = Field(description="Sources that could not be asked.")
    names: list[str]
    facts: list[FactShape]


class InsightShape(Shape):
    """An insight. `source` says who wrote it; a template always says why (`source_reason`)."""

    id: UUID
    kind: KindName
    framework_id: UUID | None
    trigger_id: UUID | None
    source: SourceName
    source_reason: str = Field(examples=["no_key"])
    source_explanation: str
    content: ContentShape
    evidence: EvidenceShape
    model: str | None
    request_id: str | None
    input_tokens: int | None
    output_tokens: int | None = Field(description="Thinking included.")
    thinking_tokens: int | None
    cost_usd: float | None
    prices_of: str | None = Field(description="The day of the price list that it was computed by.")
    verification: dict[str, Any]
    feedback: Helpful | None
    requested_by: UUID | None
    created_at: datetime


class InsightNew(Body):
    """Which insight of a framework."""

    kind: Literal["framework", "strategy"] = "framework"
    version: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)] | None = Field(
        None, description="Strategies: which version; the newest without it."
    )


class QuestionBody(Body):
    """A question in plain words."""

    question: Annotated[
        str,
        StringConstraints(min_length=1, max_length=LONGEST, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$"),
    ] = Field(examples=["Which rules were noisy in the last 30 days?"])


class InsightFeedback(Body):
    """Whether it helped; null takes that back."""

    feedback: Helpful | None


class QualityShape(Shape):
    """How good Claude's insights were. Templates are counted apart and enter no other figure."""

    days: int
    runs: int = Field(description="Insights that Claude was asked for.")
    written: int = Field(description="Of these, written by Claude in the end.")
    statements: int = Field(description="Statements of first answers.")
    verified: int = Field(description="Of these, backed by their facts at once.")
    repaired: int = Field(description="Put right by the second answer.")
    rejected: int = Field(description="Never backed, so never shown.")
    verified_share: float | None
    repaired_share: float | None
    rejected_share: float | None
    by_claude: int
    by_template: int
    template_reasons: dict[str, int]
    helpful: int
    not_helpful: int
    cost_usd: float
    input_tokens: int
    output_tokens: int
    thinking_tokens: int
    spent_today_usd: float = Field(description="What is not settled yet counts as reserved.")
    daily_budget_usd: float


def insight_json(insight: Insight) -> dict[str, Any]:
    """An insight as the API shows it."""
    reason = insight.source_reason
    by_template = insight.source is Source.TEMPLATE
    return {
        "id": insight.id,
        "kind": insight.kind.value,
        "framework_id": insight.framework_id,
        "trigger_id": insight.trigger_id,
        "source": insight.source.value,
        "source_reason": reason,
        "source_explanation": _EXPLAINED[Fallback(reason)] if by_template else "",
        "content": insight.content,
        "evidence": insight.evidence,
        "model": insight.model,
        "request_id": insight.request_id,
        "input_tokens": insight.input_tokens,
        "output_tokens": insight.output_tokens,
        "thinking_tokens": insight.thinking_tokens,
        "cost_usd": insight.cost_usd,
        "prices_of": insight.prices_of,
        "verification": insight.verification,
        "feedback": insight.feedback,
        "requested_by": insight.requested_by,
        "created_at": insight.created_at,
    }


def quality_json(found: dict[str, Any], days: int, spent: float, budget: float) -> dict[str, Any]:
    """The figures with their shares."""
    whole = found["statements"]
    return {
        "days": days,
        **found,
        **{
            f"{name}_share": found[name] / whole if whole else None
            for name in ("verified", "repaired", "rejected")
        },
        "spent_today_usd": spent,
        "daily_budget_usd": budget,
    }
