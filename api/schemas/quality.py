"""Whether the data can be trusted."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from api.schemas.shared import Body, Shape

Bound = Annotated[float, Field(allow_inf_nan=False)]


class QualityRun(Shape):
    """One run of a suite of checks; `report_path` is a page below /docs/quality/."""

    id: UUID
    suite: str
    started_at: datetime
    finished_at: datetime
    state: str
    evaluated: int
    passed: int
    failed: int
    results: list[dict[str, Any]]
    report_path: str | None


class QualityTrend(Shape):
    """A suite's runs on one UTC day; `share` of their expectations held (0-1)."""

    suite: str
    day: date
    runs: int
    passed_runs: int
    evaluated: int
    passed: int
    failed: int
    share: float | None


class QualityTrends(Shape):
    """By suite, then day."""

    items: list[QualityTrend]


class Distrusted(Shape):
    """A series on which rules answer `error`, since a critical expectation failed on it."""

    series_id: int
    framework: str
    metric: str
    labels: dict[str, str]
    since: datetime
    because: str


class DistrustedList(Shape):
    """The one that has been so the longest comes first."""

    items: list[Distrusted]


class RangeShape(Shape):
    """Where a metric's values must lie (said by a member), and usually lie (learned)."""

    metric_id: UUID
    framework: str
    metric: str
    low: float | None
    high: float | None
    learned_low: float | None
    learned_high: float | None
    learned_points: int
    learned_at: datetime | None


class RangeList(Shape):
    """By framework and metric."""

    items: list[RangeShape]


class RangeBody(Body):
    """Null is open to that side; both null: the learned range counts again."""

    low: Bound | None = None
    high: Bound | None = None
