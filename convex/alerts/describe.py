"""Sentences about rules and triggers, and durations as people write them. Pure."""

from __future__ import annotations

import re

from convex.alerts.measure import fire_limit, is_running_total
from convex.alerts.model import Condition, Reason, Rule, RuleType
from convex.alerts.quantity import apart, number, quantities, quantity
from convex.errors import InvalidInput
from convex.metrics.model import Aggregate

_UNITS = (("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
LONGEST = 366 * 86_400
_FROM_NOTHING = 1e300  # how a change from 0 is measured


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


def _what(rule: Rule) -> str:
    if is_running_total(rule):
        return f"The total of {rule.metric}"
    if rule.window_seconds == 0:
        return rule.metric
    names = {Aggregate.P50: "median", Aggregate.P95: "95th percentile", Aggregate.LAST: "last"}
    name = names.get(rule.aggregate, rule.aggregate.value)
    return f"The {name} of {rule.metric} over {format_duration(rule.window_seconds)}"


def _unit(rule: Rule) -> str:
    return "" if rule.aggregate is Aggregate.COUNT else rule.unit


def describe_opening(rule: Rule, value: float | None, score: float | None, why: Reason) -> str:
    """One sentence that says why a trigger opened, in the metric's unit."""
    if why is Reason.NO_DATA_ALERT:
        return f"{rule.metric} has had no data for {format_duration(rule.no_data_after_seconds)}."
    what, limit, unit = _what(rule), fire_limit(rule), _unit(rule)
    lasting = f", for {format_duration(rule.for_seconds)}" if rule.for_seconds else ""
    if rule.type is RuleType.MILESTONE:
        came, goal = quantities(unit, value, limit)
        return f"{what} is {came} and has reached the goal of {goal}."
    if rule.type is RuleType.ANOMALY:
        found, alert = apart(number, score, limit)
        return (
            f"{what} is {quantity(value, unit)}: unusual for this hour of the week"
            f" (score {found}, alert at {alert}){lasting}."
        )
    changed, alert = quantities("percent", score, limit)
    if rule.type is RuleType.PERFORMANCE:
        worse = f"{changed} worse than" if _sayable(score) else "worse than nothing at all,"
        return (
            f"{what} is {quantity(value, unit)}, {worse} its own baseline of the"
            f" last four weeks (alert at {alert}){lasting}."
        )
    if rule.condition is Condition.CHANGES_BY:
        before = "the window before" if rule.window_seconds else "the point before"
        change = f"a change of {changed} against" if _sayable(score) else "after nothing in"
        return f"{what} is {quantity(value, unit)}, {change} {before} (alert at {alert}){lasting}."
    side = "equal to" if rule.condition is Condition.EQUALS else rule.condition.value
    came, bound = quantities(unit, value, limit)
    return f"{what} is {came}, {side} {bound}{lasting}."


def _sayable(percentage: float | None) -> bool:
    """Whether there was something that it is a percentage of."""
    return percentage is None or abs(percentage) < _FROM_NOTHING
