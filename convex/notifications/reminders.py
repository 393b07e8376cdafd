"""What is due again: repeats of what still fires, and what was muted when it fired.

Escalation needs nothing here: its steps are planned with the firing and taken back in time.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from convex.db import Connection
from convex.notifications import service, store
from convex.notifications.model import ChannelKind, Kind, Reminder, Target

# The newest telling of each open trigger to each target, when it is older than the shortest
# interval of anybody in the workspace; planning decides by the target's own.
_REPEATS = """
WITH shortest AS (
    SELECT w.id AS workspace_id, least(
        14400, min(p.repeat_interval_seconds) FILTER (WHERE p.repeat_interval_seconds > 0)
    ) AS seconds
    FROM convex.workspaces AS w
    LEFT JOIN convex.notification_preferences AS p ON p.workspace_id = w.id
    GROUP BY w.id
),
newest AS (
    SELECT DISTINCT ON (n.trigger_id, n.recipient_id, n.channel_kind, n.channel_id)
        n.id, n.workspace_id, n.trigger_id, n.recipient_id, n.channel_kind, n.channel_id, n.state,
        coalesce(c.delivered_at, n.delivered_at) AS told_at
    FROM convex.alert_triggers AS t
    INNER JOIN shortest AS s ON s.workspace_id = t.workspace_id
    INNER JOIN convex.alert_notifications AS n ON n.trigger_id = t.id
    LEFT JOIN convex.alert_notifications AS c ON c.id = n.carried_by
    WHERE t.state = 'firing' AND NOT t.historical
        AND t.opened_at < %(now)s - make_interval(secs => s.seconds)
        AND n.kind IN ('firing', 'repeat', 'escalation') AND n.channel_kind <> 'in_app'
        AND (n.state IN ('delivered', 'carried')
            OR (n.state = 'due' AND n.kind <> 'escalation'))
    ORDER BY n.trigger_id, n.recipient_id, n.channel_kind, n.channel_id, n.created_at DESC
)
SELECT newest.id, newest.workspace_id, newest.trigger_id, newest.recipient_id,
    newest.channel_kind, newest.channel_id, 'repeat' AS kind
FROM newest
LEFT JOIN convex.notification_preferences AS p
    ON p.workspace_id = newest.workspace_id AND p.user_id = newest.recipient_id
LEFT JOIN convex.notification_preferences AS d
    ON d.workspace_id = newest.workspace_id AND d.user_id IS NULL
WHERE newest.state <> 'due'
    AND coalesce(p.repeat_interval_seconds, d.repeat_interval_seconds, 14400) > 0
    AND newest.told_at <= %(now)s - make_interval(
        secs => coalesce(p.repeat_interval_seconds, d.repeat_interval_seconds, 14400)
    )
LIMIT %(limit)s
"""
_UNMUTED = """
SELECT DISTINCT ON (n.trigger_id, n.recipient_id, n.channel_kind, n.channel_id)
    n.id, n.workspace_id, n.trigger_id, n.recipient_id, n.channel_kind, n.channel_id,
    'firing' AS kind
FROM convex.alert_triggers AS t
INNER JOIN convex.alert_notifications AS n ON n.trigger_id = t.id
WHERE t.state = 'firing' AND NOT t.historical
    AND n.kind = 'firing' AND n.state = 'withheld' AND n.channel_kind IS NOT NULL
    AND n.reason IN ('silenced', 'muted', 'inhibited')
    AND NOT EXISTS (
        SELECT 1 FROM convex.alert_notifications AS o
        WHERE o.trigger_id = n.trigger_id AND o.channel_kind = n.channel_kind
            AND o.recipient_id IS NOT DISTINCT FROM n.recipient_id
            AND o.channel_id IS NOT DISTINCT FROM n.channel_id
            AND o.kind IN ('firing', 'repeat') AND o.state <> 'withheld'
    )
ORDER BY n.trigger_id, n.recipient_id, n.channel_kind, n.channel_id, n.created_at DESC
LIMIT %(limit)s
"""


async def plan_reminders(
    connection: Connection, now: datetime, *, email_works: bool, limit: int = 500
) -> int:
    """Plan what is due again, in the caller's transaction; how many rows were written.

    Workspaces that another flow plans for now are left to the next time.
    """
    parameters = {"now": now, "limit": limit}
    rows = [
        row
        for statement in (_REPEATS, _UNMUTED)
        for row in await (await connection.execute(cast("Any", statement), parameters)).fetchall()
    ]
    mine = await store.lock_workspaces(connection, {row["workspace_id"] for row in rows})
    rows = [row for row in rows if row["workspace_id"] in mine]
    if not rows:
        return 0
    triggers = await store.load_triggers(connection, {row["trigger_id"] for row in rows})
    reminders: dict[UUID, list[Reminder]] = defaultdict(list)
    for row in rows:
        trigger = triggers.get(row["trigger_id"])
        if trigger is not None:
            target = Target(
                row["recipient_id"], ChannelKind(row["channel_kind"]), row["channel_id"]
            )
            reminders[row["workspace_id"]].append(
                Reminder(trigger, target, Kind(row["kind"]), row["id"])
            )
    planning = await service.plan_and_save(
        connection, {}, now, reminders=reminders, email_works=email_works
    )
    return planning.written
