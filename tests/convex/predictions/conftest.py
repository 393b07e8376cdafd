"""A workspace with a rule that has fired often, one that never has, and the points behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest_asyncio

from convex.db import SYSTEM, Database
from tests.conftest import Tenant

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAYS = 100


@dataclass(frozen=True, slots=True)
class Watched:
    """What the tests speak of."""

    tenant: Tenant
    framework_id: UUID
    busy: UUID
    quiet: UUID
    series_id: int


@pytest_asyncio.fixture
async def watched(worker: Database, tenant: Tenant) -> Watched:
    """100 days of hourly values that pass 80 on weekdays at 14:00, each time with a trigger."""
    return await make_watched(worker, tenant)


async def make_watched(worker: Database, tenant: Tenant, days: int = DAYS) -> Watched:
    """As the fixture, in any workspace, with another past."""
    first = NOW - timedelta(days=days)
    async with worker.transaction(SYSTEM) as connection:
        await connection.execute("SELECT convex.ensure_point_partitions(%s, %s)", (first, NOW))
    async with worker.transaction(tenant.flow) as connection:
        rows = await connection.execute(
            "WITH f AS (INSERT INTO convex.frameworks (workspace_id, slug, name)"
            " VALUES (%(w)s, 'shop', 'Shop') RETURNING id),"
            " m AS (INSERT INTO convex.metrics (workspace_id, framework_id, name, category)"
            " SELECT %(w)s, id, 'load', 'performance' FROM f RETURNING id, framework_id),"
            " s AS (INSERT INTO convex.series (workspace_id, framework_id, metric_id, labels,"
            " labels_hash, newest_at) SELECT %(w)s, framework_id, id, '{}', '\\x00',"
            " %(now)s - interval '1 hour' FROM m RETURNING id),"
            " r AS (INSERT INTO convex.alert_rules (workspace_id, framework_id, metric_id, name,"
            " type, condition, threshold_value, severity, runbook_url)"
            " SELECT %(w)s, framework_id, id, v.name, 'threshold', 'above', v.limit, 'critical',"
            " v.book FROM m, (VALUES ('busy', 80, 'https://example.com/runbook'),"
            " ('quiet', 1000, '')) AS v (name, \"limit\", book) RETURNING id, name)"
            " SELECT f.id AS framework_id, s.id AS series_id, m.id AS metric_id,"
            " (SELECT id FROM r WHERE name = 'busy') AS busy,"
            " (SELECT id FROM r WHERE name = 'quiet') AS quiet FROM f, s, m",
            {"w": tenant.workspace_id, "now": NOW},
        )
        row = await rows.fetchone()
        assert row is not None
        await connection.execute(
            "INSERT INTO convex.points (workspace_id, series_id, timestamp, value)"
            " SELECT %(w)s, %(s)s, t, CASE WHEN extract(hour FROM t AT TIME ZONE 'UTC') = 14"
            " AND extract(isodow FROM t AT TIME ZONE 'UTC') < 6 THEN 90 ELSE 40 END"
            " + 5 * sin(extract(epoch FROM t) / 7000)"
            " FROM generate_series(%(first)s, %(now)s - interval '1 hour', '1 hour') AS t",
            {"w": tenant.workspace_id, "s": row["series_id"], "first": first, "now": NOW},
        )
        await connection.execute(
            "INSERT INTO convex.alert_triggers (workspace_id, rule_id, framework_id, metric_id,"
            " series_id, fingerprint, rule_name, type, severity, state, reason, opened_at,"
            " last_seen_at, resolved_at, resolution, historical)"
            " SELECT %(w)s, %(r)s, %(f)s, %(m)s, %(s)s, 'x', 'busy', 'threshold', 'critical',"
            " 'resolved', 'condition_met', p.timestamp, p.timestamp,"
            " p.timestamp + interval '1 hour', 'recovered', true FROM convex.points AS p"
            " WHERE p.series_id = %(s)s AND p.value > 80",
            {
                "w": tenant.workspace_id,
                "r": row["busy"],
                "f": row["framework_id"],
                "m": row["metric_id"],
                "s": row["series_id"],
            },
        )
    return Watched(tenant, row["framework_id"], row["busy"], row["quiet"], row["series_id"])
