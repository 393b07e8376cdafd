"""The YAML form of rules: one model, from which both the checks and the JSON schema come. Pure.

A document holds `rules` and `slos`, or is a single rule itself. A rule has the fields that the API
has, but for what it watches: the slug of the framework and the name of the metric instead of ids.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from convex.alerts.describe import format_duration, parse_duration
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
from convex.errors import InvalidInput
from convex.metrics.model import Aggregate


def _check_duration(value: object) -> str | int:
    if isinstance(value, str | int):
        try:
            parse_duration(value, "it")
        except InvalidInput as error:
            raise ValueError(error.message.removeprefix("it ").rstrip(".")) from None
        return value
    raise ValueError('must be a duration such as "2h", "1h30m" or "90s", or whole seconds')


Duration = Annotated[
    str | int,
    PlainValidator(_check_duration),
    WithJsonSchema(
        {
            "description": 'Such as "1h30m", or whole seconds.',
            "anyOf": [
                {
                    "type": "string",
                    "minLength": 2,
                    "pattern": r"^(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?$",
                },
                {"type": "integer", "minimum": 0},
            ],
        }
    ),
]
Words = Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=20)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=200)]

_DURATIONS = tuple(
    one.name.removesuffix("_seconds") for one in fields(RuleDraft) if one.name.endswith("_seconds")
)
_ENUMS = {
    "type": RuleType,
    "condition": Condition,
    "sensitivity": Sensitivity,
    "aggregate": Aggregate,
    "no_data": NoData,
    "severity": Severity,
}
_LISTS = ("group_by", "channels", "tags")
_ALWAYS = ("type", "condition", "severity")


class Part(BaseModel):
    """What all parts of a file share: no unknown fields, no conversion of one type to another."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class MatcherEntry(Part):
    """A condition on one label; a regular expression (RE2) matches the whole value."""

    label: Annotated[str, Field(min_length=1, max_length=100)]
    operator: Literal["=", "!=", "=~", "!~"]
    value: Annotated[str, Field(max_length=1000)]


class RuleEntry(Part):
    """An alert rule."""

    name: Name
    """The rule is known by it: a rule of another name is another rule."""
    framework: Name
    """Slug of the framework."""
    metric: Name | None = None
    """Name of one of the framework's metrics; an anomaly rule without one watches all of them."""
    description: Annotated[str, Field(max_length=10_000)] = ""
    label_matchers: Annotated[list[MatcherEntry], Field(max_length=20)] = []
    """Which of the series; all of them without any."""
    type: Literal["threshold", "anomaly", "performance", "milestone"] = "threshold"
    condition: Literal["above", "below", "equals", "changes_by"] = "above"
    threshold_value: Number | None = None
    change_percentage: Number | None = None
    """Of `changes_by` and of performance rules, in percent."""
    recovery_threshold: Number | None = None
    """While firing, this decides instead of the threshold."""
    sensitivity: Literal["low", "medium", "high"] | None = None
    """Of anomaly rules; medium without."""
    method: str | None = None
    """Of anomaly rules: the detector's name."""
    aggregate: Literal["last", "mean", "min", "max", "sum", "count", "p50", "p95"] = "last"
    window: Duration = "0s"
    """What the aggregate looks at; 0s is the point alone."""
    confirm_window: Duration = "0s"
    """A shorter window over which the condition must hold too."""
    for_: Annotated[Duration, Field(alias="for")] = "0s"
    """How long the condition must hold before it fires."""
    keep_firing_for: Duration = "0s"
    """How long it must not hold before it is over."""
    evaluation_offset: Duration = "0s"
    """How long to wait for points that come late."""
    lateness: Duration = "5m"
    """Points further behind the newest are history and notify nobody."""
    deduplication_window: Duration = "5m"
    """Within it after the end, firing again is a repeat."""
    severity: Literal["info", "warning", "critical"] = "warning"
    no_data: Literal["keep", "ok", "alert"] = "keep"
    """What missing points mean."""
    no_data_after: Duration = "0s"
    """After how long without points they are missing."""
    group_by: Words = []
    """Labels that tell one alert from another; all of them without any."""
    channels: Words = []
    """Names of channels, before those of the members' preferences."""
    runbook_url: Annotated[str, Field(max_length=2000)] = ""
    tags: Words = []
    templates: dict[str, Any] = {}
    """Texts of notifications by kind of channel."""
    enabled: bool = True


def changes_of(entry: RuleEntry) -> dict[str, Any]:
    """What the entry says, as fields of `RuleDraft` but for the two ids. Raises `InvalidInput`."""
    said: dict[str, Any] = {}
    for name, value in entry.model_dump(by_alias=True, exclude={"framework", "metric"}).items():
        if name in _DURATIONS:
            said[f"{name}_seconds"] = parse_duration(value, name)
        elif name in _ENUMS:
            said[name] = None if value is None else _ENUMS[name](value)
        elif name == "label_matchers":
            said[name] = tuple(
                Matcher(one["label"], Operator(one["operator"]), one["value"]) for one in value
            )
        else:
            said[name] = tuple(value) if name in _LISTS else value
    return said


def said_by(draft: RuleDraft, framework: str, metric: str | None) -> dict[str, Any]:
    """Everything that a draft says, in the words and the order of a file, and its provenance."""
    said: dict[str, Any] = {"name": draft.name, "framework": framework, "metric": metric or None}
    for name, about in RuleEntry.model_fields.items():
        key = about.alias or name
        if key not in said:
            said[key] = _write(draft, key)
    return said | {"provenance": draft.provenance.value}


def entry_of(draft: RuleDraft, framework: str, metric: str | None) -> dict[str, Any]:
    """The draft as a file says it: what differs from the defaults, and what one wants to see."""
    defaults = {
        about.alias or name: about.default
        for name, about in RuleEntry.model_fields.items()
        if not about.is_required()
    }
    for name in _DURATIONS:
        defaults[name] = format_duration(parse_duration(defaults[name], name))
    return {
        key: value
        for key, value in said_by(draft, framework, metric).items()
        if key != "provenance" and (key in _ALWAYS or key not in defaults or value != defaults[key])
    }


def _write(draft: RuleDraft, key: str) -> Any:
    if key in _DURATIONS:
        return format_duration(getattr(draft, f"{key}_seconds"))
    value = getattr(draft, key)
    if key == "label_matchers":
        return [
            {"label": one.label, "operator": one.operator.value, "value": one.value}
            for one in value
        ]
    if key in _ENUMS:
        return None if value is None else value.value
    if key in _LISTS:
        return list(value)
    return dict(value) if key == "templates" else value
