"""What a notification will say, kept as it was when it was planned (the payload of its row)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from convex.notifications.model import Transition, Trigger


def describe_trigger(trigger: Trigger) -> dict[str, Any]:
    """A trigger as JSON; instants in ISO 8601, UTC."""
    described: dict[str, Any] = {
        "id": str(trigger.id),
        "fingerprint": trigger.fingerprint,
        "rule": trigger.rule_name,
        "rule_id": None if trigger.rule_id is None else str(trigger.rule_id),
        "framework": trigger.framework,
        "framework_id": str(trigger.framework_id),
        "framework_name": trigger.framework_name,
        "metric": trigger.metric,
        "labels": dict(trigger.labels),
        "type": trigger.type,
        "severity": trigger.severity,
        "state": trigger.state,
        "value": trigger.value,
        "threshold": trigger.threshold,
        "unit": trigger.unit,
        "reason": trigger.reason,
        "opened_at": instant(trigger.opened_at),
        "acknowledged_at": instant(trigger.acknowledged_at),
        "resolved_at": instant(trigger.resolved_at),
        "resolution": trigger.resolution,
    }
    if trigger.description:
        described["description"] = trigger.description
    if trigger.runbook_url:
        described["runbook_url"] = trigger.runbook_url
    if trigger.tags:
        described["tags"] = list(trigger.tags)
    return described


def describe(transition: Transition) -> dict[str, Any]:
    """A transition with its trigger as JSON: the payload of the notifications about it."""
    payload: dict[str, Any] = {
        "trigger": describe_trigger(transition.trigger),
        "at": instant(transition.at),
    }
    if transition.note:
        payload["note"] = transition.note
    if transition.author is not None:
        payload["author"] = transition.author
    if transition.value is not None:
        payload["value"] = transition.value
    if transition.trigger.templates:
        payload["templates"] = dict(transition.trigger.templates)
    return payload


def instant(moment: datetime | None) -> str | None:
    """As the API writes instants."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
