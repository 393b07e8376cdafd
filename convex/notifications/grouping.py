"""Which triggers share a message."""

from __future__ import annotations

from convex.notifications.model import Trigger


def group_key(by: str, trigger: Trigger) -> str:
    """The group of a trigger under a member's grouping: none, rule, framework or type."""
    if by == "rule":
        return f"rule:{trigger.rule_id or trigger.rule_name}"
    if by == "framework":
        return f"framework:{trigger.framework_id}"
    if by == "type":
        return f"type:{trigger.type}"
    return f"trigger:{trigger.id}"


def group_words(by: str) -> str:
    """How the group is called in a sentence."""
    return {
        "rule": "of the same rule",
        "framework": "of the same framework",
        "type": "of the same type",
    }.get(by, "of this trigger")
