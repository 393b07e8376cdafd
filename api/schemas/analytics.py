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


class NoisyRule(Shape):
    """A rule, and what it cost."""

    rule_id: UUID | None = Field(description="Null for a rule that is gone.")
    name: str | None
    framework_id: UUID
    framework: str
    framework_name: str
    severity: str
    type: str
    triggers: int
    share: float | None = Field(description="Of all triggers of the window.")
    open: int
    acknowledged: int
    repeats: int
    pages: int
    pages_sleep_hours: int
    auto_resolved_rate: float | None
    flap_rate: float | None
    false_positive_rate: float | None


class PagedMember(Shape):
    """Somebody's pages, by the hours of their own zone."""

    user_id: UUID
    name: str | None
    timezone: str
    pages: int
    pages_business_hours: int
    pages_off_hours: int
    pages_sleep_hours: int
    sleep_share: float | None


class MissedTrigger(Shape):
    """A trigger that nobody was told of and that proved actionable."""

    trigger_id: UUID
    rule_id: UUID | None
    rule_name: str | None
    framework: str
    severity: str
    opened_at: datetime
    state: str
    reasons: list[str]


class Counterfactual(Shape):
    """What became of the triggers that nobody was told of: was it right to suppress them?"""

    untold: int
    judged: int = Field(description="Those that somebody marked afterwards.")
    actionable: int
    false_positive: int
    miss_rate: float | None = Field(description="actionable / judged")
    missed: list[MissedTrigger]


class Suppression(Shape):
    """What was sent and what was not; effectiveness = suppressed / (suppressed + sent)."""

    sent: int
    suppressed: int
    effectiveness: float | None
    by_reason: dict[str, int]
    suppressed_actionable: int
    counterfactual: Counterfactual


class Noise(Shape):
    """Alerts that cost attention without being worth it."""

    from_: date = Field(alias="from")
    to: date
    rules: list[NoisyRule]
    never_acknowledged: list[NoisyRule]
    always_auto_resolved: list[NoisyRule]
    flapping: list[NoisyRule]
    members: list[PagedMember]
    suppression: Suppression


# One row of `format=rows`: the columns are those of the CSV.
Row = dict[str, Any]
