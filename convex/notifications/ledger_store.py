"""The SQL of planning on the ledger: what was told before, and the rows that a plan adds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
from psycopg.rows import DictRow

from convex.db import Connection
from convex.notifications.in_app import words_for
from convex.notifications.model import (
    Change,
    ChannelKind,
    Kind,
    Past,
    Planned,
    Reason,
    State,
    Target,
)
from convex.notifications.store import Query

_HISTORY_COLUMNS = """
    n.id, n.workspace_id, n.trigger_id, n.transition_id, coalesce(t.fingerprint, '') AS fingerprint,
    n.kind, n.recipient_id, n.channel_id, n.channel_kind, n.step, n.state, n.reason, n.severity,
    n.group_key, n.created_at, n.due_at, n.delivered_at, n.attempts, n.carried_by, n.explanation,
    coalesce(n.leased_until > %(now)s, false) AS leased
"""
# What was told about these triggers and about earlier episodes of the same; the messages of their
# groups; where a cap counts, all messages of the hour; and whoever carries or is carried by those.
_HISTORY = f"""
WITH episodes AS (
    SELECT e.id FROM convex.alert_triggers AS e
    INNER JOIN convex.alert_triggers AS t
        ON t.workspace_id = e.workspace_id AND t.fingerprint = e.fingerprint
    WHERE t.id = ANY (%(triggers)s)
        AND (e.id = t.id OR coalesce(e.resolved_at, e.opened_at) > %(now)s - interval '1 hour')
),
relevant AS (
    SELECT n.id, n.carried_by FROM convex.alert_notifications AS n
    WHERE n.trigger_id IN (SELECT episodes.id FROM episodes)
    UNION
    SELECT n.id, n.carried_by FROM convex.alert_notifications AS n
    WHERE n.workspace_id = ANY (%(workspaces)s) AND n.group_key = ANY (%(groups)s)
        AND n.group_key <> '' AND n.state IN ('due', 'delivered', 'failed')
        AND n.created_at > %(now)s - (
            SELECT make_interval(secs => least(86400, greatest(7200, max(group_interval_seconds))))
            FROM convex.notification_preferences WHERE workspace_id = ANY (%(workspaces)s)
        )
    UNION
    SELECT n.id, n.carried_by FROM convex.alert_notifications AS n
    WHERE n.state IN ('due', 'delivered', 'failed')
        AND n.created_at > %(now)s - interval '27 hours'
        AND n.workspace_id = ANY (ARRAY(
            SELECT workspace_id FROM convex.notification_preferences
            WHERE workspace_id = ANY (%(workspaces)s) AND max_per_hour IS NOT NULL
        ))
),
connected AS (
    SELECT relevant.id FROM relevant
    UNION
    SELECT relevant.carried_by FROM relevant WHERE relevant.carried_by IS NOT NULL
),
passengers AS (
    SELECT n.id FROM convex.alert_notifications AS n
    INNER JOIN convex.alert_notifications AS c ON c.id = n.carried_by AND c.state = 'due'
    WHERE n.carried_by IN (SELECT connected.id FROM connected)
)
SELECT {_HISTORY_COLUMNS}
FROM convex.alert_notifications AS n
LEFT JOIN convex.alert_triggers AS t ON t.id = n.trigger_id
WHERE n.id IN (SELECT connected.id FROM connected UNION SELECT passengers.id FROM passengers)
ORDER BY n.created_at, n.transition_id, n.id
"""
_HOLD = """
SELECT count(*) AS held FROM (
    SELECT n.id FROM convex.alert_notifications AS n
    INNER JOIN unnest(%(ids)s::uuid[], %(attempts)s::smallint[]) AS o (id, attempts) ON o.id = n.id
    WHERE n.state = 'due' AND n.attempts = o.attempts
        AND (n.leased_until IS NULL OR n.leased_until <= %(now)s)
    ORDER BY n.id
    FOR UPDATE OF n
) AS rows_held
"""
_INSERT = """
INSERT INTO convex.alert_notifications (
    id, workspace_id, trigger_id, transition_id, kind, recipient_id, channel_id, channel_kind,
    step, state, reason, explanation, severity, group_key, carried_by, idempotency_key, payload,
    due_at, delivered_at, attempts, lease_id, leased_until, created_at
)
SELECT r.id, r.workspace_id, r.trigger_id, r.transition_id, r.kind, r.recipient_id, r.channel_id,
    r.channel_kind, r.step, r.state, r.reason, r.explanation, r.severity, r.group_key,
    r.carried_by, r.idempotency_key, p.payload, r.due_at, r.delivered_at, r.attempts,
    r.lease_id, r.leased_until, %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
    id uuid, workspace_id uuid, trigger_id uuid, transition_id bigint, kind text,
    recipient_id uuid, channel_id uuid, channel_kind text, step smallint, state text, reason text,
    explanation text, severity text, group_key text, carried_by uuid, idempotency_key text,
    payload_number integer, due_at timestamptz, delivered_at timestamptz, attempts smallint,
    lease_id uuid, leased_until timestamptz
)
INNER JOIN jsonb_array_elements(%(payloads)s::jsonb) WITH ORDINALITY AS p (payload, number)
    ON p.number = r.payload_number
ON CONFLICT (workspace_id, idempotency_key) DO NOTHING
"""
_LOG_AT_ONCE = """
INSERT INTO convex.notification_deliveries (
    workspace_id, notification_id, attempt, started_at, finished_at, outcome
)
SELECT o.workspace_id, o.id, 1, %(now)s, %(now)s, 'delivered'
FROM unnest(%(workspace_id)s::uuid[], %(id)s::uuid[]) AS o (workspace_id, id)
"""
_CHANGE = """
UPDATE convex.alert_notifications AS n
SET state = o.state, reason = o.reason, explanation = o.explanation, due_at = o.due_at,
    carried_by = o.carried_by, leased_until = NULL, lease_id = NULL, updated_at = %(now)s
FROM unnest(
    %(id)s::uuid[], %(state)s::text[], %(reason)s::text[], %(explanation)s::text[],
    %(due_at)s::timestamptz[], %(carried_by)s::uuid[]
) AS o (id, state, reason, explanation, due_at, carried_by)
WHERE n.id = o.id
"""


def history_query(
    triggers: Iterable[UUID], workspaces: Sequence[UUID], groups: Iterable[str], now: datetime
) -> Query:
    """Asks for earlier notifications that bear on planning, oldest first."""
    return _HISTORY, {
        "triggers": list(triggers),
        "workspaces": list(workspaces),
        "groups": list(groups),
        "now": now,
    }


def read_history(rows: Sequence[DictRow]) -> dict[UUID, list[Past]]:
    """The answer to `history_query`, by workspace."""
    found: dict[UUID, list[Past]] = defaultdict(list)
    for row in rows:
        found[row["workspace_id"]].append(_past(row))
    return found


async def hold(connection: Connection, rows: Mapping[UUID, int], now: datetime) -> bool:
    """Lock due rows by id and number of attempts; False if a sender has got one meanwhile."""
    if not rows:
        return True
    parameters = {"ids": list(rows), "attempts": list(rows.values()), "now": now}
    found = await _fetch(connection, _HOLD, parameters)
    return bool(found[0]["held"] == len(rows))


@dataclass(frozen=True, slots=True)
class Lease:
    """Whose hands rows are given into when they are written, until when, and how many at most."""

    id: UUID
    until: datetime
    free: int


def save_queries(
    planned: Sequence[Planned],
    changes: Sequence[Change],
    now: datetime,
    *,
    lease: Lease | None = None,
    leased: Collection[UUID] = (),
) -> list[Query]:
    """What writes a plan; rows whose ids are in `leased` are in the hands of `lease` at once."""
    queries: list[Query] = []
    if planned:
        payloads: list[Mapping[str, Any]] = []
        numbers: dict[tuple[int, Kind | None], int] = {}
        rows: list[dict[str, Any]] = []
        # As JSON: PostgreSQL reads it faster than Python writes arrays of texts with quotes.
        for one in planned:
            later = _is_told_later(one)
            payload = (id(one.payload), one.kind if later else None)
            number = numbers.get(payload)
            if number is None:
                payloads.append(_with_words(one) if later else one.payload)
                number = numbers[payload] = len(payloads)
            rows.append(_as_json(one, number))
        if lease is not None:
            for one, row in zip(planned, rows, strict=True):
                if one.id in leased:
                    row |= {"lease_id": lease.id, "leased_until": lease.until, "attempts": 1}
        queries.append(
            (
                _INSERT,
                {
                    "now": now,
                    "rows": orjson.dumps(rows).decode(),
                    "payloads": orjson.dumps(payloads).decode(),
                },
            )
        )
        told = [one for one in planned if one.state is State.DELIVERED]
        if told:
            queries.append(
                (
                    _LOG_AT_ONCE,
                    {
                        "now": now,
                        "workspace_id": [one.workspace_id for one in told],
                        "id": [one.id for one in told],
                    },
                )
            )
    if changes:
        queries.append(
            (
                _CHANGE,
                {
                    "now": now,
                    "id": [one.id for one in changes],
                    "state": [one.state.value for one in changes],
                    "reason": [one.reason.value for one in changes],
                    "explanation": [one.explanation for one in changes],
                    "due_at": [one.due_at for one in changes],
                    "carried_by": [one.carried_by for one in changes],
                },
            )
        )
    return queries


def _is_told_later(one: Planned) -> bool:
    """Due in an inbox, with words that are known already."""
    in_app = one.state is State.DUE and one.target.kind is ChannelKind.IN_APP
    return in_app and one.kind is not Kind.DIGEST


def _with_words(one: Planned) -> Mapping[str, Any]:
    return {**one.payload, "said": words_for(one.kind, one.severity, one.payload)}


def _as_json(one: Planned, payload_number: int) -> dict[str, Any]:
    return {
        "id": one.id,
        "workspace_id": one.workspace_id,
        "trigger_id": one.trigger_id,
        "transition_id": one.transition_id,
        "kind": one.kind,
        "recipient_id": one.target.recipient,
        "channel_id": one.target.channel,
        "channel_kind": one.target.kind,
        "step": one.step,
        "state": one.state,
        "reason": one.reason,
        "explanation": one.explanation,
        "severity": one.severity,
        "group_key": one.group_key,
        "carried_by": one.carried_by,
        "idempotency_key": one.idempotency_key,
        "payload_number": payload_number,
        "due_at": one.due_at,
        "delivered_at": one.delivered_at,
        "attempts": int(one.state is State.DELIVERED),
    }


def _past(row: DictRow) -> Past:
    kind = row["channel_kind"]
    return Past(
        id=row["id"],
        trigger_id=row["trigger_id"],
        transition_id=row["transition_id"],
        fingerprint=row["fingerprint"],
        kind=Kind(row["kind"]),
        target=Target(row["recipient_id"], kind and ChannelKind(kind), row["channel_id"]),
        step=row["step"],
        state=State(row["state"]),
        reason=Reason(row["reason"]),
        severity=row["severity"],
        group_key=row["group_key"],
        created_at=row["created_at"],
        due_at=row["due_at"],
        delivered_at=row["delivered_at"],
        attempts=row["attempts"],
        leased=row["leased"],
        carried_by=row["carried_by"],
        explanation=row["explanation"],
    )


async def _fetch(
    connection: Connection, statement: str, parameters: Mapping[str, Any] | Sequence[Any]
) -> list[DictRow]:
    cursor = await connection.execute(cast("Any", statement), parameters)
    return await cursor.fetchall()
