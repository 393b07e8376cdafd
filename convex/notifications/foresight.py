"""Telling of predictions: only whom wants it (preference `predictions`, off for all at first).

A prediction takes the way of every notification: preferences, silences, quiet hours, the hourly
cap, the ledger, the outbox. It never shares a message and never escalates, and of the same thing
nobody is told again before the window that was told of is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg.rows import DictRow

from convex.db import Connection
from convex.notifications import context_store, inbox, ledger_store, store
from convex.notifications.book import Book
from convex.notifications.model import (
    SEVERITIES,
    ChannelKind,
    Kind,
    Plan,
    Reason,
    Situation,
    State,
    Trigger,
)
from convex.notifications.muting import refusal
from convex.notifications.preferences import Preferences
from convex.notifications.quiet_hours import quiet_until
from convex.notifications.routing import Route, Routing
from convex.notifications.scheduling import clock
from convex.notifications.service import Planning, entry_of
from convex.notifications.snapshot import instant

_SAID: Mapping[str, str] = {
    "next_alert": "An alert is expected",
    "anomaly_risk": "An anomaly is expected",
    "performance_issue": "A loss of performance is expected",
    "escalation_risk": "More alerts are expected",
}
_PREDICTIONS = """
SELECT p.id, p.kind, p.probability, p.confidence, p.risk_score, p.window_start, p.window_end,
    p.preventive_actions, p.framework_id, p.rule_id, p.series_id, f.slug AS framework,
    f.name AS framework_name, coalesce(r.name, '') AS rule_name,
    coalesce(r.severity, 'warning') AS severity, coalesce(r.type, 'threshold') AS type,
    coalesce(r.channels, '{}') AS channels, coalesce(r.tags, '{}') AS tags,
    coalesce(m.name, '') AS metric, coalesce(s.labels, '{}') AS labels
FROM convex.alert_predictions AS p
INNER JOIN convex.frameworks AS f ON f.id = p.framework_id
LEFT JOIN convex.alert_rules AS r ON r.id = p.rule_id
LEFT JOIN convex.metrics AS m ON m.id = r.metric_id
LEFT JOIN convex.series AS s ON s.id = p.series_id
WHERE p.workspace_id = %(workspace)s AND p.id = ANY (%(ids)s) AND p.window_end > %(now)s
ORDER BY p.risk_score DESC, p.id
"""
_TOLD = """
SELECT DISTINCT n.group_key FROM convex.alert_notifications AS n
WHERE n.workspace_id = %(workspace)s AND n.group_key = ANY (%(subjects)s)
    AND (n.payload -> 'prediction' ->> 'window_end')::timestamptz > %(now)s
"""


@dataclass(frozen=True, slots=True)
class Foresight:
    """A prediction that is to be told. `about` is what it says will fire, as a trigger."""

    id: UUID
    subject: str
    about: Trigger
    window_end: datetime
    payload: Mapping[str, Any]


async def notify_predictions(
    connection: Connection,
    workspace_id: UUID,
    prediction_ids: Sequence[UUID],
    now: datetime,
    *,
    email_works: bool,
) -> Planning:
    """Tell members who want it of these rows of `alert_predictions`, in the caller's transaction.

    The caller chooses those worth it (high confidence and risk). Calling again with the same ones,
    or with newer ones of the same thing within the window, tells nobody twice. `cursors` are to be
    announced after the commit; what goes elsewhere than to inboxes is then due.
    """
    parameters = {"workspace": workspace_id, "ids": list(prediction_ids), "now": now}
    rows = await (await connection.execute(_PREDICTIONS, parameters)).fetchall()
    found = [_read(row, workspace_id) for row in rows]
    subjects = [one.subject for one in found]
    told = await (await connection.execute(_TOLD, {**parameters, "subjects": subjects})).fetchall()
    known = {row["group_key"] for row in told}
    fresh = [one for one in found if one.subject not in known]
    if not fresh:
        return Planning()
    workspaces = [workspace_id]
    *around, past = await store.fetch_together(
        connection,
        [
            *context_store.context_queries(workspaces, now),
            ledger_store.history_query((), workspaces, (), now),
        ],
    )
    context = context_store.read_context(around, workspaces, now, email_works=email_works)
    situation = Situation(
        workspace_id=workspace_id,
        transitions=(),
        members=context.members.get(workspace_id, ()),
        defaults=context.defaults.get(workspace_id, Preferences()),
        channels=context.channels[workspace_id],
        history=ledger_store.read_history(past).get(workspace_id, ()),
        mutes=context.mutes.get(workspace_id, ()),
    )
    made = plan_predictions(situation, fresh, now)
    return await _save(connection, made, now)


def plan_predictions(situation: Situation, predictions: Sequence[Foresight], now: datetime) -> Plan:
    """Decide about predictions, the most severe first. Pure; one row for each target that wants."""
    book, routing = Book(situation.workspace_id, situation.history, now), Routing(situation)
    told: set[str] = set()
    for one in predictions:
        if one.subject in told:
            continue
        told.add(one.subject)
        for route in routing.routes(one.about):
            if route.preferences.predictions:
                state, reason, words, due = _decide(one, route, book, situation, now)
                book.add(
                    trigger_id=None,
                    fingerprint=one.subject,
                    episode=one.id,
                    transition="prediction",
                    kind=Kind.PREDICTION,
                    target=route.target,
                    state=state,
                    reason=reason,
                    explanation=words,
                    severity=one.about.severity,
                    payload=one.payload,
                    group_key=one.subject,
                    due_at=due,
                )
    return book.outcome()


def _decide(
    one: Foresight, route: Route, book: Book, situation: Situation, now: datetime
) -> tuple[State, Reason, str, datetime | None]:
    wishes = route.preferences
    withheld: tuple[Reason, str] | None = None
    if route.fault:
        withheld = Reason.NO_CHANNEL, route.fault
    elif SEVERITIES[one.about.severity] < SEVERITIES[wishes.min_severity]:
        words = f"It would be {one.about.severity}; {wishes.min_severity} is wanted at least."
        withheld = Reason.BELOW_SEVERITY, words
    else:
        withheld = refusal(one.about, now, situation.mutes, (), ())
    quiet = quiet_until(wishes.quiet_hours, now) if wishes.quiet_hours else None
    due = quiet or now
    if withheld is None and due >= one.window_end:
        withheld = Reason.EXPIRED, "Its window ends within the quiet hours."
    cap = wishes.max_per_hour
    if withheld is None and cap and len(book.messages_before(route.target, due)) >= cap:
        words = f"More than {cap} an hour; predictions are on their page."
        withheld = Reason.OVER_HOURLY_CAP, words
    if withheld is not None:
        return State.WITHHELD, *withheld, None
    if quiet and wishes.quiet_hours:
        words = f"Quiet hours until {clock(quiet, wishes.quiet_hours.zone)}; told then."
        return State.DUE, Reason.DEFERRED_QUIET_HOURS, words, due
    at_once = route.target.kind is ChannelKind.IN_APP
    words = "Predictions are wanted here; told at once."
    return State.DELIVERED if at_once else State.DUE, Reason.SENT, words, due


async def _save(connection: Connection, made: Plan, now: datetime) -> Planning:
    new = made.notifications
    told = [one for one in new if one.state is State.DELIVERED]
    events = inbox.event_queries(entry_of(one, now) for one in told)
    answers = await store.send_together(
        connection, ledger_store.save_queries(new, (), now), list(events.values())
    )
    cursors = {
        workspace_id: rows[0]["cursor"] for workspace_id, rows in zip(events, answers, strict=True)
    }
    due = sum(one.state is State.DUE for one in new)
    return Planning(written=len(new), told_at_once=len(told), due_now=due, cursors=cursors)


def _read(row: DictRow, workspace_id: UUID) -> Foresight:
    subject = f"prediction:{row['kind']}:{row['rule_id'] or row['framework_id']}:{row['series_id']}"
    what = row["rule_name"] or row["framework_name"]
    said = _SAID.get(row["kind"], "Something is expected")
    sentence = (
        f"{said} with a probability of {row['probability']:.0f} % between"
        f" {_clock(row['window_start'])} and {_clock(row['window_end'])} UTC"
        f" (confidence {row['confidence']}, risk {row['risk_score']:.0f} of 100)."
    )
    lines = [sentence, *(f"You could: {one}" for one in _actions(row["preventive_actions"]))]
    about = Trigger(
        id=row["id"],
        workspace_id=workspace_id,
        fingerprint=subject,
        rule_id=row["rule_id"],
        rule_name=row["rule_name"],
        framework_id=row["framework_id"],
        framework=row["framework"],
        framework_name=row["framework_name"],
        metric=row["metric"],
        type=row["type"],
        severity=row["severity"],
        state="firing",
        value=None,
        threshold=None,
        reason=sentence,
        opened_at=row["window_start"],
        labels=row["labels"],
        tags=tuple(row["tags"]),
        channels=tuple(row["channels"]),
    )
    return Foresight(
        id=row["id"],
        subject=subject,
        about=about,
        window_end=row["window_end"],
        payload={
            "title": f"{said}: {what}"
            + (f" · {row['framework_name']}" if row["framework_name"] not in what else ""),
            "lines": lines,
            "prediction": {
                "id": str(row["id"]),
                "kind": row["kind"],
                "framework_id": str(row["framework_id"]),
                "rule_id": row["rule_id"] and str(row["rule_id"]),
                "probability": row["probability"],
                "confidence": row["confidence"],
                "risk_score": row["risk_score"],
                "window_start": instant(row["window_start"]),
                "window_end": instant(row["window_end"]),
            },
        },
    )


def _actions(stored: Sequence[Any]) -> list[str]:
    """At most three; an action is a sentence, or an object that has one."""
    found: list[str] = []
    for one in stored[:3]:
        text = one.get("action") or one.get("title") or "" if isinstance(one, dict) else one
        if text:
            found.append(str(text))
    return found


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%d %b %H:%M}"
