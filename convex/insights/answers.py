"""The shapes in which an insight is written, by Claude or by a template. Pure.

They are the structured output that Claude is held to, so they say no more than JSON Schema can.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from convex.frameworks.strategy import SubScores

SeverityWord = Literal["info", "warning", "critical"]
SUB_SCORES = (
    "clarity",
    "specificity",
    "outcome_focus",
    "proof",
    "objection_handling",
    "risk_removal",
)


class Answer(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Statement(Answer):
    """One sentence or two, and the facts that they rest on."""

    text: str = Field(description="One or two sentences in plain words.")
    facts: list[str] = Field(description="Ids of the facts that back every number in the text.")


class Finding(Statement):
    """Something worth knowing."""

    severity: SeverityWord = Field(description="How much it matters.")


class RiskItem(Statement):
    """Something that may go wrong, with a score that one of its facts holds."""

    score: float = Field(description="0-100; exactly the value of a cited risk or probability.")


class Advice(Statement):
    """Something to do."""

    actionability: int = Field(description="0-100: how directly somebody can act on it now.")


class Content(Answer):
    """What a framework insight, a digest, an explanation and an answer consist of."""

    headline: Statement
    summary: list[Statement] = Field(description="Two to four statements, the heaviest first.")
    findings: list[Finding] = Field(description="At most six.")
    risks: list[RiskItem] = Field(description="At most four; none without a fact for the score.")
    recommendations: list[Advice] = Field(description="At most four.")


class Reply(Content):
    """The answer to a question."""

    answered: bool = Field(description="Whether the facts answer the question.")


class SubScore(Answer):
    """One of the six views of a strategy, with the words of the document that it rests on."""

    score: int = Field(description="0-100.")
    text: str = Field(description="Why, in one or two sentences, without numbers of your own.")
    facts: list[str] = Field(description="Ids of the passages it rests on.")
    quote: str = Field(description="Words copied exactly from one of these passages.")


class Strategy(Answer):
    """A strategy document, judged."""

    headline: Statement
    clarity: SubScore
    specificity: SubScore
    outcome_focus: SubScore
    proof: SubScore
    objection_handling: SubScore
    risk_removal: SubScore
    recommendations: list[Advice] = Field(description="At most four.")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def score(self) -> float:
        """The mean of the six: ours, not the model's."""
        return round(self._sub_scores.score, 1)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> str:
        """pass, needs_revision or fail, by the rule for every score."""
        return self._sub_scores.verdict.value

    @property
    def _sub_scores(self) -> SubScores:
        return SubScores(**{name: float(getattr(self, name).score) for name in SUB_SCORES})


class QueryChoice(Answer):
    """One query of the catalogue and how far back it looks."""

    query: str
    days: int = Field(description="1-365; how many days back.")


class QueryPlan(Answer):
    """Which queries answer a question; none when none does."""

    queries: list[QueryChoice] = Field(description="At most five.")


AnyContent = Content | Strategy


@dataclass(frozen=True, slots=True)
class Said:
    """A statement and where it stands. `score` must be in the evidence; `quote` in a passage."""

    where: str
    text: str
    facts: list[str]
    score: float | None = None
    quote: str | None = None


def statements(content: AnyContent) -> Iterator[Said]:
    """Everything that a content states, in reading order."""
    yield Said("headline", content.headline.text, content.headline.facts)
    if isinstance(content, Strategy):
        for name in SUB_SCORES:
            part: SubScore = getattr(content, name)
            yield Said(name, part.text, part.facts, quote=part.quote)
    else:
        for i, one in enumerate(content.summary):
            yield Said(f"summary[{i}]", one.text, one.facts)
        for i, finding in enumerate(content.findings):
            yield Said(f"findings[{i}]", finding.text, finding.facts)
        for i, risk in enumerate(content.risks):
            yield Said(f"risks[{i}]", risk.text, risk.facts, score=risk.score)
    for i, advice in enumerate(content.recommendations):
        yield Said(f"recommendations[{i}]", advice.text, advice.facts)


def content_json(content: AnyContent) -> dict[str, Any]:
    """As it is stored and shown."""
    return content.model_dump(mode="json")
