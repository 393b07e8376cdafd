"""The dead man's switch: a heartbeat that goes the whole way, from a point to a webhook outside.

A workspace with a channel whose settings say `"heartbeat": true` gets a metric and a rule of its
own. Every beat ingests points that make the rule fire, and the next ones end it, so that each beat
is a message that was ingested, evaluated, planned and delivered like any alert. Whoever receives
them outside (a service that expects a call every few minutes) raises the alarm when they stop.
Such a channel gets nothing else, and no silence, cap or quiet hours hold a beat back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import numpy as np

from convex.alerts import external_store, rule_service
from convex.alerts.ingest import IngestResult, ingest_points
from convex.alerts.model import RuleDraft, Severity
from convex.db import Connection, Identity, Role
from convex.metrics import definitions
from convex.metrics.model import SECOND, PointBatch, to_microseconds
from convex.notifications.routing import HEARTBEAT_FRAMEWORK, HEARTBEAT_METRIC

RULE = "Heartbeat of Convex"
EVERY = timedelta(minutes=5)
# As many evaluations between two changes, so that the rule is never taken for flapping (four
# changes within twenty evaluations).
_POINTS = 7
# Within it a beat opens the same trigger again, so that there is one and not hundreds a day.
_SAME_TRIGGER = 3 * EVERY

_WANTED = """
SELECT DISTINCT workspace_id FROM convex.channels WHERE enabled AND config @> '{"heartbeat": true}'
"""
_STANDING = """
SELECT r.id, r.enabled, EXISTS (
    SELECT 1 FROM convex.alert_triggers AS t
    WHERE t.workspace_id = r.workspace_id AND t.rule_id = r.id AND t.state <> 'resolved'
) AS fires
FROM convex.alert_rules AS r
INNER JOIN convex.metrics AS m ON m.id = r.metric_id AND m.name = %(metric)s
INNER JOIN convex.frameworks AS f ON f.id = m.framework_id AND f.slug = %(framework)s
WHERE r.workspace_id = %(workspace)s AND r.deleted_at IS NULL AND r.name = %(rule)s
"""
_METRIC = """
SELECT id FROM convex.metrics
WHERE workspace_id = %s AND framework_id = %s AND name = %s
"""


async def workspaces_with_heartbeat(connection: Connection) -> set[UUID]:
    """Those that have a channel for it, as far as the connection sees."""
    return {row["workspace_id"] for row in await (await connection.execute(_WANTED)).fetchall()}


def heartbeat_points(value: float, now: datetime) -> PointBatch:
    """The points of one beat: all of one value, a second apart, the last one now."""
    ends = to_microseconds(now)
    return PointBatch(
        frameworks=[HEARTBEAT_FRAMEWORK] * _POINTS,
        metrics=[HEARTBEAT_METRIC] * _POINTS,
        labels=[{}] * _POINTS,
        timestamps=np.arange(ends - (_POINTS - 1) * SECOND, ends + 1, SECOND, dtype=np.int64),
        values=np.full(_POINTS, value),
        source="heartbeat",
    )


async def beat(connection: Connection, workspace_id: UUID, *, now: datetime) -> IngestResult:
    """One beat, in the caller's transaction: the rule fires if it did not, and ends if it did.

    The month of `now` must have its partition of points. Announce the cursor after the commit.
    """
    standing = await _rule(connection, workspace_id)
    if standing is None:
        await _set_up(connection, workspace_id, now)
        fires = False
    else:
        rule_id, enabled, fires = standing
        if not enabled:
            system = Identity(workspace_id, Role.SYSTEM)
            await rule_service.update_rule(connection, system, rule_id, {"enabled": True}, now=now)
    batch = heartbeat_points(0.0 if fires else 1.0, now)
    return await ingest_points(connection, workspace_id, batch, now=now)


async def rest(
    connection: Connection, workspace_id: UUID, *, now: datetime
) -> rule_service.RuleSaved | None:
    """No channel wants beats any more: the rule is switched off, which ends its trigger."""
    standing = await _rule(connection, workspace_id)
    if standing is None or not standing[1]:
        return None
    system = Identity(workspace_id, Role.SYSTEM)
    return await rule_service.update_rule(
        connection, system, standing[0], {"enabled": False}, now=now
    )


async def _rule(connection: Connection, workspace_id: UUID) -> tuple[UUID, bool, bool] | None:
    """The rule: its id, whether it is enabled, whether it fires."""
    cursor = await connection.execute(
        _STANDING,
        {
            "workspace": workspace_id,
            "metric": HEARTBEAT_METRIC,
            "framework": HEARTBEAT_FRAMEWORK,
            "rule": RULE,
        },
    )
    row = await cursor.fetchone()
    return None if row is None else (row["id"], row["enabled"], row["fires"])


async def _set_up(connection: Connection, workspace_id: UUID, now: datetime) -> None:
    framework_id = await external_store.own_framework(connection, workspace_id)
    cursor = await connection.execute(_METRIC, (workspace_id, framework_id, HEARTBEAT_METRIC))
    row = await cursor.fetchone()
    metric_id = row["id"] if row else None
    if metric_id is None:
        made = await definitions.create_metric(
            connection, workspace_id, framework_id, HEARTBEAT_METRIC
        )
        metric_id = made.id
    draft = RuleDraft(
        name=RULE,
        framework_id=framework_id,
        metric_id=metric_id,
        threshold_value=0.5,
        severity=Severity.INFO,
        deduplication_window_seconds=round(_SAME_TRIGGER.total_seconds()),
        description="Fires and ends in turn; told only to channels with the setting heartbeat.",
    )
    await rule_service.create_rule(connection, Identity(workspace_id, Role.SYSTEM), draft, now=now)
