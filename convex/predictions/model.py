"""Values of predictions: horizons, kinds, confidence, what is known of each rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from convex.metrics.model import FloatArray, IntArray

HORIZONS = (6, 24, 48, 72)  # hours


class Kind(StrEnum):
    """What is predicted. Each is a firing of one rule within its own horizon."""

    ESCALATION_RISK = "escalation_risk"
    NEXT_ALERT = "next_alert"
    ANOMALY_RISK = "anomaly_risk"
    PERFORMANCE_ISSUE = "performance_issue"


HORIZON_OF: Mapping[Kind, int] = {
    Kind.ESCALATION_RISK: 6,
    Kind.NEXT_ALERT: 24,
    Kind.ANOMALY_RISK: 48,
    Kind.PERFORMANCE_ISSUE: 72,
}


class Confidence(StrEnum):
    """How much history and measured skill stands behind a probability."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Expert(StrEnum):
    """One method; the mixture weighs them by how well they have done."""

    CLIMATOLOGY = "climatology"
    SEASONAL = "seasonal_poisson"
    CROSSING = "metric_crossing"
    EVENTS = "logistic_events"
    LOGISTIC = "logistic_all"
    BOOSTING = "gradient_boosting"
    BLEND = "blend"


EXPERTS = tuple(Expert)


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """What models may know about a rule besides its history.

    `hold_hours` is how long the condition must hold before it fires, in whole hours.
    """

    id: UUID
    name: str
    framework_id: UUID
    metric: str
    type: str
    severity: str
    category: str
    hold_hours: int = 0
    series_id: int | None = None


@dataclass(frozen=True, slots=True)
class RuleHistory:
    """The firings of one rule, instants in microseconds, in order of `opened`.

    `closed` belongs to `opened`; what is still open has a far future. `margins` has one value an
    hour of the panel: how far the measured value lay beyond the threshold in that hour, positive
    where the condition held, NaN where nothing was measured; None without any measurement.
    """

    facts: RuleFacts
    opened: IntArray
    closed: IntArray
    margins: FloatArray | None = None
