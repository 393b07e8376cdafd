"""What keeps a trigger from being told: silences, mute windows, inhibition. All pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from convex.alerts.matchers import fits
from convex.notifications.model import Inhibition, Matcher, Mute, Reason, Trigger

PROPERTIES = ("rule", "framework", "metric", "severity", "type", "trigger", "tag")


def properties(trigger: Trigger) -> Mapping[str, str]:
    """What matchers can name: the labels of the series, and what every trigger has (which wins)."""
    return {
        **trigger.labels,
        "rule": trigger.rule_name,
        "rule_id": str(trigger.rule_id or ""),
        "framework": trigger.framework,
        "framework_id": str(trigger.framework_id),
        "metric": trigger.metric,
        "severity": trigger.severity,
        "type": trigger.type,
        "trigger": str(trigger.id),
    }


def matches(matchers: Sequence[Matcher], trigger: Trigger) -> bool:
    """Whether all hold. An absent label is the empty text; `tag` holds if any tag fits."""
    facts = properties(trigger)
    for matcher in matchers:
        values = (
            list(trigger.tags) or [""] if matcher.label == "tag" else [facts.get(matcher.label, "")]
        )
        found = [_fits(matcher, value) for value in values]
        if None in found or any(found) is not (matcher.operator in ("=", "=~")):
            return False
    return True


def refusal(
    trigger: Trigger,
    now: datetime,
    mutes: Sequence[Mute],
    inhibitions: Sequence[Inhibition],
    open_triggers: Sequence[Trigger],
) -> tuple[Reason, str] | None:
    """Why the trigger is not told now, or None. A silence is named before anything else."""
    active = [mute for mute in mutes if mute.starts_at <= now < mute.ends_at]
    for mute in sorted(active, key=lambda one: one.reason is not Reason.SILENCED):
        if matches(mute.matchers, trigger):
            return mute.reason, mute.words
    for rule in inhibitions:
        if not matches(rule.target, trigger) or matches(rule.source, trigger):
            continue  # what is itself a source is never inhibited by the same rule
        facts = properties(trigger)
        for other in open_triggers:
            if other.id == trigger.id or not matches(rule.source, other):
                continue
            theirs = properties(other)
            if all(facts.get(name, "") == theirs.get(name, "") for name in rule.equal):
                words = f"{other.rule_name} is open and speaks for it (inhibition {rule.name!r})."
                return Reason.INHIBITED, words
    return None


def _fits(matcher: Matcher, value: str) -> bool | None:
    """None: it is no pattern, and holds neither way, so that it mutes nothing."""
    if matcher.operator in ("=", "!="):
        return value == matcher.value
    return fits(matcher.value, value)
