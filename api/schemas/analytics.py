"""Figures of alerting. Times in minutes, rates from 0 to 1; null: nothing to divide by."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.shared import Shape


class Figures(Shape):
    """What was opened in a window of time, and what became of it."""

    total_triggers: int
    historical_triggers: int
    open_triggers: int
    acknowledged_triggers: int
    resolved_triggers: int
    auto_resolved_triggers: int
    flapping_triggers: int
    marked_triggers: int
    actionable_triggers: int
    false_positive_triggers: int
    suppressed_actionable_triggers: int
    triggered_by_type: dict[str, int]
    triggered_by_severity: dict[str, int]
    avg_response_time_minutes: float | None = Field(description="MTTA, of acknowledged triggers.")
    response_time_n: int
    response_time_median_minutes: float | None
    response_time_p90_minutes: float | None
    mttr_minutes: float | None
    mttr_n: int
    mttr_median_minutes: float | None
    mttr_p90_minutes: float | None
    resolution_rate: float | None
    auto_resolved_rate: float | None
    false_positive_rate: float | None
    actionable_rate: float | None
    flap_rate: float | None
    suppression_effectiveness: float | None
    repeats: int
    notifications_sent: int
    notifications_suppressed: int
    notifications_failed: int
    pages: int
    pages_business_hours: int
    pages_off_hours: int
    pages_sleep_hours: int


class Window(Figures):
    """The figures of some days."""

    from_: date = Field(alias="from")
    to: date


class Summary(Window):
    """The last days, and as many before them."""

    days: int
    previous: Window
    refreshed_at: datetime | None


class TrendItem(Figures):
    """One period."""

    period_start: date


class Trends(Shape):
    """Figures by period, oldest first, without gaps."""

    period: Literal["daily", "weekly", "monthly"]
    from_: date = Field(alias="from")
    to: date
    items: list[TrendItem]


class FrameworkFigures(Figures):
    """One framework."""

    framework_id: UUID
    slug: str
    name: str


class Performance(Shape):
    """Figures by framework, the busiest first."""

    from_: date = Field(alias="from")
    to: date
    items: list[FrameworkFigures]


class Distribution(Shape):
    """How the triggers of some days are spread."""

    from_: date = Field(alias="from")
    to: date
    timezone: str
    total: int
    by_type: dict[str, int]
    by_severity: dict[str, int]
    by_state: dict[str, int]
    by_resolution: dict[str, int]
    by_source: dict[str, int]
    by_feedback: dict[str, int]
    by_hour: list[int]
    by_weekday: list[int] = Field(description="Monday first.")
    by_hour_of_week: list[list[int]]
    by_framework: list[dict[str, Any]]


class Noise(Shape):
    """Alerts that cost attention without being worth it."""

    from_: date = Field(alias="from")
    to: date
    rules: list[dict[str, Any]]
    never_acknowledged: list[dict[str, Any]]
    always_auto_resolved: list[dict[str, Any]]
    flapping: list[dict[str, Any]]
    members: list[dict[str, Any]]
    suppression: dict[str, Any]
