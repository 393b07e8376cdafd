"""When a channel has failed for good: the recipient's next channel, and telling the owners."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid5

import orjson

from convex.db import Connection
from convex.notifications.outbox import Attempt

# A person whom nothing else has told, or will tell, of the same is told in the inbox, which cannot
# fail. A place (a webhook, a Slack channel) fails over to the channel named in its settings.
_TO_INBOX = """
INSERT INTO convex.alert_notifications (
    id, workspace_id, trigger_id, transition_id, kind, recipient_id, channel_id, channel_kind,
    step, state, reason, explanation, severity, group_key, idempotency_key, payload, due_at
)
SELECT gen_random_uuid(), n.workspace_id, n.trigger_id, n.transition_id, n.kind, n.recipient_id,
    NULL, 'in_app', n.step, 'due', 'sent',
    'In place of ' || n.channel_kind || ', which failed: ' || coalesce(n.last_error, 'no answer'),
    n.severity, n.group_key, 'failover:' || n.idempotency_key, n.payload - 'after', %(now)s
FROM convex.alert_notifications AS n
WHERE n.id = ANY (%(ids)s) AND n.state = 'failed' AND n.recipient_id IS NOT NULL
    AND n.kind NOT IN ('test', 'notice')
    AND NOT EXISTS (
        SELECT 1 FROM convex.alert_notifications AS o
        WHERE o.trigger_id = n.trigger_id AND o.transition_id = n.transition_id
            AND o.recipient_id = n.recipient_id AND o.id <> n.id
            AND o.state IN ('due', 'delivered', 'carried')
    )
ON CONFLICT (workspace_id, idempotency_key) DO NOTHING
"""
_TO_NAMED = """
INSERT INTO convex.alert_notifications (
    id, workspace_id, trigger_id, transition_id, kind, recipient_id, channel_id, channel_kind,
    step, state, reason, explanation, severity, group_key, idempotency_key, payload, due_at
)
SELECT gen_random_uuid(), n.workspace_id, n.trigger_id, n.transition_id, n.kind, NULL,
    other.id, other.kind, n.step, 'due', 'sent',
    'In place of ' || c.name || ', which failed: ' || coalesce(n.last_error, 'no answer'),
    n.severity, n.group_key, 'failover:' || n.idempotency_key, n.payload - 'after', %(now)s
FROM convex.alert_notifications AS n
INNER JOIN convex.channels AS c ON c.id = n.channel_id
INNER JOIN convex.channels AS other
    ON other.workspace_id = c.workspace_id AND other.name = c.config ->> 'failover'
WHERE n.id = ANY (%(ids)s) AND n.state = 'failed' AND n.recipient_id IS NULL
    AND n.kind NOT IN ('test', 'notice') AND other.enabled AND other.id <> c.id
    AND other.kind <> 'in_app' AND n.idempotency_key NOT LIKE 'failover:%%'
ON CONFLICT (workspace_id, idempotency_key) DO NOTHING
"""
# Owners hear that a channel was switched off: in the inbox, and by mail unless mail is what failed.
_NOTICES = """
INSERT INTO convex.alert_notifications (
    id, workspace_id, kind, recipient_id, channel_kind, state, reason, explanation, severity,
    idempotency_key, payload, due_at
)
SELECT gen_random_uuid(), o.workspace_id, 'notice', m.user_id, k.kind, 'due', 'sent',
    'Told to owners.', 'warning', o.key || ':' || m.user_id || ':' || k.kind, o.payload, %(now)s
FROM unnest(
    %(workspace_id)s::uuid[], %(failed_kind)s::text[], %(key)s::text[], %(payload)s::jsonb[]
) AS o (workspace_id, failed_kind, key, payload)
INNER JOIN convex.members AS m ON m.workspace_id = o.workspace_id AND m.role = 'owner'
CROSS JOIN (VALUES ('in_app'), ('email')) AS k (kind)
WHERE k.kind <> o.failed_kind AND (k.kind <> 'email' OR %(email_works)s)
ON CONFLICT (workspace_id, idempotency_key) DO NOTHING
"""
_NAMES = "SELECT id, name, kind, version FROM convex.channels WHERE id = ANY (%s)"


async def fail_over(
    connection: Connection, attempts: Sequence[Attempt], now: datetime, *, email_works: bool
) -> None:
    """Follow up attempts that failed for good, in the transaction that recorded them."""
    parameters = {"ids": [one.claim.id for one in attempts], "now": now}
    await connection.execute(cast("Any", _TO_INBOX), parameters)
    await connection.execute(cast("Any", _TO_NAMED), parameters)
    gone = {one.claim.channel_id: one for one in attempts if one.gone and one.claim.channel_id}
    if gone:
        await _tell_owners(connection, gone, now, email_works=email_works)


async def _tell_owners(
    connection: Connection, gone: dict[UUID, Attempt], now: datetime, *, email_works: bool
) -> None:
    columns: dict[str, list[Any]] = {
        name: [] for name in ("workspace_id", "failed_kind", "key", "payload")
    }
    for row in await (await connection.execute(_NAMES, (list(gone),))).fetchall():
        attempt = gone[row["id"]]
        notice = {
            "title": f"The channel {row['name']} was switched off",
            "lines": [
                f"It answered that it is gone for good ({attempt.error}).",
                "Nothing is sent there until somebody corrects it and switches it on again.",
            ],
        }
        columns["workspace_id"].append(attempt.claim.workspace_id)
        columns["failed_kind"].append(row["kind"])
        columns["key"].append(str(uuid5(row["id"], f"gone:{row['version']}")))
        columns["payload"].append(orjson.dumps(notice).decode())
    await connection.execute(
        cast("Any", _NOTICES), {**columns, "now": now, "email_works": email_works}
    )
