"""Inboxes need no network: what is due there is claimed, told, logged and shown live at once.

What a notification says in the inbox is written beside it when it is planned (`said` in its
payload), so that telling it later is one statement that never leaves PostgreSQL. Digests and
notices, whose words are known only then, go the longer way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from convex.db import SYSTEM, Connection, Database
from convex.notifications import inbox
from convex.notifications.channels.message import parts_of, say
from convex.notifications.model import Kind
from convex.notifications.outbox import carried_parts, may_carry
from convex.telemetry.metrics import notifications

AT_ONCE = 500

_TOLD = """
told AS (
    UPDATE convex.alert_notifications AS n
    SET state = 'delivered', delivered_at = %(now)s, attempts = n.attempts + 1,
        updated_at = %(now)s
    WHERE n.id = ANY (ARRAY(
        SELECT n.id FROM convex.alert_notifications AS n
        WHERE n.state = 'due' AND n.due_at <= %(now)s AND n.channel_kind = 'in_app'
            AND {which}
        ORDER BY n.due_at
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING n.id, n.workspace_id, n.recipient_id, n.trigger_id, n.kind, n.severity, n.payload,
        n.created_at, n.attempts, n.due_at, n.group_key
),
logged AS (
    INSERT INTO convex.notification_deliveries (
        workspace_id, notification_id, attempt, started_at, finished_at, outcome
    )
    SELECT workspace_id, id, attempts, %(now)s, %(now)s, 'delivered' FROM told
)
"""
# Events are appended in the order of workspaces, so that two flows cannot lock crosswise.
PREPARED = f"""
WITH {_TOLD.format(which="n.payload ? 'said'")},
said AS (
    SELECT workspace_id, count(*)::integer AS rows_told,
        array_agg((payload -> 'trigger' ->> 'framework_id')::uuid ORDER BY due_at, id)
            AS frameworks,
        array_agg(jsonb_build_object(
            'id', id, 'trigger_id', trigger_id, 'kind', kind,
            'title', payload -> 'said' -> 'title', 'body', payload -> 'said' -> 'body',
            'severity', severity, 'read_at', NULL,
            'created_at',
            to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        ) ORDER BY due_at, id) AS entries,
        array_agg(recipient_id ORDER BY due_at, id) AS recipients
    FROM told GROUP BY workspace_id
)
SELECT workspace_id, rows_told, convex.append_live_events(
    workspace_id, frameworks, array_fill('notification'::text, ARRAY[rows_told]), entries,
    recipients
) AS cursor
FROM said ORDER BY workspace_id
"""
_OTHERS = f"""
WITH {_TOLD.format(which="NOT n.payload ? 'said'")}
SELECT * FROM told ORDER BY due_at, id
"""


def words_for(kind: Kind, severity: str, payload: Mapping[str, Any]) -> dict[str, str]:
    """What the inbox will say of this notification, to be kept in its payload as `said`."""
    title, lines, _ = say(kind, severity, payload, parts_of(kind, severity, payload, ()))
    return {"title": title, "body": "\n".join(lines)}


async def tell_prepared(database: Database, now: datetime) -> tuple[int, dict[UUID, int]]:
    """Tell a batch of what is due and has its words: how many, and the newest cursors.

    One round trip and a transaction of its own, as SYSTEM; the cursors can be announced.
    """
    parameters = {"now": now, "limit": AT_ONCE}
    rows = await database.write_at_once(SYSTEM, PREPARED, parameters)
    told = sum(row["rows_told"] for row in rows)
    _count(told)
    return told, {row["workspace_id"]: row["cursor"] for row in rows}


async def tell_others(connection: Connection, now: datetime) -> tuple[int, dict[UUID, int]]:
    """Tell a batch of what is due and has no words yet, in the caller's transaction."""
    cursor = await connection.execute(cast("Any", _OTHERS), {"now": now, "limit": AT_ONCE})
    rows = await cursor.fetchall()
    if not rows:
        return 0, {}
    carried = await carried_parts(connection, [row["id"] for row in rows if may_carry(row)])
    entries = [
        inbox.Entry(
            id=row["id"],
            workspace_id=row["workspace_id"],
            recipient_id=row["recipient_id"],
            framework_id=_framework(row["payload"]),
            trigger_id=row["trigger_id"],
            kind=Kind(row["kind"]),
            severity=row["severity"],
            payload=row["payload"],
            created_at=row["created_at"],
            read_at=None,
            carried=carried.get(row["id"], ()),
        )
        for row in rows
        if row["recipient_id"] is not None
    ]
    _count(len(rows))
    return len(rows), await inbox.append_events(connection, entries)


def is_full(told: int) -> bool:
    """Whether so many are a whole batch, so that there may be more."""
    return told >= AT_ONCE


def _count(told: int) -> None:
    if told:
        notifications.labels("in_app", "delivered").inc(told)


def _framework(payload: Mapping[str, Any]) -> UUID | None:
    identity = payload.get("trigger", {}).get("framework_id")
    return None if identity is None else UUID(identity)
