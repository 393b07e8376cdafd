"""Frameworks, metrics, series and points."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.shared import Body, Flag, Instant, Name, Shape, ShortText, Tag, Text
from convex.frameworks import FrameworkOverview
from convex.scoring.standing import Standing

FrameworkKind = Literal[
    "brand_positioning",
    "funnel_design",
    "seo_patterns",
    "competitor_model",
    "offer_architecture",
    "custom",
]
CategoryName = Literal["performance", "availability", "security", "scalability", "cost"]
AggregateName = Literal["last", "mean", "min", "max", "sum", "count", "p50", "p95"]
HealthStatus = Literal["excellent", "good", "fair", "poor", "unknown"]
FrameworkSlug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,99}$", examples=["ewr"])]
MetricName = Annotated[
    str,
    Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["cancel_rate"]),
]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Weight = Annotated[float, Field(strict=True, ge=0, le=1_000_000, allow_inf_nan=False)]
Tags = Annotated[list[Tag], Field(max_length=50)]


class OpenTriggers(Shape):
    """Triggers that are not resolved, by state and by severity."""

    firing: int
    acknowledged: int
    critical: int
    warning: int
    info: int


class FrameworkShape(Shape):
    """Something that is watched."""

    id: UUID
    slug: str
    name: str
    kind: FrameworkKind
    description: str
    tags: list[str]
    version: int
    created_at: datetime
    updated_at: datetime
    open_triggers: OpenTriggers
    last_point_at: datetime | None
    metrics: int
    series: int


class HealthNow(Shape):
    """The newest hourly snapshot; `scored_at` null: never scored."""

    score: float | None = Field(ge=0, le=100)
    status: HealthStatus
    coverage: float = Field(description="Share of the scored metrics that have data.")
    scored_at: datetime | None


class FrameworkListed(FrameworkShape):
    """A framework in a listing: also how healthy it was in the last hour, and its risk now."""

    health: HealthNow
    risk: float = Field(ge=0, le=100)


class ScoredMetric(Shape):
    """One metric over the last 24 hours; its points lost explain the whole score."""

    id: UUID
    name: str
    unit: str
    value: float | None
    score: float | None
    target: float
    limit: float
    weight: float
    points: int
    points_lost: float | None = Field(description="Of the framework's 100.")
    explanation: str


class CategoryHealth(Shape):
    """The weighted mean of a category's metrics that have data."""

    category: CategoryName
    score: float | None
    status: HealthStatus
    coverage: float
    metrics: list[ScoredMetric]


class TrendShape(Shape):
    """Theil–Sen slope of the daily scores, in points a day, with its 90 % interval."""

    slope_per_day: float
    low: float
    high: float
    direction: Literal["improving", "steady", "worsening"]
    days_scored: int


class HealthPoint(Shape):
    """One hourly snapshot."""

    at: datetime
    score: float | None
    status: HealthStatus
    coverage: float


class FrameworkHealth(Shape):
    """Health from the points of the last 24 hours, and what it was in the days before."""

    framework_id: UUID
    at: datetime
    days: int
    score: float | None
    status: HealthStatus
    coverage: float
    categories: list[CategoryHealth]
    trend: TrendShape | None = Field(description="Null with fewer than four days scored.")
    history: list[HealthPoint]


class FactorShape(Shape):
    """One thing that can hurt; it takes away `probability * impact` of what is safe."""

    kind: Literal["open_trigger", "predicted_firing", "worsening_trend", "stale_data"]
    name: str
    probability: float
    impact: float
    explanation: str


class FrameworkRisk(Shape):
    """100 * (1 - product of (1 - probability * impact)), the heaviest factor first."""

    framework_id: UUID
    at: datetime
    score: float
    factors: list[FactorShape]


class FrameworkNew(Body):
    """Something to watch. Points name it by its slug, which never changes."""

    slug: FrameworkSlug
    name: Name = Field(examples=["Newark"])
    kind: FrameworkKind = "custom"
    description: Text = ""
    tags: Tags = Field(default_factory=list)


class FrameworkChange(Body):
    """What is given is changed."""

    name: Name | None = None
    kind: FrameworkKind | None = None
    description: Text | None = None
    tags: Tags | None = None


class MetricShape(Shape):
    """What a framework measures; `limit` is the worst bearable value, `target` the wanted one."""

    id: UUID
    framework_id: UUID
    name: str
    unit: str
    category: CategoryName
    target: float | None
    limit: float | None
    weight: float
    default_aggregate: AggregateName
    description: str
    is_counter: bool
    version: int
    created_at: datetime
    updated_at: datetime
    series: int


class MetricNew(Body):
    """A new metric. Points name it by its name, which never changes."""

    framework_id: UUID
    name: MetricName
    unit: ShortText = ""
    category: CategoryName = "performance"
    target: Finite | None = None
    limit: Finite | None = None
    weight: Weight = 1.0
    default_aggregate: AggregateName = "mean"
    description: Text = ""
    is_counter: Flag = False


class MetricChange(Body):
    """What is given is changed; null takes target or limit away."""

    unit: ShortText | None = None
    category: CategoryName | None = None
    target: Finite | None = None
    limit: Finite | None = None
    weight: Weight | None = None
    default_aggregate: AggregateName | None = None
    description: Text | None = None
    is_counter: Flag | None = None


class SeriesShape(Shape):
    """One metric with one set of labels."""

    id: int
    metric_id: UUID
    framework_id: UUID
    metric: str
    framework: str
    labels: dict[str, str]
    newest_at: datetime | None
    ended_at: datetime | None
    created_at: datetime


class PointShape(Shape):
    """The points of one step; `timestamp` is its beginning, `value` their mean."""

    timestamp: datetime
    value: float
    min: float
    max: float
    count: int


class SeriesPoints(Shape):
    """Points of a series; `step_seconds` 0: as they were measured."""

    series_id: int
    step_seconds: int
    points: list[PointShape]


class PointNew(Body):
    """One measured value; `timestamp` is ISO 8601 (no zone: UTC) or seconds since 1970."""

    framework: str
    metric: str
    labels: dict[str, str] = Field(default_factory=dict)
    timestamp: datetime | float
    value: float


class PointsNew(Body):
    """A batch."""

    points: list[PointNew]


class Ingested(Shape):
    """What became of a batch; `triggers` are those that it opened or changed."""

    accepted: int
    corrected: int
    unchanged: int
    rejected: int
    triggers: list[UUID]


class RejectedShape(Shape):
    """A point that was kept, but not taken."""

    id: int
    received_at: datetime
    source: str
    reason: str
    detail: str
    point: Any
    reingested_at: datetime | None


class Correction(Body):
    """A rejected point, and what to replace in it."""

    id: Annotated[int, Field(ge=1, lt=2**63)]
    framework: ShortText | None = None
    metric: ShortText | None = None
    labels: dict[str, str] | None = None
    timestamp: Instant | None = None
    value: Finite | None = None


class Reingest(Body):
    """The rejected points to take once more."""

    points: list[Correction] = Field(min_length=1, max_length=1000)


def metric_values(body: MetricNew | MetricChange) -> dict[str, Any]:
    """What is said about a metric, as the domain names it; null only where that means something."""
    given = body.model_dump(exclude_unset=True, exclude={"framework_id", "name"})
    return {k: v for k, v in given.items() if v is not None or k in {"target", "limit"}}


def listed_json(overview: FrameworkOverview, standing: Standing) -> dict[str, object]:
    """As `FrameworkListed`."""
    health = {
        "score": standing.score,
        "status": standing.status,
        "coverage": standing.coverage,
        "scored_at": standing.scored_at,
    }
    return {**framework_json(overview), "health": health, "risk": standing.risk.score}


def framework_json(overview: FrameworkOverview) -> dict[str, object]:
    """As `FrameworkShape`."""
    framework = overview.framework
    return {
        "id": framework.id,
        "slug": framework.slug,
        "name": framework.name,
        "kind": framework.kind,
        "description": framework.description,
        "tags": framework.tags,
        "version": framework.version,
        "created_at": framework.created_at,
        "updated_at": framework.updated_at,
        "open_triggers": overview.open_triggers,
        "last_point_at": overview.last_point_at,
        "metrics": overview.metrics,
        "series": overview.series,
    }
