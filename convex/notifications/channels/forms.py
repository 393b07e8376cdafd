"""The bodies of a webhook: Convex' own (docs/webhooks.md), CloudEvents, Alertmanager, PagerDuty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from convex.notifications.channels.message import Message, Part, headline, sentences, shorten
from convex.notifications.model import Kind
from convex.notifications.snapshot import instant

_ZERO = "0001-01-01T00:00:00Z"


def event_type(message: Message) -> str:
    """`alert.firing`, `alert.resolved`, …; `notification.test` and the like when about no alert."""
    about_alerts = bool(message.parts) or message.kind is Kind.DIGEST
    return f"{'alert' if about_alerts else 'notification'}.{message.kind.value}"


def standard(message: Message) -> dict[str, Any]:
    """The body that Standard Webhooks suggests: type, timestamp, data."""
    return {
        "type": event_type(message),
        "timestamp": instant(message.created_at),
        "data": _data(message),
    }


def cloudevent(message: Message) -> dict[str, Any]:
    """CloudEvents 1.0, structured mode."""
    return {
        "specversion": "1.0",
        "id": str(message.id),
        "source": f"/workspaces/{message.workspace_id}",
        "type": f"convex.{event_type(message)}",
        "time": instant(message.created_at),
        "subject": message.thread,
        "datacontenttype": "application/json",
        "data": _data(message),
    }


def alertmanager(message: Message) -> dict[str, Any]:
    """The body of Alertmanager's webhook, version 4."""
    alerts = [_alertmanager_alert(part, message) for part in message.parts]
    firing = any(alert["status"] == "firing" for alert in alerts)
    label_sets = [alert["labels"] for alert in alerts]
    common = {
        name: value
        for name, value in (label_sets[0] if label_sets else {}).items()
        if all(labels.get(name) == value for labels in label_sets)
    }
    return {
        "version": "4",
        "groupKey": message.group_key or message.thread,
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": "convex",
        "groupLabels": {"alertname": common["alertname"]} if "alertname" in common else {},
        "commonLabels": common,
        "commonAnnotations": {},
        "externalURL": message.url,
        "alerts": alerts,
    }


def pagerduty(message: Message, routing_key: str) -> Iterator[dict[str, Any]]:
    """Events of PagerDuty's API v2, one for each trigger; what it has no word for is left out."""
    for part in message.parts:
        trigger = part.trigger
        event: dict[str, Any] = {
            "routing_key": routing_key,
            "dedup_key": str(trigger.get("id")),
            "event_action": {
                Kind.RESOLVED: "resolve",
                Kind.ACKNOWLEDGED: "acknowledge",
            }.get(part.kind, "trigger"),
        }
        if event["event_action"] == "trigger":
            event["payload"] = {
                "summary": shorten(f"{headline(part)}: {sentences(part)[0]}", 1024),
                "source": trigger.get("framework") or "convex",
                "severity": part.severity,
                "timestamp": trigger.get("opened_at"),
                "component": trigger.get("metric"),
                "group": trigger.get("framework_name"),
                "class": trigger.get("type"),
                "custom_details": _with_figures(trigger),
            }
            event["client"] = "Convex"
            event["client_url"] = message.url
        yield event
    if not message.parts:
        yield {
            "routing_key": routing_key,
            "dedup_key": str(message.id),
            "event_action": "trigger",
            "payload": {"summary": message.title, "source": "convex", "severity": message.severity},
        }


def _data(message: Message) -> dict[str, Any]:
    return {
        "id": str(message.id),
        "workspace_id": str(message.workspace_id),
        "kind": message.kind.value,
        "severity": message.severity,
        "title": message.title,
        "text": "\n".join(message.lines),
        "step": message.step,
        "group": message.group_key,
        "url": message.url,
        "alerts": [_alert(part) for part in message.parts],
    }


def _with_figures(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """The trigger with its figures as floats: PostgreSQL gives large ones back as integers."""
    figures = {name: trigger.get(name) for name in ("value", "threshold")}
    return {
        **trigger,
        **{name: None if value is None else float(value) for name, value in figures.items()},
    }


def _alert(part: Part) -> dict[str, Any]:
    alert = _with_figures(part.trigger)
    alert |= {"kind": part.kind.value, "at": part.payload.get("at")}
    for name in ("note", "author"):
        if name in part.payload:
            alert[name] = part.payload[name]
    return alert


def _alertmanager_alert(part: Part, message: Message) -> dict[str, Any]:
    trigger = part.trigger
    resolved = part.kind is Kind.RESOLVED
    return {
        "status": "resolved" if resolved else "firing",
        "labels": {
            **trigger.get("labels", {}),
            "alertname": str(trigger.get("rule", "")),
            "framework": str(trigger.get("framework", "")),
            "metric": str(trigger.get("metric", "")),
            "severity": part.severity,
        },
        "annotations": {
            "summary": headline(part),
            "description": "\n".join(sentences(part)),
            **({"runbook_url": trigger["runbook_url"]} if trigger.get("runbook_url") else {}),
        },
        "startsAt": trigger.get("opened_at") or _ZERO,
        "endsAt": (trigger.get("resolved_at") or part.payload.get("at") or _ZERO)
        if resolved
        else _ZERO,
        "generatorURL": message.url,
        "fingerprint": str(trigger.get("fingerprint", ""))[:16],
    }
