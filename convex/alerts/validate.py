"""Whether a rule makes sense: what cannot work is refused before it can surprise. Pure."""

from __future__ import annotations

import math
import re

from convex.alerts.matchers import check_matcher
from convex.alerts.measure import ROBUST_Z, fire_limit, is_learnt
from convex.alerts.model import Condition, NoData, RuleDraft, RuleType
from convex.anomaly import Novelty
from convex.errors import InvalidInput
from convex.metrics.model import Aggregate

_LONGEST = {"name": 200, "description": 10_000, "runbook_url": 2000}
_URL = re.compile(r"https?://[^\s]+", re.IGNORECASE)
_DAY = 86_400


def check_rule(draft: RuleDraft) -> None:
    """Raises `InvalidInput` that says what cannot work and names the field."""
    _check_texts(draft)
    if draft.is_joint:
        _check_joint(draft)
    _check_numbers(draft)
    _check_condition(draft)
    _check_recovery(draft)
    _check_time(draft)
    for matcher in draft.label_matchers:
        check_matcher(matcher)


def _refuse(field: str, message: str) -> InvalidInput:
    return InvalidInput(message, field=field)


def _check_texts(draft: RuleDraft) -> None:
    if not draft.name.strip():
        raise _refuse("name", "A rule needs a name.")
    for field, most in _LONGEST.items():
        text = getattr(draft, field)
        if len(text) > most:
            raise _refuse(field, f"{field} has at most {most} characters.")
        if "\0" in text:
            raise _refuse(field, f"{field} holds a zero character.")
    if draft.runbook_url and not _URL.fullmatch(draft.runbook_url):
        raise _refuse("runbook_url", "runbook_url must be an http or https address.")
    for field in ("group_by", "channels", "tags"):
        words = getattr(draft, field)
        if len(set(words)) != len(words) or not all(words):
            raise _refuse(field, f"{field} holds an empty or a repeated entry.")


def _check_joint(draft: RuleDraft) -> None:
    if draft.type is not RuleType.ANOMALY:
        raise _refuse(
            "metric_id", "Only an anomaly rule can watch a whole framework; name a metric."
        )
    if not is_learnt(draft):
        raise _refuse(
            "method", "A rule for a whole framework asks the detector: its method is novelty."
        )
    for field in ("no_data", "no_data_after_seconds"):
        if getattr(draft, field) not in (NoData.KEEP, 0):
            name = field.removesuffix("_seconds")
            raise _refuse(
                name,
                "Series of different metrics fall silent for different reasons: a rule for a whole"
                f" framework has no {name}; give the metric that matters a rule of its own.",
            )


def _check_numbers(draft: RuleDraft) -> None:
    for field in ("threshold_value", "change_percentage", "recovery_threshold"):
        number = getattr(draft, field)
        if number is not None and not math.isfinite(number):
            raise _refuse(field, f"{field} must be a finite number.")
    if draft.change_percentage is not None and draft.change_percentage <= 0:
        raise _refuse("change_percentage", "change_percentage must be above 0.")


def _needs_percentage(draft: RuleDraft) -> bool:
    return draft.type is RuleType.PERFORMANCE or (
        draft.type is RuleType.THRESHOLD and draft.condition is Condition.CHANGES_BY
    )


def _check_condition(draft: RuleDraft) -> None:
    if draft.type is RuleType.ANOMALY and draft.condition is Condition.EQUALS:
        raise _refuse(
            "condition", "An anomaly has a side (above, below) or both (changes_by), not equals."
        )
    if draft.type is RuleType.PERFORMANCE and draft.condition is Condition.EQUALS:
        raise _refuse(
            "condition",
            "Performance compares with a baseline: above, below, or changes_by for the worse side.",
        )
    if draft.type is RuleType.MILESTONE and draft.condition is Condition.CHANGES_BY:
        raise _refuse("condition", "A milestone is reached (above, below, equals), not changed by.")
    if _needs_percentage(draft):
        if draft.change_percentage is None:
            raise _refuse("change_percentage", "This rule needs a change_percentage.")
        if draft.threshold_value is not None:
            raise _refuse(
                "threshold_value", "This rule compares a change in percent; drop threshold_value."
            )
    elif draft.change_percentage is not None:
        raise _refuse(
            "change_percentage", "Only changes_by and performance use a change_percentage."
        )
    if draft.type is RuleType.ANOMALY:
        if draft.threshold_value is not None:
            raise _refuse("threshold_value", "An anomaly rule has a sensitivity, not a threshold.")
        _check_method(draft)
    else:
        for field in ("sensitivity", "method"):
            if getattr(draft, field) is not None:
                raise _refuse(field, f"Only anomaly rules have a {field}.")
        if not _needs_percentage(draft) and draft.threshold_value is None:
            raise _refuse("threshold_value", "This rule needs a threshold_value.")


def _check_method(draft: RuleDraft) -> None:
    if draft.method not in (None, Novelty.method, ROBUST_Z):
        raise _refuse("method", f"The method of an anomaly is {Novelty.method} or {ROBUST_Z}.")
    if not is_learnt(draft):
        return
    if draft.window_seconds or draft.aggregate is not Aggregate.LAST:
        raise _refuse(
            "window", "The detector looks at the points themselves; a window needs method robust_z."
        )
    if draft.evaluation_offset_seconds:
        raise _refuse(
            "evaluation_offset",
            "The detector looks at points as they come; an offset needs method robust_z.",
        )


def _check_recovery(draft: RuleDraft) -> None:
    recovery = draft.recovery_threshold
    if recovery is None:
        return
    if draft.type in (RuleType.ANOMALY, RuleType.MILESTONE):
        raise _refuse("recovery_threshold", f"A {draft.type.value} rule has no recovery threshold.")
    if draft.condition is Condition.EQUALS:
        raise _refuse(
            "recovery_threshold", "A rule that fires on one value recovers on every other."
        )
    limit = fire_limit(draft)
    below = draft.type is RuleType.THRESHOLD and draft.condition is Condition.BELOW
    if recovery < limit if below else recovery > limit:
        side = "at or above" if below else "at or below"
        raise _refuse(
            "recovery_threshold",
            f"With recovery at {recovery:g} some values would fire and recover at once; it must lie"
            f" {side} {limit:g}.",
        )


def _check_confirmation(draft: RuleDraft) -> None:
    if draft.confirm_window_seconds == 0:
        return
    if draft.type is not RuleType.THRESHOLD or draft.condition not in (
        Condition.ABOVE,
        Condition.BELOW,
    ):
        raise _refuse(
            "confirm_window",
            "Only a threshold rule with the condition above or below has a confirm_window.",
        )
    if draft.confirm_window_seconds >= draft.window_seconds:
        raise _refuse("confirm_window", "confirm_window must be shorter than window.")
    if draft.aggregate in (Aggregate.LAST, Aggregate.SUM, Aggregate.COUNT):
        raise _refuse(
            "confirm_window",
            f"The {draft.aggregate.value} of two windows cannot be held against one threshold; a"
            " confirm_window goes with mean, min, max, p50 or p95.",
        )


def _check_time(draft: RuleDraft) -> None:
    if draft.aggregate is not Aggregate.LAST and draft.window_seconds == 0:
        totals = draft.type is RuleType.MILESTONE and draft.aggregate is Aggregate.SUM
        if draft.aggregate is Aggregate.COUNT or (draft.type is RuleType.MILESTONE and not totals):
            raise _refuse("window", f"{draft.aggregate.value} needs a window to look at.")
    _check_confirmation(draft)
    if draft.window_seconds > 31 * _DAY:
        raise _refuse("window", "A window is at most 31 days.")
    if draft.type is RuleType.MILESTONE:
        for field in ("for_seconds", "keep_firing_for_seconds"):
            if getattr(draft, field):
                name = field.removesuffix("_seconds")
                raise _refuse(name, f"A milestone is reached at one point: it has no {name}.")
        if draft.group_by:
            raise _refuse("group_by", "A milestone is reached by each series: it has no group_by.")
        if draft.no_data is not NoData.KEEP:
            raise _refuse("no_data", "A milestone waits; it does not watch for missing data.")
    if draft.group_by and draft.evaluation_offset_seconds:
        raise _refuse(
            "evaluation_offset",
            "A group is judged in the order in which things happened to all its series; an offset"
            " would delay each by itself. Take either group_by or evaluation_offset.",
        )
    if draft.no_data is not NoData.KEEP and draft.no_data_after_seconds == 0:
        raise _refuse("no_data_after", "Say after how long without points the data is missing.")
