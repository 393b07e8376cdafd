"""Backtests and tunings of rules."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from api.schemas.rules import RuleNew
from api.schemas.shared import Body, Instant, Shape

Days = Annotated[int, Field(strict=True, ge=1, le=750)]


class TrialRange(Body):
    """Over which time: from `since` to `until` (now without it), or the `days` before `until`."""

    since: Instant | None = None
    until: Instant | None = None
    days: Days = 90


class BacktestBody(TrialRange):
    """What to replay: a rule as it might be, a saved one, or the first beside the second."""

    rule: RuleNew | None = Field(None, description="A rule that is not saved; it need not be.")
    rule_id: UUID | None = Field(
        None, description="A saved rule: alone it is replayed, beside `rule` it is compared with."
    )

    @model_validator(mode="after")
    def _names_something(self) -> BacktestBody:
        if self.rule is None and self.rule_id is None:
            raise ValueError("give a rule, a rule_id, or both")
        return self


class Marked(Shape):
    """Of the triggers that people marked: how many there are, and how many would be found."""

    total: int
    found: int


class EpisodeShape(Shape):
    """One trigger that there would have been."""

    series_id: int
    labels: dict[str, str]
    opened_at: datetime
    resolved_at: datetime | None
    value: float | None
    repeat_count: int
    flapping: bool


class BacktestSummary(Shape):
    """What the rule would have done. The interval (90 %) needs four weeks; `sleep_hour_share` is
    the share that would have opened between 22:00 and 06:00 in the workspace's zone.
    """

    since: datetime
    until: datetime
    series: int
    evaluations: int
    triggers: int
    triggers_per_week: float
    triggers_per_week_interval: tuple[float, float] | None
    flaps: int
    sleep_hour_share: float | None
    firing_share: float
    actionable: Marked
    false_positive: Marked
    outcomes: dict[str, int]


class BacktestShape(BacktestSummary):
    """With the newest 200 episodes."""

    episodes: list[EpisodeShape]


class Difference(Shape):
    """The rule as it might be, less the saved one."""

    triggers_per_week: float
    flaps: int
    actionable_found: int
    false_positive_found: int


class RehearsalShape(Shape):
    """The backtest, and that of the saved rule where one was named beside it."""

    tested: BacktestShape
    saved: BacktestShape | None
    difference: Difference | None


class CandidateShape(Shape):
    """Settings, and what they would save and miss."""

    threshold_value: float | None
    change_percentage: float | None
    recovery_threshold: float | None
    for_: Annotated[str, Field(alias="for")]
    keep_firing_for: str
    saved_per_week: float
    missed_actionable: int
    kept_false_positives: int
    backtest: BacktestSummary


class TuningShape(Shape):
    """The rule as it is, and the settings that no other beats in both triggers saved and
    actionable ones missed.
    """

    tried: int
    now: CandidateShape
    candidates: list[CandidateShape]


class RuleTest(Shape):
    """What a rule says now: the alerts that would be open, and its evaluations by outcome."""

    rule_id: UUID
    at: datetime
    series: int
    would_fire: list[EpisodeShape]
    outcomes: dict[str, int]
