"""Strategies: numbered versions of a framework's document, and what they were judged at."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from api.schemas.shared import Body, Person, Shape, ShortText, Text
from convex.frameworks.strategies import LONGEST_DOCUMENT
from convex.frameworks.strategy import StrategyScore, StrategyVersion, SubScores

Document = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_DOCUMENT, pattern=r"^[^\x00]*[^\x00\s]"),
]
VerdictName = Literal["pass", "needs_revision", "fail"]
Score = Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)]
VersionNumber = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]


class StrategyVersionShape(Shape):
    """One version; it never changes. `document` is left out of listings."""

    id: UUID
    framework_id: UUID
    number: int
    note: str
    author: Person | None
    created_at: datetime
    characters: int
    document: str | None = None


class StrategyVersionNew(Body):
    """The next version of a framework's strategy."""

    document: Document = Field(
        examples=["# Goal\n\nRaise the on-time rate to 85 % by June, because …"]
    )
    note: ShortText = Field(default="", description="What is new in it.")


class ChangeShape(Shape):
    """Lines of the older version, and what stands there in the newer; numbers count from 1."""

    kind: Literal["added", "removed", "replaced"]
    old_start: int
    new_start: int
    old: list[str]
    new: list[str]


class StrategyDiff(Shape):
    """From one version to another."""

    old: int = Field(description="0: the empty document before version 1.")
    new: int
    added: int
    removed: int
    similarity: float = Field(ge=0, le=1)
    changes: list[ChangeShape]
    unified: str = Field(description="The same as a unified diff.")


class SubScoreShape(Shape):
    """The six sides, each 0 to 100."""

    clarity: float
    specificity: float
    outcome_focus: float
    proof: float
    objection_handling: float
    risk_removal: float


class StrategyScoreShape(Shape):
    """What a version was judged at; `evidence` lists the checks of the rubric."""

    id: UUID
    framework_id: UUID
    version: int
    score: float = Field(description="The mean of the six.")
    sub_scores: SubScoreShape
    verdict: VerdictName
    scored_by: Literal["hand", "rubric", "claude"]
    rationale: str
    evidence: dict[str, Any]
    author: Person | None
    created_at: datetime


class SubScoresNew(Body):
    """The six sides, each 0 to 100."""

    clarity: Score
    specificity: Score
    outcome_focus: Score
    proof: Score
    objection_handling: Score
    risk_removal: Score


class StrategyScoreNew(Body):
    """A judgement: by the rubric, or by hand with six sub-scores and a reason."""

    scored_by: Literal["hand", "rubric"] = "rubric"
    version: VersionNumber | None = Field(default=None, description="None: the newest.")
    sub_scores: SubScoresNew | None = None
    rationale: Text = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        by_hand = self.scored_by == "hand"
        if by_hand and (self.sub_scores is None or not self.rationale.strip()):
            raise ValueError("a score by hand needs sub_scores and a rationale")
        if not by_hand and (self.sub_scores is not None or self.rationale):
            raise ValueError("the rubric finds its own sub_scores and rationale")
        return self


def sub_scores(body: SubScoresNew) -> SubScores:
    """As the domain names them."""
    return SubScores(**body.model_dump())


def version_json(version: StrategyVersion, *, with_document: bool = True) -> dict[str, object]:
    """As `StrategyVersionShape`."""
    return {
        "id": version.id,
        "framework_id": version.framework_id,
        "number": version.number,
        "note": version.note,
        "author": version.author,
        "created_at": version.created_at,
        "characters": len(version.document),
        "document": version.document if with_document else None,
    }


def score_json(score: StrategyScore) -> dict[str, object]:
    """As `StrategyScoreShape`."""
    return {
        "id": score.id,
        "framework_id": score.framework_id,
        "version": score.version,
        "score": score.score,
        "sub_scores": score.sub_scores,
        "verdict": score.verdict,
        "scored_by": score.scored_by,
        "rationale": score.rationale,
        "evidence": score.evidence,
        "author": score.author,
        "created_at": score.created_at,
    }
