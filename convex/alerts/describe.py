"""Sentences about rules and triggers, and durations as people write them. Pure."""

from __future__ import annotations

import re

from convex.alerts.measure import fire_limit, is_running_total
from convex.alerts.model import Condition, Reason, Rule, RuleType
from convex.errors import InvalidInput
from convex.metrics.model import Aggregate

_UNITS = (("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
LONGEST = 366 * 86_400


def format_duration(seconds: int) -> str:
    """`5400` as "1h30m", `0` as "0s"."""
    parts = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_duration(value: object, field: str) -> int:
    """Whole seconds from "2h", "1h30m", "90s", or a number of seconds. Raises `InvalidInput`."""
    seconds: float
    if isinstance(value, str) and value and (found := _DURATION.fullmatch(value.strip())):
        seconds = sum(
            int(count or 0) * size for count, (_, size) in zip(found.groups(), _UNITS, strict=True)
        )
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value
    else:
        raise InvalidInput(
            f'{field} must be a duration such as "2h", "1h30m" or "90s", or a number of seconds.',
            field=field,
        )
    if seconds != int(seconds) or not 0 <= seconds <= LONGEST:
        raise InvalidInput(f"{field} must be whole seconds, from 0 to a year.", field=field)
    return int(seconds)


def number(value: float | None) -> str:
    """A number as people read it: at most six digits that matter."""
    return "unknown" if value is None else f"{value:.6g}"


def _what(rule: Rule) -> str:
    if is_running_total(rule):
        return f"The total of {rule.metric}"
    if rule.window_seconds == 0:
        return rule.metric
    names = {Aggregate.P50: "median", Aggregate.P95: "95th percentile", Aggregate.LAST: "last"}
    name = names.get(rule.aggregate, rule.aggregate.value)
    return f"The {name} of {rule.metric} over {format_duration(rule.window_seconds)}"


def describe_opening(rule: Rule, value: float | None, score: float | None, why: Reason) -> str:
    """One sentence that says why a trigger opened."""
    if why is Reason.NO_DATA_ALERT:
        return f"{rule.metric} has had no data for {format_duration(rule.no_data_after_seconds)}."
    what, limit = _what(rule), number(fire_limit(rule))
    lasting = f", for {format_duration(rule.for_seconds)}" if rule.for_seconds else ""
    if rule.type is RuleType.MILESTONE:
        return f"{what} is {number(value)} and has reached the goal of {limit}."
    if rule.type is RuleType.ANOMALY:
        return (
            f"{what} is {number(value)}: unusual for this hour of the week"
            f" (score {number(score)}, alert at {limit}){lasting}."
        )
    if rule.type is RuleType.PERFORMANCE:
        return (
            f"{what} is {number(value)}, {number(score)} % worse than its own baseline of the"
            f" last four weeks (alert at {limit} %){lasting}."
        )
    if rule.condition is Condition.CHANGES_BY:
        before = "the window before" if rule.window_seconds else "the point before"
        return (
            f"{what} is {number(value)}, a change of {number(score)} % against {before}"
            f" (alert at {limit} %){lasting}."
        )
    if rule.confirm_window_seconds:
        what = f"{what} (confirmed over the last {format_duration(rule.confirm_window_seconds)})"
    side = "equal to" if rule.condition is Condition.EQUALS else rule.condition.value
    return f"{what} is {number(value)}, {side} {limit}{lasting}."
