"""Whether transitions, notifications and deliveries add up; owners hear of it when they don't.

What is looked for cannot happen as far as the rest of this package knows. That is the point.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import orjson

from convex.db import Connection

LOOK_BACK = timedelta(days=2)
_PATIENCE = timedelta(minutes=15)

_CHECKS: Mapping[str, str] = {
    "A transition was not planned": """
        SELECT x.workspace_id, count(*) AS rows_found, min(x.trigger_id::text) AS example
        FROM convex.trigger_transitions AS x
        INNER JOIN convex.alert_triggers AS t ON t.id = x.trigger_id AND NOT t.historical
        WHERE x.kind IN ('opened', 'reopened', 'resolved', 'acknowledged', 'flapping')
            AND x.created_at BETWEEN %(since)s AND %(late)s
            AND NOT EXISTS (
                SELECT 1 FROM convex.alert_notifications AS n WHERE n.trigger_id = x.trigger_id
                    AND n.transition_id = x.id
            )
            AND EXISTS (
                SELECT 1 FROM convex.members AS m
                INNER JOIN convex.users AS u ON u.id = m.user_id
                WHERE m.workspace_id = x.workspace_id AND m.created_at < x.created_at
                    AND u.disabled_at IS NULL
            )
        GROUP BY x.workspace_id
    """,
    "A notification is carried by none that is sent": """
        SELECT n.workspace_id, count(*) AS rows_found, min(n.trigger_id::text) AS example
        FROM convex.alert_notifications AS n
        LEFT JOIN convex.alert_notifications AS c ON c.id = n.carried_by
        WHERE n.state = 'carried' AND n.created_at > %(since)s
            AND (c.id IS NULL OR c.state IN ('withheld', 'carried'))
        GROUP BY n.workspace_id
    """,
    "A notification is overdue": """
        SELECT n.workspace_id, count(*) AS rows_found, min(n.trigger_id::text) AS example
        FROM convex.alert_notifications AS n
        LEFT JOIN convex.channels AS c ON c.id = n.channel_id
        WHERE n.state = 'due' AND n.due_at < %(late)s
            AND (n.leased_until IS NULL OR n.leased_until < %(late)s)
            AND coalesce(c.circuit_open_until, %(late)s) <= %(late)s
        GROUP BY n.workspace_id
    """,
    "A notification is called delivered without a delivery": """
        SELECT n.workspace_id, count(*) AS rows_found, min(n.trigger_id::text) AS example
        FROM convex.alert_notifications AS n
        WHERE n.state = 'delivered' AND n.created_at > %(since)s
            AND NOT EXISTS (
                SELECT 1 FROM convex.notification_deliveries AS d
                WHERE d.notification_id = n.id AND d.outcome = 'delivered'
            )
        GROUP BY n.workspace_id
    """,
    "A firing was told and its resolve was not": """
        SELECT n.workspace_id, count(*) AS rows_found, min(n.trigger_id::text) AS example
        FROM convex.alert_notifications AS n
        INNER JOIN convex.alert_triggers AS t
            ON t.id = n.trigger_id AND t.state = 'resolved'
            AND t.resolved_at BETWEEN %(since)s AND %(late)s AND t.updated_at < %(late)s
        WHERE n.kind = 'firing' AND n.state = 'delivered'
            AND NOT EXISTS (
                SELECT 1 FROM convex.alert_notifications AS e
                WHERE e.trigger_id = n.trigger_id AND e.kind = 'resolved'
                    AND e.channel_kind IS NOT DISTINCT FROM n.channel_kind
                    AND e.recipient_id IS NOT DISTINCT FROM n.recipient_id
                    AND e.channel_id IS NOT DISTINCT FROM n.channel_id
                    AND (e.state <> 'withheld' OR e.reason = 'no_channel')
            )
            AND NOT EXISTS (
                SELECT 1 FROM convex.planning_queue AS q
                INNER JOIN convex.trigger_transitions AS x ON x.id = q.transition_id
                WHERE x.trigger_id = n.trigger_id
            )
        GROUP BY n.workspace_id
    """,
}
_TELL = """
INSERT INTO convex.alert_notifications (
    id, workspace_id, kind, recipient_id, channel_kind, state, reason, explanation, severity,
    idempotency_key, payload, due_at
)
SELECT gen_random_uuid(), o.workspace_id, 'notice', m.user_id, k.kind, 'due', 'sent',
    'Told to owners.', 'critical',
    'reconciliation:' || %(day)s || ':' || m.user_id || ':' || k.kind, o.payload, %(now)s
FROM unnest(%(workspace_id)s::uuid[], %(payload)s::jsonb[]) AS o (workspace_id, payload)
INNER JOIN convex.members AS m ON m.workspace_id = o.workspace_id AND m.role = 'owner'
CROSS JOIN (VALUES ('in_app'), ('email')) AS k (kind)
WHERE k.kind <> 'email' OR %(email_works)s
ON CONFLICT (workspace_id, idempotency_key) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something that does not add up in a workspace; `example` is the id of a trigger."""

    workspace_id: UUID
    what: str
    count: int
    example: str | None


async def reconcile(
    connection: Connection, now: datetime, *, email_works: bool
) -> list[Discrepancy]:
    """Look through the last two days; tell owners, once a day, in the caller's transaction."""
    parameters = {"since": now - LOOK_BACK, "late": now - _PATIENCE}
    found: list[Discrepancy] = []
    for what, statement in _CHECKS.items():
        rows = await (await connection.execute(cast("Any", statement), parameters)).fetchall()
        found += [
            Discrepancy(row["workspace_id"], what, row["rows_found"], row["example"])
            for row in rows
        ]
    if found:
        await _tell(connection, found, now, email_works=email_works)
    return found


async def _tell(
    connection: Connection, found: Sequence[Discrepancy], now: datetime, *, email_works: bool
) -> None:
    by_workspace: dict[UUID, list[str]] = defaultdict(list)
    for one in found:
        example = f", such as about the trigger {one.example}" if one.example else ""
        by_workspace[one.workspace_id].append(f"{one.what}: {one.count} times{example}.")
    payloads = [
        {"title": "Notifications do not add up", "lines": lines} for lines in by_workspace.values()
    ]
    await connection.execute(
        cast("Any", _TELL),
        {
            "workspace_id": list(by_workspace),
            "payload": [orjson.dumps(payload).decode() for payload in payloads],
            "day": f"{now:%Y-%m-%d}",
            "now": now,
            "email_works": email_works,
        },
    )
