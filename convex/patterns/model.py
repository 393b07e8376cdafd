"""Rules and their triggers as columns, and what is found in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
NEVER = np.iinfo(np.int64).max

Instants = NDArray[np.int64]
Floats = NDArray[np.float64]


class Type(StrEnum):
    """The five types of patterns."""

    SEASONAL = "seasonal"
    CYCLICAL = "cyclical"
    CORRELATED = "correlated"
    TRIGGERED_BY = "triggered_by"
    ESCALATING = "escalating"


class State(StrEnum):
    """Where a pattern is in its life; a candidate waits for a second run and is not shown."""

    CANDIDATE = "candidate"
    NEW = "new"
    ACTIVE = "active"
    FADING = "fading"
    GONE = "gone"


class Frequency(StrEnum):
    """How often it comes back."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    PERIOD = "period"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Subject:
    """What fires: a rule, or a source of alerts from elsewhere (`rule_id` None).

    `key` names it for good. `since` is the instant from which its triggers would be known.
    """

    key: str
    name: str
    framework: str
    framework_id: UUID | None = None
    rule_id: UUID | None = None
    severity: str = "warning"
    since: int = NEVER


@dataclass(frozen=True, slots=True)
class History:
    """Triggers of one workspace, as columns of equal length in any order.

    `subject` is a position in `subjects`; `resolved` is NEVER while the trigger is open; `end` is
    the instant up to which everything is known. `zone` is an IANA name.
    """

    subjects: Sequence[Subject]
    subject: NDArray[np.int64]
    opened: Instants
    resolved: Instants
    end: int
    zone: str = "UTC"

    def until(self, end: int) -> History:
        """What was known at an earlier instant."""
        known = self.opened <= end
        resolved = np.where(self.resolved > end, NEVER, self.resolved)
        return History(
            self.subjects, self.subject[known], self.opened[known], resolved[known], end, self.zone
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """A pattern in one history.

    `rows` are positions of the triggers behind it, oldest first; `evidence` is JSON by nature.
    """

    type: Type
    subject: Subject
    other: Subject | None
    title: str
    label: str
    frequency: Frequency
    period_seconds: float | None
    confidence: int
    support: int
    p_value: float
    q_value: float
    rows: Instants
    last_occurrence_at: datetime | None
    next_expected_at: datetime | None
    evidence: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """The identity of the pattern from run to run: what kind, between whom, and how often.

        A seasonal pattern that turns from daily to weekly is another one; a shifted hour is not.
        """
        names = [self.subject.key] + ([self.other.key] if self.other else [])
        often = f":{self.frequency}" if self.type is Type.SEASONAL else ""
        return f"{self.type}{often}:{'|'.join(names)}"


@dataclass(frozen=True, slots=True)
class Tested:
    """What was looked at for one type: the family that the false-discovery control is over.

    `too_short` subjects have less history or fewer triggers than `needs` says; `cut` says what was
    left out of the search for being too much.
    """

    type: Type
    eligible: int
    significant: int
    found: int
    too_short: int
    needs: str
    cut: str = ""


@dataclass(frozen=True, slots=True)
class Detection:
    """All of one run over one history."""

    findings: Sequence[Finding]
    tested: Sequence[Tested]
    triggers: int
    episodes: int
    notes: Mapping[str, str] = field(default_factory=dict)
