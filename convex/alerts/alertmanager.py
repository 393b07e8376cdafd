"""Alertmanager's words: what it, or a Prometheus in its place, says as reports; what stands here as
it would show it. Pure but for looking up frameworks.

An alert is its labels: they name it, wherever it came from, so the same alert by a webhook and by
the API is one trigger. `endsAt` in the past resolves, in the future says until when the word holds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from convex.alerts.external import Report, Source
from convex.alerts.matchers import match_all
from convex.alerts.model import Matcher, Operator, Severity, Trigger
from convex.alerts.present import instant_json
from convex.alerts.silences import Silence
from convex.db import Connection
from convex.errors import InvalidInput
from convex.metrics.mapping import NAME, MappingRule, name_series
from convex.metrics.model import Labels
from convex.metrics.store import framework_ids

RESOLVE_TIMEOUT = timedelta(minutes=5)  # as Alertmanager's own default
_MOST_ALERTS, _MOST_LABELS, _LONGEST = 10_000, 60, 2000
_SEVERITIES = {
    Severity.CRITICAL: ("critical", "crit", "page", "error", "high", "emergency", "fatal", "p1"),
    Severity.WARNING: ("warning", "warn", "medium", "ticket", "p2"),
    Severity.INFO: ("info", "information", "none", "low", "notice", "debug", "p3", "p4", "p5"),
}
_SEVERITY = {word: severity for severity, words in _SEVERITIES.items() for word in words}
_MATCHER = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_.]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)


def read_alerts(alerts: object, now: datetime) -> list[Report]:
    """The body of POST /api/v2/alerts. Raises `InvalidInput`, naming the alert."""
    if not isinstance(alerts, list) or len(alerts) > _MOST_ALERTS:
        raise InvalidInput(f"The body is a list of at most {_MOST_ALERTS} alerts.")
    reports = []
    for number, alert in enumerate(alerts):
        read = _read(alert, str(number))
        ends = _instant(alert.get("endsAt"), f"{number}.endsAt")
        if ends is not None and ends <= now:
            reports.append(replace(read, firing=False, ended_at=ends))
        else:
            reports.append(replace(read, expires_at=ends or now + RESOLVE_TIMEOUT))
    return reports


def read_webhook(body: object) -> list[Report]:
    """A notification of an Alertmanager (version 4). It repeats what fires only every few hours and
    says when it ends, so no report expires. Raises `InvalidInput`.
    """
    if not isinstance(body, dict) or not isinstance(body.get("alerts"), list):
        raise InvalidInput("The body is an Alertmanager's notification: an object with alerts.")
    if body.get("version", "4") != "4":
        raise InvalidInput(
            f"Version {body['version']!r} is not read here; it is 4.", field="version"
        )
    if len(body["alerts"]) > _MOST_ALERTS:
        raise InvalidInput(f"At most {_MOST_ALERTS} alerts at once.", field="alerts")
    reports = []
    for number, alert in enumerate(body["alerts"]):
        read = _read(alert, f"alerts.{number}")
        context = {
            **read.context,
            **{name: body[name] for name in ("receiver", "externalURL") if _text(body.get(name))},
        }
        if alert.get("status") == "resolved":
            ends = _instant(alert.get("endsAt"), f"alerts.{number}.endsAt")
            reports.append(replace(read, firing=False, ended_at=ends, context=context))
        else:
            reports.append(replace(read, context=context))
    return reports


async def place(
    connection: Connection,
    workspace_id: UUID,
    reports: Sequence[Report],
    rules: Sequence[MappingRule],
) -> list[Report]:
    """The reports with the framework that their labels name, where there is one."""
    named = {}
    for number, one in enumerate(reports):
        name = name_series({**one.labels, NAME: one.name}, rules)
        if name is not None:
            named[number] = name.framework
    ids = await framework_ids(connection, workspace_id, set(named.values()))
    return [
        replace(one, framework_id=ids.get(named.get(number, "")))
        for number, one in enumerate(reports)
    ]


def _read(alert: object, where: str) -> Report:
    if not isinstance(alert, dict):
        raise InvalidInput("An alert is an object.", field=where)
    labels = _texts(alert.get("labels"), f"{where}.labels")
    if not labels:
        raise InvalidInput("An alert has at least one label.", field=f"{where}.labels")
    annotations = _texts(alert.get("annotations"), f"{where}.annotations")
    reason = next(
        (
            annotations[name]
            for name in ("summary", "message", "description")
            if name in annotations
        ),
        "",
    )
    context: dict[str, Any] = {"annotations": annotations}
    for name in ("generatorURL", "fingerprint"):
        if text := _text(alert.get(name)):
            context[name] = text
    return Report(
        source=Source.ALERTMANAGER,
        name=labels.get("alertname", "alert"),
        labels=labels,
        severity=_SEVERITY.get(labels.get("severity", "").lower(), Severity.WARNING),
        reason=reason,
        since=_instant(alert.get("startsAt"), f"{where}.startsAt"),
        context=context,
    )


def _texts(given: object, where: str) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > _MOST_LABELS:
        raise InvalidInput(f"An object of at most {_MOST_LABELS} texts.", field=where)
    for name, value in given.items():
        if not isinstance(value, str) or len(value) > 10 * _LONGEST or len(name) > _LONGEST:
            raise InvalidInput(f"{name[:50]!r} is no text, or too long.", field=where)
    return {
        name.replace("\0", ""): value.replace("\0", "")[:_LONGEST]
        for name, value in given.items()
        if value
    }


def _text(given: object) -> str:
    return given.replace("\0", "")[:_LONGEST] if isinstance(given, str) else ""


def _instant(given: object, where: str) -> datetime | None:
    """None for none, and for Go's zero time."""
    if given is None:
        return None
    try:
        if not isinstance(given, str):
            raise ValueError
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise InvalidInput(f"{str(given)[:40]!r} is no RFC 3339 time.", field=where) from None
    if moment.year < 1970:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def labels_of(trigger: Trigger) -> dict[str, str]:
    """A trigger's labels as an alert of it would have them."""
    return {
        "framework": trigger.framework,
        "severity": trigger.severity.value,
        **({"metric": trigger.metric} if trigger.metric else {}),
        "alertname": trigger.rule_name,
        **trigger.labels,
    }


def fingerprint(labels: Labels) -> str:
    """Sixteen hexadecimal digits that stand for the labels."""
    said = "\0".join(f"{name}\0{value}" for name, value in sorted(labels.items()))
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


def alert_json(trigger: Trigger, silences: Iterable[Silence]) -> dict[str, Any]:
    """An open trigger as GET /api/v2/alerts shows it."""
    labels = labels_of(trigger)
    seen = {**labels, "rule": trigger.rule_name, "type": trigger.type.value}
    muted = [str(one.id) for one in silences if match_all(one.matchers, seen)]
    said = trigger.context.get("annotations")
    annotations = dict(said) if isinstance(said, Mapping) else {}
    annotations.setdefault("summary", trigger.reason)
    ends = trigger.context.get("expires_at") or instant_json(trigger.last_seen_at + RESOLVE_TIMEOUT)
    return {
        "labels": labels,
        "annotations": annotations,
        "startsAt": instant_json(trigger.opened_at),
        "endsAt": ends,
        "updatedAt": instant_json(trigger.updated_at),
        "generatorURL": str(trigger.context.get("generatorURL", "")),
        "fingerprint": fingerprint(labels),
        "receivers": [{"name": "convex"}],
        "status": {
            "state": "suppressed" if muted else "active",
            "silencedBy": muted,
            "inhibitedBy": [],
        },
    }


def silence_json(silence: Silence, now: datetime) -> dict[str, Any]:
    """A silence as GET /api/v2/silences shows it."""
    return {
        "id": str(silence.id),
        "status": {"state": silence.state(now)},
        "updatedAt": instant_json(silence.updated_at),
        "startsAt": instant_json(silence.starts_at),
        "endsAt": instant_json(silence.ends_at),
        "createdBy": silence.author.name if silence.author else "",
        "comment": silence.reason,
        "matchers": [
            {
                "name": "alertname" if one.label == "rule" else one.label,
                "value": one.value,
                "isRegex": one.operator in (Operator.MATCHES, Operator.MATCHES_NOT),
                "isEqual": one.operator in (Operator.MATCHES, Operator.EQUAL),
            }
            for one in silence.matchers
        ],
    }


def read_filters(texts: Iterable[str]) -> list[Matcher]:
    """Matchers as amtool writes them: name, operator, a value that may be quoted. Raises
    `InvalidInput`.
    """
    found = []
    for text in texts:
        read = _MATCHER.fullmatch(text.strip().strip("{}"))
        if read is None:
            raise InvalidInput(f"{text[:100]!r} is no matcher.", parameter="filter")
        name, operator, value = read.groups()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        found.append(Matcher(name, Operator(operator), value))
    return found


def read_matchers(given: object) -> list[Matcher]:
    """The matchers of a silence that is posted. Raises `InvalidInput`."""
    if not isinstance(given, list):
        raise InvalidInput("matchers is a list.", field="matchers")
    found = []
    for number, one in enumerate(given):
        if not isinstance(one, dict) or not all(
            isinstance(one.get(name), str) for name in ("name", "value")
        ):
            raise InvalidInput("A matcher has a name and a value.", field=f"matchers.{number}")
        regex, equal = one.get("isRegex", False), one.get("isEqual", True)
        operator = (
            (Operator.MATCHES if equal else Operator.MATCHES_NOT)
            if regex
            else (Operator.EQUAL if equal else Operator.NOT_EQUAL)
        )
        # What others call alertname is the rule's name here, for alerts of theirs as well.
        name = "rule" if one["name"] == "alertname" else one["name"]
        found.append(Matcher(name, operator, one["value"]))
    return found
