"""The ledger: why was I, or was I not, told? A row for each transition, recipient, channel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from psycopg.rows import DictRow

from convex.db import Connection, Identity
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.notifications.model import Kind, Reason, State
from convex.notifications.snapshot import instant

_LIST = """
SELECT n.id, n.trigger_id, n.transition_id, n.kind, n.recipient_id, u.name AS recipient_name,
    coalesce(c.name, n.channel_kind) AS channel, n.channel_kind, n.step, n.state, n.reason,
    n.explanation, n.due_at, n.delivered_at, n.attempts, n.last_error, n.severity, n.created_at,
    n.carried_by, k.state AS carrier_state, k.delivered_at AS carrier_delivered_at,
    k.due_at AS carrier_due_at, k.last_error AS carrier_error
FROM convex.alert_notifications AS n
LEFT JOIN convex.users AS u ON u.id = n.recipient_id
LEFT JOIN convex.channels AS c ON c.id = n.channel_id
LEFT JOIN convex.alert_notifications AS k ON k.id = n.carried_by
WHERE n.workspace_id = %(workspace)s
    AND (%(trigger)s::uuid IS NULL OR n.trigger_id = %(trigger)s)
    AND (%(member)s::uuid IS NULL OR n.recipient_id = %(member)s)
    AND (%(state)s::text IS NULL OR n.state = %(state)s)
    AND (%(reason)s::text IS NULL OR n.reason = %(reason)s)
    AND (%(id)s::uuid IS NULL OR n.id = %(id)s)
    AND (%(before_at)s::timestamptz IS NULL
        OR (n.created_at, n.id) < (%(before_at)s::timestamptz, %(before_id)s::uuid))
ORDER BY n.created_at DESC, n.id DESC
LIMIT %(limit)s
"""
_DELIVERIES = """
SELECT notification_id, attempt, started_at, finished_at, outcome, status_code, error
FROM convex.notification_deliveries
WHERE notification_id = ANY (%s) ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Filters:
    """What to look for; None: anything."""

    trigger_id: UUID | None = None
    member_id: UUID | None = None
    state: State | None = None
    reason: Reason | None = None
    notification_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger with its attempts."""

    row: Mapping[str, Any]
    deliveries: Sequence[Mapping[str, Any]]


async def list_entries(
    connection: Connection,
    identity: Identity,
    filters: Filters,
    *,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Entry]:
    """The newest first, as far as the identity may see them."""
    key = decode_cursor(cursor, datetime, UUID)
    parameters = {
        "workspace": identity.workspace_id,
        "trigger": filters.trigger_id,
        "member": filters.member_id,
        "state": filters.state and filters.state.value,
        "reason": filters.reason and filters.reason.value,
        "id": filters.notification_id,
        "before_at": key and key[0],
        "before_id": key and key[1],
        "limit": limit + 1,
    }
    rows = await (await connection.execute(cast("Any", _LIST), parameters)).fetchall()
    page = rows[:limit]
    deliveries: dict[UUID, list[DictRow]] = defaultdict(list)
    ids = list({row["carried_by"] or row["id"] for row in page})
    async for row in await connection.execute(_DELIVERIES, (ids,)):
        deliveries[row["notification_id"]].append(row)
    entries = [Entry(row, deliveries[row["carried_by"] or row["id"]]) for row in page]
    more = len(rows) > limit
    return Page(entries, encode_cursor(page[-1]["created_at"], page[-1]["id"]) if more else None)


def describe(entry: Entry) -> dict[str, Any]:
    """A row as the API shows it; `explanation` is the whole answer in words."""
    row = entry.row
    recipient = None
    if row["recipient_id"] is not None:
        recipient = {"id": str(row["recipient_id"]), "name": row["recipient_name"]}
    return {
        "id": str(row["id"]),
        "trigger_id": row["trigger_id"] and str(row["trigger_id"]),
        "transition_id": row["transition_id"],
        "kind": row["kind"],
        "recipient": recipient,
        "channel": row["channel"],
        "channel_kind": row["channel_kind"],
        "step": row["step"],
        "state": row["state"],
        "reason": row["reason"],
        "severity": row["severity"],
        "explanation": explain(row),
        "due_at": instant(row["due_at"]),
        "delivered_at": instant(row["delivered_at"] or row["carrier_delivered_at"]),
        "attempts": row["attempts"],
        "last_error": row["last_error"],
        "carried_by": row["carried_by"] and str(row["carried_by"]),
        "created_at": instant(row["created_at"]),
        "deliveries": [
            {
                "attempt": one["attempt"],
                "started_at": instant(one["started_at"]),
                "finished_at": instant(one["finished_at"]),
                "outcome": one["outcome"],
                "status_code": one["status_code"],
                "error": one["error"],
            }
            for one in entry.deliveries
        ],
    }


def explain(row: Mapping[str, Any]) -> str:
    """Why it was, or was not, told, in a few sentences."""
    state = State(row["state"])
    who = row["recipient_name"] or ("Somebody" if row["recipient_id"] else "The workspace")
    what = _WHAT[Kind(row["kind"])]
    by = f" by {row['channel']}" if row["channel"] else ""
    words = str(row["explanation"])
    if state is State.DELIVERED:
        tries = f" after {row['attempts']} attempts" if row["attempts"] > 1 else ""
        return f"{who} was told of {what}{by} at {_clock(row['delivered_at'])}{tries}. {words}"
    if state is State.FAILED:
        return (
            f"{who} was not told of {what}{by}: {row['attempts']} attempts have failed, the last"
            f" with “{row['last_error'] or 'no answer'}”. {words}"
        )
    if state is State.WITHHELD:
        return f"{who} was not told of {what}{by}. {words}"
    if state is State.CARRIED:
        return f"{_carried(row, who, what, by)} {words}"
    if row["attempts"]:
        return (
            f"{who} is to be told of {what}{by}; {row['attempts']} attempts have not succeeded"
            f" (“{row['last_error'] or 'no answer yet'}”), the next is at {_clock(row['due_at'])}."
            f" {words}"
        )
    return f"{who} is to be told of {what}{by} at {_clock(row['due_at'])}. {words}"


def _carried(row: Mapping[str, Any], who: str, what: str, by: str) -> str:
    carrier = row["carrier_state"]
    if carrier == State.DELIVERED:
        told_at = _clock(row["carrier_delivered_at"])
        return f"{who} was told of {what}{by}, in one message with others, at {told_at}."
    if carrier == State.FAILED:
        return (
            f"{who} was not told of {what}{by}: the message that said it has failed"
            f" (“{row['carrier_error'] or 'no answer'}”)."
        )
    due = _clock(row["carrier_due_at"])
    return f"{who} is to be told of {what}{by}, in one message with others, at {due}."


_WHAT = {
    Kind.FIRING: "the firing",
    Kind.RESOLVED: "the resolve",
    Kind.ACKNOWLEDGED: "the acknowledgement",
    Kind.ESCALATION: "the escalation",
    Kind.REPEAT: "the repeat",
    Kind.FLAPPING: "the flapping",
    Kind.DIGEST: "what was over the cap",
    Kind.TEST: "a test",
    Kind.PREDICTION: "a prediction",
    Kind.NOTICE: "a notice",
}


def _clock(moment: datetime | None) -> str:
    return "some time" if moment is None else f"{moment:%d %b %H:%M:%S} UTC"
