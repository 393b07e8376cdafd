"""Values of strategies: numbered versions of a framework's document, and their scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

_PASS, _FAIL = 75.0, 50.0
_PASS_FLOOR, _FAIL_FLOOR = 50.0, 20.0


class Verdict(StrEnum):
    """A score in a word."""

    PASS = "pass"
    NEEDS_REVISION = "needs_revision"
    FAIL = "fail"


class ScoredBy(StrEnum):
    """Who judged: a person, the rubric of this package, or Claude."""

    HAND = "hand"
    RUBRIC = "rubric"
    CLAUDE = "claude"


@dataclass(frozen=True, slots=True)
class SubScores:
    """The six sides of a strategy, each 0 to 100."""

    clarity: float
    specificity: float
    outcome_focus: float
    proof: float
    objection_handling: float
    risk_removal: float

    @property
    def values(self) -> dict[str, float]:
        """By name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def score(self) -> float:
        """The whole: the plain mean, so that no side can be left out of the account."""
        values = self.values
        return sum(values.values()) / len(values)

    @property
    def verdict(self) -> Verdict:
        """Pass from a mean of 75 with no side below 50; fail below 50, or with one below 20."""
        lowest = min(self.values.values())
        if self.score < _FAIL or lowest < _FAIL_FLOOR:
            return Verdict.FAIL
        if self.score >= _PASS and lowest >= _PASS_FLOOR:
            return Verdict.PASS
        return Verdict.NEEDS_REVISION


@dataclass(frozen=True, slots=True)
class Author:
    """Somebody, by the name that they have now."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class StrategyVersion:
    """One version; `number` counts from 1 within its framework. It never changes."""

    id: UUID
    framework_id: UUID
    number: int
    document: str
    note: str
    author: Author | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StrategyScore:
    """What one version was judged at, once. Judging again adds another."""

    id: UUID
    framework_id: UUID
    version: int
    score: float
    sub_scores: SubScores
    verdict: Verdict
    scored_by: ScoredBy
    rationale: str
    evidence: Mapping[str, Any]
    author: Author | None
    created_at: datetime
