"""Triggers and rules as the API and the live events show them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from convex.alerts.describe import format_duration
from convex.alerts.model import Person, Rule, Transition, Trigger


def instant_json(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, such as "2026-01-31T12:00:00Z"."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _person(person: Person | None) -> dict[str, str] | None:
    return None if person is None else {"id": str(person.id), "name": person.name}


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def trigger_json(trigger: Trigger) -> dict[str, Any]:
    """The one JSON form of a trigger."""
    return {
        "id": str(trigger.id),
        "rule_id": _text(trigger.rule_id),
        "rule_name": trigger.rule_name,
        "framework_id": str(trigger.framework_id),
        "framework": trigger.framework,
        "framework_name": trigger.framework_name,
        "metric": trigger.metric,
        "series_id": trigger.series_id,
        "labels": dict(trigger.labels),
        "type": trigger.type.value,
        "severity": trigger.severity.value,
        "state": trigger.state,
        "value": trigger.value,
        "threshold": trigger.threshold,
        "reason": trigger.reason,
        "opened_at": instant_json(trigger.opened_at),
        "last_seen_at": instant_json(trigger.last_seen_at),
        "acknowledged_at": instant_json(trigger.acknowledged_at),
        "acknowledged_by": _person(trigger.acknowledged_by),
        "resolved_at": instant_json(trigger.resolved_at),
        "resolved_by": _person(trigger.resolved_by),
        "resolution_reason": _text(trigger.resolution),
        "assigned_to": _person(trigger.assigned_to),
        "feedback": trigger.feedback,
        "confidence": trigger.confidence,
        "repeat_count": trigger.repeat_count,
        "suppressed_count": trigger.suppressed_count,
        "historical": trigger.historical,
        "version": trigger.version,
        "created_at": instant_json(trigger.created_at),
        "updated_at": instant_json(trigger.updated_at),
        "context": dict(trigger.context),
    }


def transition_json(transition: Transition) -> dict[str, Any]:
    """One entry of a trigger's history."""
    return {
        "id": transition.id,
        "kind": transition.kind.value,
        "from_state": transition.from_state,
        "to_state": transition.to_state,
        "reason": transition.reason,
        "note": transition.note,
        "author": _person(transition.author),
        "value": transition.value,
        "at": instant_json(transition.at),
        "created_at": instant_json(transition.created_at),
    }


def rule_json(rule: Rule) -> dict[str, Any]:
    """The one JSON form of a rule; durations as people write them."""
    return {
        "id": str(rule.id),
        "name": rule.name,
        "description": rule.description,
        "framework_id": str(rule.framework_id),
        "metric_id": _text(rule.metric_id),
        "framework": rule.framework,
        "framework_name": rule.framework_name,
        "metric": rule.metric,
        "label_matchers": [
            {"label": one.label, "operator": one.operator.value, "value": one.value}
            for one in rule.label_matchers
        ],
        "type": rule.type.value,
        "condition": rule.condition.value,
        "threshold_value": rule.threshold_value,
        "change_percentage": rule.change_percentage,
        "recovery_threshold": rule.recovery_threshold,
        "sensitivity": _text(rule.sensitivity),
        "method": rule.method,
        "aggregate": rule.aggregate.value,
        "window": format_duration(rule.window_seconds),
        "confirm_window": format_duration(rule.confirm_window_seconds),
        "for": format_duration(rule.for_seconds),
        "keep_firing_for": format_duration(rule.keep_firing_for_seconds),
        "evaluation_offset": format_duration(rule.evaluation_offset_seconds),
        "lateness": format_duration(rule.lateness_seconds),
        "deduplication_window": format_duration(rule.deduplication_window_seconds),
        "no_data": rule.no_data.value,
        "no_data_after": format_duration(rule.no_data_after_seconds),
        "severity": rule.severity.value,
        "group_by": list(rule.group_by),
        "channels": list(rule.channels),
        "tags": list(rule.tags),
        "runbook_url": rule.runbook_url,
        "templates": dict(rule.templates),
        "enabled": rule.enabled,
        "provenance": rule.provenance.value,
        "version": rule.version,
        "created_at": instant_json(rule.created_at),
        "updated_at": instant_json(rule.updated_at),
        "deleted_at": instant_json(rule.deleted_at),
    }
