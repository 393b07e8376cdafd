"""What other programs' labels mean here: which framework and metric a foreign series belongs to.

Prometheus and OpenTelemetry know labels only. A workspace may say how to read them, by rules of
which the first that matches counts; without any, the framework is the label `framework`, else `job`
or `service.name`, and the metric is the series' own name. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import re2

from convex.errors import InvalidInput
from convex.metrics.model import Labels, MetricHint

NAME = "__name__"  # the label by which both call the metric
_FRAMEWORK_LABELS = ("framework", "job", "service.name")
_FALLBACK = "unassigned"
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_NOT_SLUG = re.compile(r"[^a-z0-9_.-]+")
_KEYS = frozenset({"match", "framework", "metric", "without", "drop"})
_LONGEST, _MOST_RULES = 300, 200

_UNITS = (
    ("_seconds", "s"),
    ("_milliseconds", "ms"),
    ("_bytes", "bytes"),
    ("_ratio", "ratio"),
    ("_percent", "%"),
    ("_celsius", "°C"),
)
_COUNTERS = ("_total", "_count", "_sum", "_bucket")
_CATEGORIES = (
    (re.compile(r"(^|_)(up|availability|uptime|probe_success)(_|$)"), "availability"),
    (re.compile(r"(^|_)(cost|spend|price)s?(_|$)"), "cost"),
    (re.compile(r"(^|_)(auth|login|forbidden|certificate|tls)(_|$)"), "security"),
    (
        re.compile(r"(^|_)(memory|cpu|disk|queue|connections|goroutines|threads)(_|$)"),
        "scalability",
    ),
)


@dataclass(frozen=True, slots=True)
class SeriesName:
    """A foreign series by the names it has here."""

    framework: str
    metric: str
    labels: Labels


@dataclass(frozen=True)
class MappingRule:
    """One rule: the series whose labels all match in full, and what becomes of them.

    `framework` and `metric` are texts in which {label} stands for the label's value (None: as
    without a rule); `without` are labels left out; `drop` says that such series are not wanted.
    """

    match: Mapping[str, str]
    framework: str | None = None
    metric: str | None = None
    without: tuple[str, ...] = ()
    drop: bool = False

    @cached_property
    def _patterns(self) -> list[tuple[str, re2._Regexp]]:
        return [(label, _compiled(pattern)) for label, pattern in self.match.items()]

    def matches(self, labels: Labels) -> bool:
        """A label that is not there counts as empty."""
        return all(pattern.fullmatch(labels.get(label, "")) for label, pattern in self._patterns)

    @classmethod
    def parse(cls, given: Mapping[str, Any], where: str) -> Self:
        """Check one rule as it came. Raises `InvalidInput`, naming the place."""
        if unknown := given.keys() - _KEYS:
            raise InvalidInput(f"A mapping has no {min(unknown)!r}.", field=where)
        match = given.get("match", {})
        if not isinstance(match, Mapping):
            raise InvalidInput("match is an object of label and pattern.", field=f"{where}.match")
        for label, pattern in match.items():
            if not isinstance(pattern, str) or len(pattern) > _LONGEST:
                raise InvalidInput(
                    f"The pattern of {label!r} is a text of at most {_LONGEST} characters.",
                    field=f"{where}.match",
                )
            try:
                _compiled(pattern)
            except re2.error:
                raise InvalidInput(
                    f"The pattern {pattern!r} cannot be read.", field=f"{where}.match"
                ) from None
        for name in ("framework", "metric"):
            text = given.get(name)
            if text is not None and not (isinstance(text, str) and 0 < len(text) <= _LONGEST):
                raise InvalidInput(f"{name} is a text.", field=f"{where}.{name}")
        without = given.get("without", ())
        if not isinstance(without, Sequence) or not all(isinstance(one, str) for one in without):
            raise InvalidInput("without is a list of labels.", field=f"{where}.without")
        drop = given.get("drop", False)
        if not isinstance(drop, bool):
            raise InvalidInput("drop is true or false.", field=f"{where}.drop")
        if not match and drop:
            raise InvalidInput("A mapping that drops everything needs a match.", field=where)
        return cls(dict(match), given.get("framework"), given.get("metric"), tuple(without), drop)


def parse_rules(given: Sequence[Mapping[str, Any]], where: str = "mappings") -> list[MappingRule]:
    """All rules of a workspace. Raises `InvalidInput`."""
    if len(given) > _MOST_RULES:
        raise InvalidInput(f"At most {_MOST_RULES} mappings.", field=where)
    return [MappingRule.parse(one, f"{where}.{number}") for number, one in enumerate(given)]


def name_series(labels: Labels, rules: Sequence[MappingRule]) -> SeriesName | None:
    """The names of a series that came with these labels; None when a rule drops it.

    The metric's name and a label `framework` are left out of its labels, since they are said
    already.
    """
    rule = next((one for one in rules if one.matches(labels)), None)
    if rule is not None and rule.drop:
        return None
    framework = rule and rule.framework and _fill(rule.framework, labels)
    metric = rule and rule.metric and _fill(rule.metric, labels)
    if not framework:
        framework = next((labels[name] for name in _FRAMEWORK_LABELS if labels.get(name)), "")
    left_out = {NAME, "framework", *(rule.without if rule is not None else ())}
    return SeriesName(
        slug_of(framework),
        metric or labels.get(NAME, ""),
        {name: value for name, value in labels.items() if name not in left_out and value},
    )


def slug_of(text: str) -> str:
    """A framework's slug from any text."""
    slug = _NOT_SLUG.sub("-", text.lower()).strip("-").lstrip("_.")[:100]
    return slug or _FALLBACK


def guess_hint(metric: str, *, foreign: bool = True) -> MetricHint:
    """What a metric's name says by the conventions of Prometheus: unit, category, and, where it is
    `foreign` (from a sender that keeps them), whether it is a counter.
    """
    base = metric
    is_counter = False
    for ending in _COUNTERS:
        if metric.endswith(ending):
            base, is_counter = metric.removesuffix(ending), True
            break
    if metric.endswith("_count"):
        unit = ""
    else:
        unit = next((unit for ending, unit in _UNITS if base.endswith(ending)), "")
    category = next(
        (name for pattern, name in _CATEGORIES if pattern.search(metric)), "performance"
    )
    return MetricHint(unit=unit, category=category, is_counter=is_counter and foreign)


def _compiled(pattern: str) -> re2._Regexp:
    """Linear in time, whatever a member wrote (RE2)."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    return re2.compile(pattern, options)


def _fill(template: str, labels: Labels) -> str:
    return _PLACEHOLDER.sub(lambda found: labels.get(found.group(1), ""), template)
