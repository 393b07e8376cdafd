"""Whether transitions, notifications and deliveries add up; an alert fires when they don't.

What is looked for cannot happen as far as the rest of this package knows. That is the point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from convex.alerts.external import Report, Reported, Source, report
from convex.alerts.model import Severity
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
NAME = "Notifications do not add up"
_MOST_SAID = 5


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something that does not add up in a workspace; `example` is the id of a trigger."""

    workspace_id: UUID
    what: str
    count: int
    example: str | None

    def words(self) -> str:
        """As a sentence."""
        example = f", such as about the trigger {self.example}" if self.example else ""
        return f"{self.what}: {self.count} times{example}."


async def reconcile(connection: Connection, now: datetime) -> list[Discrepancy]:
    """Look through the last two days of all workspaces that the connection sees."""
    parameters = {"since": now - LOOK_BACK, "late": now - _PATIENCE}
    found: list[Discrepancy] = []
    for what, statement in _CHECKS.items():
        rows = await (await connection.execute(cast("Any", statement), parameters)).fetchall()
        found += [
            Discrepancy(row["workspace_id"], what, row["rows_found"], row["example"])
            for row in rows
        ]
    return found


async def raise_alert(
    connection: Connection, workspace_id: UUID, found: Sequence[Discrepancy], now: datetime
) -> Reported:
    """Open the workspace's alert about them, or end it when there are none.

    It is a trigger as any other: told by every channel, silenced, acknowledged. The caller owns the
    transaction, and announces the cursor after the commit.
    """
    ours = [one for one in found if one.workspace_id == workspace_id]
    said = " ".join(one.words() for one in ours[:_MOST_SAID])
    alert = Report(
        source=Source.SYSTEM,
        name=NAME,
        key="reconciliation",
        labels={"check": "reconciliation"},
        firing=bool(ours),
        severity=Severity.CRITICAL,
        reason=said,
        value=float(sum(one.count for one in ours)),
        threshold=0.0,
    )
    return await report(connection, workspace_id, [alert], now=now)
