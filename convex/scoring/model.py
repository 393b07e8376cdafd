"""Values of this package. Scores run from 0 (at the limit or worse) to 100 (at the target)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from convex.metrics.model import Category


class Status(StrEnum):
    """A score in a word. Without data it is unknown, which is never good news."""

    EXCELLENT = "excellent"
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric's aggregate over the last 24 hours; `value` None when nothing came in."""

    metric_id: UUID
    name: str
    unit: str
    category: Category
    target: float
    limit: float
    value: float | None
    points: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class MetricScore:
    """A reading and what it is worth."""

    reading: Reading
    score: float | None


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """The weighted mean of a category's metrics that have data."""

    category: Category
    score: float | None
    status: Status
    coverage: float
    metrics: Sequence[MetricScore]


@dataclass(frozen=True, slots=True)
class Health:
    """The whole framework. `coverage` is the share (by weight) of its metrics that have data."""

    score: float | None
    status: Status
    coverage: float
    categories: Sequence[CategoryScore]


@dataclass(frozen=True, slots=True)
class Trend:
    """Theil-Sen slope in points of score per day, with its 90 % interval; n daily values."""

    slope_per_day: float
    low: float
    high: float
    n: int

    @property
    def direction(self) -> str:
        """improving or worsening when the whole interval lies on one side of 0, else steady."""
        if self.low > 0:
            return "improving"
        return "worsening" if self.high < 0 else "steady"


class FactorKind(StrEnum):
    """Where a risk comes from."""

    OPEN_TRIGGER = "open_trigger"
    PREDICTED_FIRING = "predicted_firing"
    WORSENING_TREND = "worsening_trend"
    STALE_DATA = "stale_data"


@dataclass(frozen=True, slots=True)
class Factor:
    """One thing that can hurt: how likely (0-1), how much (0-1), and why in words."""

    kind: FactorKind
    name: str
    probability: float
    impact: float
    explanation: str


@dataclass(frozen=True, slots=True)
class Risk:
    """Risk 0-100 and its factors, the heaviest first."""

    score: float
    factors: Sequence[Factor]
