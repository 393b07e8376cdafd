"""The past that the marts of these tests are built from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bench.trigger_history import write_trigger_history
from convex.db import SYSTEM, Database
from tests.conftest import Tenant, make_tenant

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


async def write_history(worker: Database) -> Tenant:
    """A new tenant with triggers, notifications, points and predictions up to NOW."""
    tenant = await make_tenant(worker)
    async with worker.transaction(SYSTEM) as connection:
        await connection.execute(
            "SELECT convex.ensure_point_partitions(%s, %s)", (NOW - timedelta(days=3), NOW)
        )
    async with worker.transaction(tenant.flow) as connection:
        await write_trigger_history(connection, tenant.workspace_id, tenant.user_id, now=NOW)
        await connection.execute(
            "WITH mail AS (INSERT INTO convex.channels (workspace_id, name, kind)"
            " VALUES (%s, 'Mail', 'email') RETURNING id)"
            " UPDATE convex.alert_notifications SET channel_id = mail.id FROM mail"
            " WHERE channel_kind = 'email'",
            (tenant.workspace_id,),
        )
        await connection.execute(
            "INSERT INTO convex.points (workspace_id, series_id, timestamp, value)"
            " SELECT workspace_id, id, %s - n * interval '7 minutes', n"
            " FROM convex.series, generate_series(1, 200) AS n WHERE workspace_id = %s",
            (NOW, tenant.workspace_id),
        )
        await connection.execute(
            "INSERT INTO convex.alert_predictions (workspace_id, framework_id, rule_id, series_id,"
            " kind, made_at, window_start, window_end, probability, climatology, confidence,"
            " risk_score, model, inputs, created_at)"
            " SELECT r.workspace_id, r.framework_id, r.id, s.id, 'next_alert', %(now)s, %(now)s,"
            " %(now)s + interval '1 day', 40, 20, 'low', 10, 'climatology', '{}', %(now)s"
            " FROM convex.alert_rules AS r"
            " INNER JOIN convex.series AS s ON s.metric_id = r.metric_id"
            " WHERE r.workspace_id = %(workspace)s",
            {"now": NOW, "workspace": tenant.workspace_id},
        )
        await connection.execute(
            "INSERT INTO convex.alert_rules (workspace_id, framework_id, name, type, condition)"
            " SELECT workspace_id, id, 'all of ' || slug, 'anomaly', 'above'"
            " FROM convex.frameworks WHERE workspace_id = %s",
            (tenant.workspace_id,),
        )
    return tenant
