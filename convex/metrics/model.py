"""Values of this package: the batch of points, rejections, metrics and series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Labels = Mapping[str, str]

SECOND = 1_000_000  # microseconds, the unit of every instant in the engine
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Prometheus says "this series has ended" with one particular NaN.
STALE_BITS = 0x7FF0000000000002


def to_microseconds(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an instant with a zone; exact."""
    return (instant - _EPOCH) // _MICROSECOND


def to_datetime(microseconds: int) -> datetime:
    """The inverse of `to_microseconds`, in UTC."""
    return _EPOCH + timedelta(microseconds=int(microseconds))


class Rejection(StrEnum):
    """Why a point was not taken."""

    NOT_A_NUMBER = "not_a_number"
    INFINITE = "infinite"
    IN_THE_FUTURE = "in_the_future"
    TOO_OLD = "too_old"
    UNKNOWN_FRAMEWORK = "unknown_framework"
    UNKNOWN_METRIC = "unknown_metric"
    TOO_MANY_SERIES = "too_many_series"
    INVALID_LABELS = "invalid_labels"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class RejectedPoint:
    """A point that was not taken: why, in a word and in words, and the point as it came."""

    reason: Rejection
    detail: str
    point: Any


@dataclass(frozen=True, slots=True)
class MetricHint:
    """What a sender says about a metric that is made by its first point."""

    unit: str = ""
    category: str = "performance"
    is_counter: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class SeriesKeys:
    """The series of a batch, told apart by its sender: `of_points[i]` is the row of point i."""

    keys: list[tuple[Any, ...]]
    of_points: IntArray


@dataclass(frozen=True, slots=True)
class PointBatch:
    """Points as columns of equal length n; they may be unordered and may repeat each other.

    `frameworks` holds slugs, `metrics` names, `timestamps` microseconds since 1970-01-01 UTC. With
    `series`, frameworks, metrics and labels have a row for each series instead, and it says which
    row each point has. `unreadable` are rows that could not become points. `history` True says that
    these are old facts which must never notify; False, that they are happening (a replay); None
    leaves it to their age (see `convex.alerts.liveness`). `creates_frameworks` makes frameworks
    that are not there, where the workspace allows it; `hints` describe metrics by framework and
    name, should they be new.
    """

    frameworks: list[str]
    metrics: list[str]
    labels: list[Labels]
    timestamps: IntArray
    values: FloatArray
    source: str
    unreadable: list[RejectedPoint] = field(default_factory=list)
    history: bool | None = None
    series: SeriesKeys | None = None
    creates_frameworks: bool = False
    hints: Mapping[tuple[str, str], MetricHint] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.timestamps)

    def row_of(self, point: int) -> int:
        """Where the framework, metric and labels of a point are."""
        return point if self.series is None else int(self.series.of_points[point])


class Category(StrEnum):
    """What a metric says something about."""

    PERFORMANCE = "performance"
    AVAILABILITY = "availability"
    SECURITY = "security"
    SCALABILITY = "scalability"
    COST = "cost"


class Aggregate(StrEnum):
    """How the points of a window become one value."""

    LAST = "last"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"
    P50 = "p50"
    P95 = "p95"


@dataclass(frozen=True, slots=True)
class MetricDraft:
    """What a member says about a metric; `name` cannot change later, since clients push by it."""

    name: str
    unit: str = ""
    category: Category = Category.PERFORMANCE
    target: float | None = None
    limit: float | None = None
    default_aggregate: Aggregate = Aggregate.MEAN
    description: str = ""
    is_counter: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of one framework; `series` is how many it has."""

    id: UUID
    framework_id: UUID
    name: str
    unit: str
    category: Category
    target: float | None
    limit: float | None
    default_aggregate: Aggregate
    description: str
    is_counter: bool
    version: int
    created_at: datetime
    updated_at: datetime
    series: int = 0


@dataclass(frozen=True, slots=True)
class Series:
    """One metric × one set of labels; `framework` is the slug, `newest_at` its newest point."""

    id: int
    metric_id: UUID
    framework_id: UUID
    metric: str
    framework: str
    labels: Labels
    newest_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
