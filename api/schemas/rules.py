"""Alert rules. Durations are written as "2h", "1h30m", "90s", or as a number of seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from api.schemas.frameworks import AggregateName, Finite, Tags
from api.schemas.shared import Body, Flag, Name, Shape, ShortText, Tag, Text
from convex.alerts.describe import parse_duration
from convex.alerts.model import (
    Condition,
    Matcher,
    NoData,
    Operator,
    RuleDraft,
    RuleType,
    Sensitivity,
    Severity,
)
from convex.metrics.model import Aggregate

Duration = Annotated[
    str | int | float,
    Field(examples=["2h", "90s", 300], description='Such as "1h30m", or seconds.'),
]
TypeName = Literal["threshold", "anomaly", "performance", "milestone"]
ConditionName = Literal["above", "below", "equals", "changes_by"]
SeverityName = Literal["info", "warning", "critical"]
OperatorName = Literal["=", "!=", "=~", "!~"]
FrameworkRef = Annotated[
    str, Field(max_length=100, pattern=r"^[^\x00]+$", description="Id or slug of a framework.")
]

# API name → field of the domain, whole seconds there.
_DURATIONS = {
    "window": "window_seconds",
    "confirm_window": "confirm_window_seconds",
    "for": "for_seconds",
    "keep_firing_for": "keep_firing_for_seconds",
    "evaluation_offset": "evaluation_offset_seconds",
    "lateness": "lateness_seconds",
    "deduplication_window": "deduplication_window_seconds",
    "no_data_after": "no_data_after_seconds",
}
_ENUMS = {
    "type": RuleType,
    "condition": Condition,
    "sensitivity": Sensitivity,
    "aggregate": Aggregate,
    "no_data": NoData,
    "severity": Severity,
}
_JOINT = "Null: an anomaly rule for all metrics of the framework, whose series share a trigger."
# What null means for a field that cannot be null.
_CLEARED = {"runbook_url": "", "description": "", "no_data_after": 0}


class MatcherBody(Body):
    """A condition on a label; a regular expression matches the whole value."""

    label: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$")]
    operator: OperatorName
    value: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]


class _RuleFields(Body):
    description: Text | None = None
    label_matchers: Annotated[list[MatcherBody], Field(max_length=20)] | None = None
    type: TypeName | None = None
    condition: ConditionName | None = None
    threshold_value: Finite | None = None
    change_percentage: Finite | None = None
    recovery_threshold: Finite | None = None
    sensitivity: Literal["low", "medium", "high"] | None = None
    method: Literal["novelty", "robust_z"] | None = None
    aggregate: AggregateName | None = None
    window: Duration | None = None
    confirm_window: Duration | None = None
    for_: Annotated[Duration | None, Field(alias="for")] = None
    keep_firing_for: Duration | None = None
    evaluation_offset: Duration | None = None
    lateness: Duration | None = None
    deduplication_window: Duration | None = None
    severity: SeverityName | None = None
    no_data: Literal["keep", "ok", "alert"] | None = None
    no_data_after: Duration | None = None
    group_by: Annotated[list[Tag], Field(max_length=20)] | None = None
    channels: Annotated[list[Tag], Field(max_length=20)] | None = None
    runbook_url: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] | None = None
    tags: Tags | None = None
    templates: dict[str, Any] | None = None
    enabled: Flag | None = None


class RuleNew(_RuleFields):
    """A new rule; what is left out has its default."""

    name: Name = Field(examples=["Too many cancellations"])
    framework_id: UUID
    metric_id: UUID | None = Field(default=None, description=_JOINT)


class RuleChange(_RuleFields):
    """What is given is changed; null takes an optional value away."""

    name: Name | None = None
    framework_id: UUID | None = None
    metric_id: UUID | None = Field(default=None, description=_JOINT)


class RuleFilter(Body):
    """Which rules; what is left out does not filter. As in the listing."""

    framework: FrameworkRef | None = None
    metric: UUID | None = None
    enabled: Flag | None = None
    type: tuple[TypeName, ...] = ()
    severity: tuple[SeverityName, ...] = ()
    tag: Tag | None = None
    provenance: Literal["api", "code"] | None = None
    search: ShortText | None = None
    deleted: Flag = False


class RuleBulk(Body):
    """The same for several rules: those named, or the first 500 by name that a filter finds.

    `versions` (by id) are those that were seen: a rule that has changed since is left alone.
    """

    ids: Annotated[list[UUID], Field(min_length=1, max_length=500)] | None = None
    filter: RuleFilter | None = None
    versions: Annotated[dict[UUID, int], Field(max_length=500)] = Field(default_factory=dict)
    action: Literal["enable", "disable", "delete", "undelete"]

    @model_validator(mode="after")
    def _makes_sense(self) -> RuleBulk:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either ids or a filter")
        return self


class RuleShape(Shape):
    """A rule."""

    id: UUID
    name: str
    description: str
    framework_id: UUID
    metric_id: UUID | None
    framework: str
    metric: str
    label_matchers: list[MatcherBody]
    type: TypeName
    condition: ConditionName
    threshold_value: float | None
    change_percentage: float | None
    recovery_threshold: float | None
    sensitivity: str | None
    method: Literal["novelty", "robust_z"] | None
    aggregate: AggregateName
    window: str
    confirm_window: str
    for_: Annotated[str, Field(alias="for")]
    keep_firing_for: str
    evaluation_offset: str
    lateness: str
    deduplication_window: str
    severity: SeverityName
    no_data: str
    no_data_after: str
    group_by: list[str]
    channels: list[str]
    runbook_url: str
    tags: list[str]
    templates: dict[str, Any]
    enabled: bool
    provenance: Literal["api", "code"]
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


def draft_changes(body: _RuleFields) -> dict[str, Any]:
    """What the body says, as fields of `RuleDraft`. Raises `InvalidInput`."""
    changes: dict[str, Any] = {}
    for name, value in body.model_dump(exclude_unset=True, by_alias=True).items():
        given: Any = _CLEARED.get(name) if value is None else value
        if name in _DURATIONS:
            if given is not None:
                changes[_DURATIONS[name]] = parse_duration(given, name)
        elif name in _ENUMS:
            if given is not None:
                changes[name] = _ENUMS[name](given)
            elif name == "sensitivity":
                changes[name] = None
        elif name == "label_matchers":
            changes[name] = tuple(
                Matcher(one["label"], Operator(one["operator"]), one["value"])
                for one in given or ()
            )
        elif name in {"group_by", "channels", "tags"}:
            changes[name] = tuple(given or ())
        elif name == "templates":
            changes[name] = given or {}
        elif given is not None or name in {
            "threshold_value",
            "change_percentage",
            "recovery_threshold",
            "method",
            "metric_id",
        }:
            changes[name] = given
    return changes


def new_draft(body: RuleNew) -> RuleDraft:
    """A rule to be. Raises `InvalidInput`."""
    return RuleDraft(**draft_changes(body))
