"""What is likely to fire, how good such sayings were, and what was done about them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from api.schemas.shared import Body, PageOf, Shape

KindName = Literal["next_alert", "anomaly_risk", "performance_issue", "escalation_risk"]
ConfidenceName = Literal["low", "medium", "high"]


class ReliabilityBin(Shape):
    """Predictions of about one probability, and how many of them came true."""

    probability: float
    observed: float
    n: int


class ScoreShape(Shape):
    """How good n predictions were. Skill is against each rule's own base rate: 0 is no better, 1 is
    perfect, below 0 is worse; its interval is the middle 90 % over resampled weeks.
    """

    n: int
    positives: int
    base_rate: float
    brier: float = Field(description="Mean squared error of the probability: 0 best, 1 worst.")
    climatology_brier: float = Field(description="The same for the rule's own base rate.")
    skill: float | None
    skill_interval: list[float] | None
    auc: float | None
    ece: float = Field(description="Expected calibration error over ten bins.")
    reliability: list[ReliabilityBin] | None = None


class ScoreReference(Shape):
    """What stands behind a probability, always beside it."""

    source: Literal["verified", "hindcast", "none"] = Field(
        description="Verified predictions of the last 8 weeks; while there are fewer than 30, what"
        " the method would have said of these weeks; or nothing yet."
    )
    href: str
    n: int
    positives: int | None = None
    base_rate: float | None = None
    brier: float | None = None
    climatology_brier: float | None = None
    skill: float | None = None
    skill_interval: list[float] | None = None
    auc: float | None = None
    ece: float | None = None


class PreventiveAction(Shape):
    """What can be done before it happens, and why that is believed."""

    kind: Literal["worked_before", "done_before", "runbook", "tune"]
    title: str
    detail: str
    evidence: dict[str, Any]


class ActionTaken(Shape):
    """What somebody did because of a prediction."""

    action: str
    note: str
    by: UUID | None
    at: datetime


class PredictionShape(Shape):
    """A prediction. Probability, climatology and risk are 0 to 100."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "6b7f6f0a-3a53-4a0a-9d7b-64c2b1c0d1aa",
                    "kind": "next_alert",
                    "framework_id": "7a1f0a6e-2d0c-4bb4-8f52-6a0b0f0a1c22",
                    "framework": "ewr",
                    "framework_name": "Newark Liberty (EWR)",
                    "rule_id": "c1d9b7aa-5a4e-4c39-a3a5-3e2f6f6f9d33",
                    "rule_name": "Newark Liberty (EWR): long delays",
                    "severity": "critical",
                    "series_id": 12,
                    "probability": 41.2,
                    "climatology": 26.5,
                    "confidence": "high",
                    "risk_score": 41.2,
                    "made_at": "2026-06-01T03:00:04Z",
                    "window_start": "2026-06-01T03:00:00Z",
                    "window_end": "2026-06-02T03:00:00Z",
                    "horizon_hours": 24,
                    "preventive_actions": [],
                    "model": "mixture-1",
                    "run_id": "0e7d3a86-4a07-4d7e-9d5c-0d5a3a5f4b11",
                    "inputs": {"history_days": 351.0, "triggers": 98},
                    "actions_taken": [],
                    "was_accurate": None,
                    "actual_alert_triggered_at": None,
                    "verified_at": None,
                    "scorecard": {
                        "source": "hindcast",
                        "href": "/api/v1/predictions/scorecard?kind=next_alert",
                        "n": 4020,
                        "brier": 0.082,
                        "skill": 0.1,
                        "skill_interval": [0.03, 0.17],
                    },
                }
            ]
        },
    )

    id: UUID
    kind: KindName
    framework_id: UUID
    framework: str
    framework_name: str
    rule_id: UUID | None
    rule_name: str | None
    severity: str | None
    series_id: int | None
    probability: float
    climatology: float = Field(description="How often such windows have had an alert so far.")
    confidence: ConfidenceName = Field(
        description="low: not enough history, the probability is the base rate."
    )
    risk_score: float = Field(description="The probability weighted by the rule's severity.")
    made_at: datetime
    window_start: datetime
    window_end: datetime
    horizon_hours: int
    preventive_actions: list[PreventiveAction]
    model: str
    run_id: UUID | None
    inputs: dict[str, Any] = Field(description="What it was made from, each expert's answer too.")
    actions_taken: list[ActionTaken]
    was_accurate: bool | None = Field(
        description="At 50 or above an alert came, or below none did; null until it is verified."
    )
    actual_alert_triggered_at: datetime | None
    verified_at: datetime | None
    scorecard: ScoreReference


class PredictionRun(Shape):
    """The run that made the newest predictions."""

    id: UUID
    as_of: datetime
    rules: int
    trained: int
    predictions: int
    seconds: float


class PredictionPage(PageOf[PredictionShape]):
    """A page of predictions, and the newest run."""

    run: PredictionRun | None


class ForecastRequested(Shape):
    """A run that was asked for."""

    id: UUID
    state: Literal["requested", "running", "done", "failed"]
    created_at: datetime


class ActionBody(Body):
    """What was done because of the prediction."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{"action": "Added two gate agents", "note": "until 20:00"}]
        },
    )

    action: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    note: Annotated[str, StringConstraints(max_length=2000)] = ""


class ScoreParts(Shape):
    """Scores of all predictions together and in parts; rules by their id."""

    overall: ScoreShape | None
    kinds: dict[str, ScoreShape]
    horizons: dict[str, ScoreShape]
    rules: dict[str, ScoreShape]
    confidences: dict[str, ScoreShape]


class VerifiedScores(Shape):
    """What was shown and has been verified."""

    all: ScoreParts
    last_8_weeks: ScoreParts


class HindcastHorizon(Shape):
    """What the method would have said of the last 8 weeks, at one horizon."""

    kind: KindName
    score: ScoreShape | None
    experts: dict[str, ScoreShape]
    weights: dict[str, float] = Field(description="How much the mixture trusts each expert now.")


class HindcastShape(Shape):
    """The newest run's look back, each moment from nothing but what was known at it."""

    run_id: UUID
    as_of: datetime
    weeks: int
    horizons: dict[str, HindcastHorizon]


class Scorecard(Shape):
    """How good the predictions of this workspace are."""

    as_of: datetime
    verified: VerifiedScores
    hindcast: HindcastShape | None


class ForecastHour(Shape):
    """One hour ahead; null where the series never has a value in that hour of the week."""

    timestamp: datetime
    value: float | None
    lower_50: float | None
    upper_50: float | None
    lower_80: float | None
    upper_80: float | None
    lower_95: float | None
    upper_95: float | None


class SeriesForecastShape(Shape):
    """The next hours of a series with bands, or why there are none."""

    series_id: int
    as_of: datetime
    method: str
    horizon_hours: int
    reason: str | None = Field(description="Why there is no forecast: not enough history.")
    points: list[ForecastHour]
