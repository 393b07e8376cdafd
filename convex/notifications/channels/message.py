"""What is said, before it takes the form of a channel. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from convex.notifications.model import SEVERITIES, Kind, minutes_and_seconds

_VERBS: Mapping[Kind, str] = {
    Kind.FIRING: "Firing",
    Kind.RESOLVED: "Resolved",
    Kind.ACKNOWLEDGED: "Acknowledged",
    Kind.ESCALATION: "Not acknowledged",
    Kind.REPEAT: "Still firing",
    Kind.FLAPPING: "Flapping",
    Kind.PREDICTION: "Expected",
}
_RESOLUTIONS = {
    "recovered": "it recovered",
    "by_hand": "by hand",
    "stale": "its data stopped",
    "no_data": "there is no data",
    "rule_disabled": "the rule was switched off",
    "rule_deleted": "the rule was deleted",
    "rule_changed": "the rule was changed",
    "milestone": "the milestone was reached",
    "ended": "its source ended it",
}
MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Part:
    """One notification within a message: the payload that it was planned with."""

    kind: Kind
    severity: str
    payload: Mapping[str, Any]

    @property
    def trigger(self) -> Mapping[str, Any]:
        """The trigger as it was then; empty for messages about none."""
        return cast("Mapping[str, Any]", self.payload.get("trigger", {}))


@dataclass(frozen=True, slots=True)
class Message:
    """A message for one recipient on one channel; `id` stays the same over every attempt."""

    id: UUID
    workspace_id: UUID
    kind: Kind
    severity: str
    title: str
    lines: Sequence[str]
    parts: Sequence[Part]
    url: str
    thread: str
    created_at: datetime
    step: int = 0
    group_key: str = ""
    recipient: str = ""
    recipient_name: str = ""
    runbook_url: str = ""
    unsubscribe_url: str = ""
    templates: Mapping[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> Sequence[tuple[str, str]]:
        """The figures of the alert, if it is about one: name and value."""
        return facts(self.parts[0]) if len(self.parts) == 1 else ()


def build(  # one argument for each column that matters
    *,
    identity: UUID,
    workspace_id: UUID,
    kind: Kind,
    severity: str,
    payload: Mapping[str, Any],
    carried: Sequence[Part],
    created_at: datetime,
    base_url: str,
    step: int = 0,
    group_key: str = "",
    recipient: str = "",
    recipient_name: str = "",
    unsubscribe_url: str = "",
) -> Message:
    """The message of a notification and of all that it carries."""
    parts = parts_of(kind, severity, payload, carried)
    single = len(parts) == 1
    first: Mapping[str, Any] = parts[0].trigger if parts else {}
    title, lines, worst = say(kind, severity, payload, parts)
    trigger_id = first.get("id")
    runbook = str(first.get("runbook_url", ""))
    same_rule = len({part.trigger.get("rule") for part in parts}) == 1
    return Message(
        id=identity,
        workspace_id=workspace_id,
        kind=kind,
        severity=worst,
        title=title,
        lines=lines,
        parts=parts,
        url=f"{base_url}/triggers/{trigger_id}" if single and trigger_id else f"{base_url}/alerts",
        thread=str(trigger_id) if single and trigger_id else group_key or str(identity),
        created_at=created_at,
        step=step,
        group_key=group_key,
        recipient=recipient,
        recipient_name=recipient_name,
        runbook_url=runbook if same_rule else "",
        unsubscribe_url=unsubscribe_url,
        templates=payload.get("templates", {}),
    )


def parts_of(
    kind: Kind, severity: str, payload: Mapping[str, Any], carried: Sequence[Part]
) -> list[Part]:
    """What a notification says: itself, unless it only carries, and what it carries."""
    return [Part(kind, severity, payload), *carried] if "trigger" in payload else list(carried)


def say(
    kind: Kind, severity: str, payload: Mapping[str, Any], parts: Sequence[Part]
) -> tuple[str, list[str], str]:
    """Title, lines and the worst severity of a message made of these parts."""
    if not parts:
        title = str(payload.get("title", "Convex"))
        return title, [str(line) for line in payload.get("lines", ())], severity
    if len(parts) == 1:
        return headline(parts[0]), sentences(parts[0]), parts[0].severity
    lines = [f"{headline(part)}: {sentences(part)[0]}" for part in parts[:MOST_SHOWN]]
    if len(parts) > MOST_SHOWN:
        lines.append(f"… and {len(parts) - MOST_SHOWN} more.")
    worst = max((part.severity for part in parts), key=SEVERITIES.__getitem__)
    return _title_of_many(kind, parts), lines, worst


def headline(part: Part) -> str:
    """One line: what happened to what, and where."""
    trigger = part.trigger
    rule, where = str(trigger.get("rule", "")), str(trigger.get("framework_name", ""))
    text = f"{_VERBS.get(part.kind, 'Notice')}: {rule}"
    if part.kind in (Kind.FIRING, Kind.ESCALATION, Kind.REPEAT) and part.severity == "critical":
        text = f"Critical · {text}"
    return text if where.casefold() in rule.casefold() else f"{text} · {where}"


def sentences(part: Part) -> list[str]:
    """What a reader must know, most important first; never empty."""
    trigger, payload = part.trigger, part.payload
    said: list[str] = []
    opened = _read(trigger.get("opened_at"))
    at = _read(payload.get("at"))
    if part.kind is Kind.RESOLVED:
        why = _RESOLUTIONS.get(str(trigger.get("resolution")), "it ended")
        who = f", {payload['author']}" if payload.get("author") else ""
        span = f" after {minutes_and_seconds(at - opened)}" if opened and at else ""
        said.append(f"Resolved{span}: {why}{who}.")
    elif part.kind is Kind.ACKNOWLEDGED:
        said.append(f"Acknowledged by {payload.get('author') or 'a member'}.")
    elif part.kind is Kind.FLAPPING:
        said.append("It keeps changing between firing and resolved; further changes are counted.")
    elif part.kind is Kind.ESCALATION:
        said.append("Nobody has acknowledged it yet.")
    elif part.kind is Kind.REPEAT:
        said.append("It still fires.")
    reason = str(trigger.get("reason", ""))
    if reason and part.kind not in (Kind.RESOLVED, Kind.ACKNOWLEDGED):
        said.append(reason[:1].upper() + reason[1:])
    if payload.get("note"):
        said.append(f"“{payload['note']}”")
    if trigger.get("description") and part.kind in (Kind.FIRING, Kind.ESCALATION, Kind.REPEAT):
        said.append(str(trigger["description"]))
    return said or [_VERBS.get(part.kind, "Notice") + "."]


def facts(part: Part) -> list[tuple[str, str]]:
    """The figures of a trigger, as name and value."""
    trigger = part.trigger
    unit = f" {trigger['unit']}" if trigger.get("unit") else ""
    listed = [
        ("Framework", str(trigger.get("framework_name", ""))),
        ("Metric", str(trigger.get("metric", ""))),
        ("Value", number(trigger.get("value")) + unit if trigger.get("value") is not None else ""),
        (
            "Threshold",
            number(trigger.get("threshold")) + unit if trigger.get("threshold") is not None else "",
        ),
        ("Severity", str(trigger.get("severity", ""))),
        ("Labels", ", ".join(f"{k}={v}" for k, v in sorted(trigger.get("labels", {}).items()))),
    ]
    for name, key in (("Opened", "opened_at"), ("Resolved", "resolved_at")):
        moment = _read(trigger.get(key))
        listed.append((name, f"{moment:%d %b %Y %H:%M:%S} UTC" if moment else ""))
    return [(name, value) for name, value in listed if value]


def number(value: Any) -> str:
    """A figure with as many digits as help."""
    return f"{value:,.6g}" if isinstance(value, int | float) else str(value)


def _title_of_many(kind: Kind, parts: Sequence[Part]) -> str:
    rules = {str(part.trigger.get("rule", "")) for part in parts}
    where = {str(part.trigger.get("framework_name", "")) for part in parts}
    subject = rules.pop() if len(rules) == 1 else f"{len(rules)} rules"
    place = where.pop() if len(where) == 1 else f"{len(where)} frameworks"
    if kind is Kind.DIGEST:
        return f"Digest: {len(parts)} notifications · {subject} · {place}"
    word = _VERBS.get(kind, "Notice")
    critical = any(part.severity == "critical" for part in parts) and kind is not Kind.RESOLVED
    lead = "Critical · " if critical else ""
    return f"{lead}{word}: {len(parts)} × {subject} · {place}"


def _read(text: Any) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if isinstance(text, str) else None


def shorten(text: str, most: int) -> str:
    """At most that many characters, the cut marked."""
    return text if len(text) <= most else text[: most - 1] + "…"
