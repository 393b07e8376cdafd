"""The SQL of facts that no other package has a function for. Nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from convex.db import Connection

Row = dict[str, Any]


async def marts_exist(connection: Connection) -> bool:
    """Whether dbt has built the marts; asking them before would end the transaction."""
    row = await _one(connection, "SELECT to_regclass('analytics.alert_analytics') AS there", ())
    return row is not None and row["there"] is not None


async def list_frameworks(connection: Connection, workspace_id: UUID) -> list[Row]:
    """id, slug and name of all, by slug."""
    return await _all(
        connection,
        "SELECT id, slug, name FROM convex.frameworks WHERE workspace_id = %s ORDER BY slug",
        (workspace_id,),
    )


async def workspace_name(connection: Connection, workspace_id: UUID) -> str:
    """What the workspace is called."""
    row = await _one(
        connection, "SELECT name FROM convex.workspaces WHERE id = %s", (workspace_id,)
    )
    return "" if row is None else str(row["name"])


async def latest_scores(connection: Connection, workspace_id: UUID) -> list[Row]:
    """The newest overall snapshot and risk of each framework."""
    return await _all(
        connection,
        "SELECT DISTINCT ON (h.framework_id, h.category) f.name AS framework, h.category, h.score,"
        " h.status, h.coverage, h.at FROM convex.health_metrics AS h"
        " INNER JOIN convex.frameworks AS f ON f.id = h.framework_id"
        " WHERE h.workspace_id = %s AND h.category IN ('overall', 'risk')"
        " ORDER BY h.framework_id, h.category, h.at DESC",
        (workspace_id,),
    )


async def open_triggers(
    connection: Connection, workspace_id: UUID, framework_id: UUID | None
) -> list[Row]:
    """Open triggers, the most severe and newest first; at most 200."""
    return await _all(
        connection,
        "SELECT t.rule_name, f.name AS framework, t.severity, t.state, t.type, t.metric_name,"
        " m.unit, t.value, t.threshold, t.opened_at FROM convex.alert_triggers AS t"
        " INNER JOIN convex.frameworks AS f ON f.id = t.framework_id"
        " LEFT JOIN convex.metrics AS m ON m.id = t.metric_id"
        " WHERE t.workspace_id = %(w)s AND t.state <> 'resolved'"
        " AND (%(f)s::uuid IS NULL OR t.framework_id = %(f)s)"
        " ORDER BY array_position(ARRAY['critical', 'warning', 'info'], t.severity),"
        " t.opened_at DESC LIMIT 200",
        {"w": workspace_id, "f": framework_id},
    )


async def metric_levels(
    connection: Connection,
    workspace_id: UUID,
    framework_id: UUID | None,
    start: datetime,
    end: datetime,
) -> list[Row]:
    """Each metric's mean over [start, end) and over as long before it, with the count of points."""
    return await _all(
        connection,
        'SELECT f.name AS framework, m.name, m.unit, m.target, m."limit",'
        " avg(p.value) FILTER (WHERE p.timestamp >= %(start)s) AS mean,"
        " avg(p.value) FILTER (WHERE p.timestamp < %(start)s) AS before,"
        " count(*) FILTER (WHERE p.timestamp >= %(start)s) AS points"
        " FROM convex.metrics AS m INNER JOIN convex.frameworks AS f ON f.id = m.framework_id"
        " INNER JOIN convex.series AS s ON s.metric_id = m.id"
        " INNER JOIN convex.points AS p ON p.series_id = s.id"
        " WHERE m.workspace_id = %(w)s AND (%(f)s::uuid IS NULL OR m.framework_id = %(f)s)"
        " AND p.timestamp >= %(start)s - (%(end)s::timestamptz - %(start)s::timestamptz)"
        " AND p.timestamp < %(end)s"
        ' GROUP BY f.name, m.id, m.name, m.unit, m.target, m."limit" ORDER BY f.name, m.name',
        {"w": workspace_id, "f": framework_id, "start": start, "end": end},
    )


async def patterns(
    connection: Connection,
    workspace_id: UUID,
    *,
    framework_id: UUID | None = None,
    rule_id: UUID | None = None,
    limit: int = 3,
) -> list[Row]:
    """Patterns that persist, the most certain first."""
    return await _all(
        connection,
        "SELECT p.type, p.frequency, p.period_seconds, p.confidence, p.support,"
        " p.last_occurrence_at, p.next_expected_at, r.name AS rule, o.name AS other_rule,"
        " f.name AS framework FROM convex.alert_patterns AS p"
        " LEFT JOIN convex.alert_rules AS r ON r.id = p.rule_id"
        " LEFT JOIN convex.alert_rules AS o ON o.id = p.other_rule_id"
        " LEFT JOIN convex.frameworks AS f ON f.id = p.framework_id"
        " WHERE p.workspace_id = %(w)s AND p.state IN ('new', 'active')"
        " AND (%(f)s::uuid IS NULL OR p.framework_id = %(f)s)"
        " AND (%(r)s::uuid IS NULL OR p.rule_id = %(r)s OR p.other_rule_id = %(r)s)"
        " ORDER BY p.confidence DESC, p.support DESC, p.fingerprint LIMIT %(n)s",
        {"w": workspace_id, "f": framework_id, "r": rule_id, "n": limit},
    )


async def predictions(
    connection: Connection,
    workspace_id: UUID,
    now: datetime,
    *,
    framework_id: UUID | None = None,
    rule_id: UUID | None = None,
    limit: int = 5,
) -> list[Row]:
    """The newest running prediction of each rule and kind, the most probable first."""
    return await _all(
        connection,
        "SELECT * FROM (SELECT DISTINCT ON (p.rule_id, p.kind) p.kind, p.probability,"
        " p.climatology, p.confidence, p.risk_score, p.window_start, p.window_end,"
        " r.name AS rule, f.name AS framework FROM convex.alert_predictions AS p"
        " INNER JOIN convex.frameworks AS f ON f.id = p.framework_id"
        " LEFT JOIN convex.alert_rules AS r ON r.id = p.rule_id"
        " WHERE p.workspace_id = %(w)s AND p.window_end > %(now)s AND p.verified_at IS NULL"
        " AND (%(f)s::uuid IS NULL OR p.framework_id = %(f)s)"
        " AND (%(r)s::uuid IS NULL OR p.rule_id = %(r)s)"
        " ORDER BY p.rule_id, p.kind, p.made_at DESC) AS newest"
        " ORDER BY probability DESC, rule LIMIT %(n)s",
        {"w": workspace_id, "f": framework_id, "r": rule_id, "now": now, "n": limit},
    )


async def scorecard(connection: Connection, workspace_id: UUID, since: datetime) -> Row | None:
    """Verified predictions since then: n, Brier score, and that of the base rates."""
    return await _one(
        connection,
        "SELECT count(*) AS n,"
        " avg((probability / 100 - (actual_alert_triggered_at IS NOT NULL)::int) ^ 2) AS brier,"
        " avg((climatology / 100 - (actual_alert_triggered_at IS NOT NULL)::int) ^ 2) AS base"
        " FROM convex.alert_predictions WHERE workspace_id = %s AND verified_at >= %s",
        (workspace_id, since),
    )


async def quality(connection: Connection, workspace_id: UUID) -> list[Row]:
    """The newest run of each suite."""
    return await _all(
        connection,
        "SELECT DISTINCT ON (suite) suite, passed, failed, finished_at"
        " FROM convex.quality_runs WHERE workspace_id = %s ORDER BY suite, started_at DESC",
        (workspace_id,),
    )


async def trigger(connection: Connection, workspace_id: UUID, trigger_id: UUID) -> Row | None:
    """One trigger with its rule and metric."""
    return await _one(
        connection,
        'SELECT t.*, f.name AS framework, m.name AS metric, m.unit, m.target, m."limit",'
        " r.condition, r.aggregate, r.window_seconds, r.for_seconds, r.threshold_value,"
        " r.change_percentage, r.recovery_threshold FROM convex.alert_triggers AS t"
        " INNER JOIN convex.frameworks AS f ON f.id = t.framework_id"
        " LEFT JOIN convex.alert_rules AS r ON r.id = t.rule_id"
        " LEFT JOIN convex.metrics AS m ON m.id = t.metric_id"
        " WHERE t.workspace_id = %s AND t.id = %s",
        (workspace_id, trigger_id),
    )


async def rule_history(
    connection: Connection, workspace_id: UUID, rule_id: UUID, at: datetime
) -> Row | None:
    """How often a rule fired in the 7 and 30 days before `at`, when last, and for how long."""
    return await _one(
        connection,
        "SELECT count(*) FILTER (WHERE opened_at >= %(at)s - interval '7 days') AS week,"
        " count(*) FILTER (WHERE opened_at >= %(at)s - interval '30 days') AS month,"
        " max(opened_at) AS last_opened_at,"
        " count(*) FILTER (WHERE feedback = 'actionable') AS actionable,"
        " count(*) FILTER (WHERE feedback = 'false_positive') AS false_positive,"
        " percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM resolved_at - opened_at)"
        " / 60) FILTER (WHERE resolved_at IS NOT NULL) AS median_minutes"
        " FROM convex.alert_triggers WHERE workspace_id = %(w)s AND rule_id = %(r)s"
        " AND opened_at < %(at)s",
        {"w": workspace_id, "r": rule_id, "at": at},
    )


async def series_before(connection: Connection, series_id: int, at: datetime) -> Row | None:
    """The series up to `at`: the last value, the day before it, the same hour of past weeks."""
    return await _one(
        connection,
        "SELECT (SELECT value FROM convex.points WHERE series_id = %(s)s AND timestamp <= %(at)s"
        " ORDER BY timestamp DESC LIMIT 1) AS last_value,"
        " avg(value) FILTER (WHERE timestamp > %(at)s - interval '24 hours') AS day_mean,"
        " max(value) FILTER (WHERE timestamp > %(at)s - interval '24 hours') AS day_max,"
        " percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FILTER ("
        " WHERE timestamp <= %(at)s - interval '6 days'"
        " AND extract(isodow FROM timestamp AT TIME ZONE 'UTC') = extract(isodow FROM"
        " %(at)s::timestamptz AT TIME ZONE 'UTC')"
        " AND extract(hour FROM timestamp AT TIME ZONE 'UTC') = extract(hour FROM"
        " %(at)s::timestamptz AT TIME ZONE 'UTC')) AS usual"
        " FROM convex.points WHERE series_id = %(s)s AND timestamp <= %(at)s"
        " AND timestamp > %(at)s - interval '28 days 1 hour'",
        {"s": series_id, "at": at},
    )


async def triggers_around(
    connection: Connection, workspace_id: UUID, trigger_id: UUID, at: datetime
) -> list[Row]:
    """What other rules opened in the hour before and the quarter of an hour after."""
    return await _all(
        connection,
        "SELECT t.rule_name, f.name AS framework, t.severity, min(t.opened_at) AS opened_at,"
        " count(*) AS triggers FROM convex.alert_triggers AS t"
        " INNER JOIN convex.frameworks AS f ON f.id = t.framework_id"
        " WHERE t.workspace_id = %(w)s AND t.id <> %(t)s"
        " AND t.opened_at BETWEEN %(at)s - interval '1 hour' AND %(at)s + interval '15 minutes'"
        " AND t.rule_id IS DISTINCT FROM ("
        "SELECT rule_id FROM convex.alert_triggers WHERE id = %(t)s AND workspace_id = %(w)s)"
        " GROUP BY t.rule_name, f.name, t.severity ORDER BY opened_at, t.rule_name LIMIT 6",
        {"w": workspace_id, "t": trigger_id, "at": at},
    )


async def prediction_before(
    connection: Connection, workspace_id: UUID, rule_id: UUID, at: datetime
) -> Row | None:
    """What was predicted for the rule, last before it fired."""
    return await _one(
        connection,
        "SELECT probability, climatology, made_at, window_start, window_end"
        " FROM convex.alert_predictions WHERE workspace_id = %s AND rule_id = %s"
        " AND kind = 'next_alert' AND made_at < %s AND window_end > %s"
        " ORDER BY made_at DESC LIMIT 1",
        (workspace_id, rule_id, at, at),
    )


async def _one(
    connection: Connection, statement: str, values: Sequence[object] | Row
) -> Row | None:
    return await (await connection.execute(statement, values)).fetchone()


async def _all(connection: Connection, statement: str, values: Sequence[object] | Row) -> list[Row]:
    return await (await connection.execute(statement, values)).fetchall()
