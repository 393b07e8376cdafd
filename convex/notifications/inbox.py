"""The in-app inbox: what was told there, unread or read, and its live events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson

from convex.db import Connection, Identity
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import NotFound
from convex.notifications.channels.message import Part, parts_of, say
from convex.notifications.model import Kind
from convex.notifications.snapshot import instant
from convex.notifications.store import Query

_APPEND = """
SELECT convex.append_live_events(
    %(workspace)s, %(frameworks)s::uuid[], array_fill('notification'::text, ARRAY[%(count)s]),
    ARRAY(
        SELECT e.value FROM jsonb_array_elements(%(data)s::jsonb) WITH ORDINALITY AS e (value, at)
        ORDER BY e.at
    ),
    %(recipients)s::uuid[]
) AS cursor
"""
_COLUMNS = (
    "n.id, n.workspace_id, n.recipient_id, n.trigger_id, n.kind, n.severity, n.payload,"
    " n.created_at, n.delivered_at, n.read_at"
)
_TOLD = """
    n.workspace_id = %(workspace)s AND n.recipient_id = %(user)s AND n.channel_kind = 'in_app'
    AND n.state = 'delivered'
"""
_LIST = f"""
SELECT {_COLUMNS} FROM convex.alert_notifications AS n
WHERE {_TOLD}
    AND (NOT %(unread)s OR n.read_at IS NULL)
    AND (%(before_at)s::timestamptz IS NULL
        OR (n.created_at, n.id) < (%(before_at)s::timestamptz, %(before_id)s::uuid))
ORDER BY n.created_at DESC, n.id DESC
LIMIT %(limit)s
"""
_CARRIED = """
SELECT n.carried_by, n.kind, n.severity, n.payload FROM convex.alert_notifications AS n
WHERE n.carried_by = ANY (%s) ORDER BY n.created_at, n.transition_id
"""
_UNREAD = f"SELECT count(*) AS unread FROM convex.alert_notifications AS n WHERE {_TOLD}"
_READ = f"""
UPDATE convex.alert_notifications AS n
SET read_at = %(now)s, updated_at = %(now)s
WHERE {_TOLD} AND n.read_at IS NULL AND (%(id)s::uuid IS NULL OR n.id = %(id)s)
RETURNING n.id
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A notification in somebody's inbox; `carried` is what it says besides its own."""

    id: UUID
    workspace_id: UUID
    recipient_id: UUID
    framework_id: UUID | None
    trigger_id: UUID | None
    kind: Kind
    severity: str
    payload: Mapping[str, Any]
    created_at: datetime
    read_at: datetime | None
    carried: Sequence[Part] = ()


def describe(entry: Entry) -> dict[str, Any]:
    """An entry as the API and the live stream show it."""
    parts = parts_of(entry.kind, entry.severity, entry.payload, entry.carried)
    title, lines, severity = say(entry.kind, entry.severity, entry.payload, parts)
    return {
        "id": str(entry.id),
        "trigger_id": None if entry.trigger_id is None else str(entry.trigger_id),
        "kind": entry.kind.value,
        "title": title,
        "body": "\n".join(lines),
        "severity": severity,
        "created_at": instant(entry.created_at),
        "read_at": instant(entry.read_at),
    }


def event_queries(entries: Iterable[Entry]) -> dict[UUID, Query]:
    """What appends live events for their recipients, by workspace; each answers with a cursor.

    To be asked last, and in this order, so that two flows cannot lock crosswise.
    """
    by_workspace: dict[UUID, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_workspace[entry.workspace_id].append(entry)
    return {
        workspace_id: (
            _APPEND,
            {
                "workspace": workspace_id,
                "frameworks": [one.framework_id for one in by_workspace[workspace_id]],
                "count": len(by_workspace[workspace_id]),
                "data": orjson.dumps(
                    [describe(one) for one in by_workspace[workspace_id]]
                ).decode(),
                "recipients": [one.recipient_id for one in by_workspace[workspace_id]],
            },
        )
        for workspace_id in sorted(by_workspace)
    }


async def append_events(connection: Connection, entries: Iterable[Entry]) -> dict[UUID, int]:
    """Live events for their recipients; the newest cursor by workspace. Call it last."""
    cursors: dict[UUID, int] = {}
    for workspace_id, (statement, parameters) in event_queries(entries).items():
        cursor = await connection.execute(cast("Any", statement), parameters)
        row = await cursor.fetchone()
        assert row is not None
        cursors[workspace_id] = row["cursor"]
    return cursors


async def list_entries(
    connection: Connection,
    identity: Identity,
    *,
    unread: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Entry]:
    """The acting member's inbox, newest first."""
    key = decode_cursor(cursor, datetime, UUID)
    rows = await (
        await connection.execute(
            _LIST,
            {
                "workspace": identity.workspace_id,
                "user": identity.user_id,
                "unread": unread,
                "before_at": key and key[0],
                "before_id": key and key[1],
                "limit": limit + 1,
            },
        )
    ).fetchall()
    page = rows[:limit]
    digests = [row["id"] for row in page if row["kind"] == Kind.DIGEST]
    carried: dict[UUID, list[Part]] = defaultdict(list)
    if digests:
        async for row in await connection.execute(_CARRIED, (digests,)):
            carried[row["carried_by"]].append(
                Part(Kind(row["kind"]), row["severity"], row["payload"])
            )
    entries = [
        Entry(
            id=row["id"],
            workspace_id=row["workspace_id"],
            recipient_id=row["recipient_id"],
            framework_id=None,
            trigger_id=row["trigger_id"],
            kind=Kind(row["kind"]),
            severity=row["severity"],
            payload=row["payload"],
            created_at=row["created_at"],
            read_at=row["read_at"],
            carried=carried[row["id"]],
        )
        for row in page
    ]
    more = len(rows) > limit
    return Page(entries, encode_cursor(page[-1]["created_at"], page[-1]["id"]) if more else None)


async def count_unread(connection: Connection, identity: Identity) -> int:
    """How many entries of the acting member's inbox are unread."""
    row = await (
        await connection.execute(_UNREAD + " AND n.read_at IS NULL", _acting(identity))
    ).fetchone()
    assert row is not None
    return int(row["unread"])


async def mark_read(
    connection: Connection, identity: Identity, notification_id: UUID, now: datetime
) -> None:
    """Mark one entry as read; without effect when it is. Raises `NotFound`."""
    parameters = {**_acting(identity), "id": notification_id, "now": now}
    cursor = await connection.execute(_READ, parameters)
    if cursor.rowcount == 0:
        known = await connection.execute(
            f"SELECT 1 FROM convex.alert_notifications AS n WHERE {_TOLD} AND n.id = %(id)s",
            parameters,
        )
        if await known.fetchone() is None:
            raise NotFound("There is no such notification in your inbox.", id=str(notification_id))


async def mark_all_read(connection: Connection, identity: Identity, now: datetime) -> int:
    """Mark everything in the acting member's inbox as read; how many were unread."""
    cursor = await connection.execute(_READ, {**_acting(identity), "id": None, "now": now})
    return cursor.rowcount


def _acting(identity: Identity) -> dict[str, UUID | None]:
    return {"workspace": identity.workspace_id, "user": identity.user_id}
