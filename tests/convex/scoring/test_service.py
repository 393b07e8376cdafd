"""Scoring a workspace on real PostgreSQL: snapshots from the watermark on, risk, live events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from convex.db import Database, Role
from convex.scoring.model import Status
from convex.scoring.service import (
    current_health,
    health_json,
    read_risk,
    read_trend,
    score_workspace,
)
from convex.scoring.standing import list_by_risk, read_standings
from tests.conftest import Tenant

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def _framework(worker: Database, tenant: Tenant, hours: int, value: float) -> UUID:
    """A framework with one scored metric (target 1, limit 0) that reports, and one silent."""
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute(
            "SELECT convex.ensure_point_partitions(%s, %s)", (NOW - HOUR * hours, NOW)
        )
        rows = await connection.execute(
            "WITH f AS (INSERT INTO convex.frameworks (workspace_id, slug, name)"
            " VALUES (%(w)s, 'f', 'F') RETURNING id),"
            " m AS (INSERT INTO convex.metrics (workspace_id, framework_id, name, category, target,"
            ' "limit") SELECT %(w)s, f.id, n.name, n.category, 1, 0 FROM f,'
            " (VALUES ('on_time', 'performance'), ('spend', 'cost')) AS n (name, category)"
            " RETURNING id, framework_id, name),"
            " s AS (INSERT INTO convex.series (workspace_id, framework_id, metric_id, labels_hash)"
            " SELECT %(w)s, framework_id, id, '\\x00' FROM m WHERE name = 'on_time' RETURNING id),"
            " p AS (INSERT INTO convex.points SELECT %(w)s, s.id,"
            " %(now)s - make_interval(hours => g), %(value)s"
            " FROM s, generate_series(0, %(hours)s - 1) AS g RETURNING 1)"
            " SELECT f.id, (SELECT count(*) FROM p) AS points FROM f",
            {"w": tenant.workspace_id, "now": NOW, "hours": hours, "value": value},
        )
        row = await rows.fetchone()
    assert row is not None
    assert row["points"] == hours
    framework_id: UUID = row["id"]
    return framework_id


async def test_snapshots_go_on_from_the_last_one(worker: Database, tenant: Tenant) -> None:
    await _framework(worker, tenant, 48, 0.8)
    async with worker.transaction(tenant.flow) as connection:
        first = await score_workspace(connection, tenant.workspace_id, now=NOW)
        again = await score_workspace(connection, tenant.workspace_id, now=NOW)
        later = await score_workspace(connection, tenant.workspace_id, now=NOW + HOUR * 2)
        rows = await connection.execute(
            "SELECT at, score, coverage FROM convex.health_metrics WHERE category = 'overall'"
            " ORDER BY at"
        )
        overall = await rows.fetchall()
    assert first.frameworks == 1
    assert again.snapshots == 4  # the newest hour over again: overall, two categories, risk
    assert later.snapshots == 7  # two hours of three, and risk
    times = [row["at"] for row in overall]
    assert times == [times[0] + HOUR * i for i in range(len(times))]
    assert (times[0], len(times)) == (
        datetime(2026, 3, 8, 14, tzinfo=UTC),
        49,
    )  # 13:30 was the first
    assert [row["score"] for row in overall] == pytest.approx([80.0] * len(overall))
    assert {row["coverage"] for row in overall} == {0.5}


async def test_health_is_explained_down_to_the_metric(worker: Database, tenant: Tenant) -> None:
    framework_id = await _framework(worker, tenant, 24, 0.95)
    async with worker.read(tenant.flow) as connection:
        health = await current_health(connection, tenant.workspace_id, framework_id, NOW)
    shown = health_json(health)
    assert (shown["status"], shown["coverage"]) == (Status.EXCELLENT, 0.5)
    assert [c["category"] for c in shown["categories"]] == [
        "performance",
        "availability",
        "security",
        "scalability",
        "cost",
    ]
    performance, unused, *_, cost = shown["categories"]
    assert (unused["score"], unused["coverage"], unused["metrics"]) == (None, 0.0, [])
    assert performance["metrics"][0]["points_lost"] == pytest.approx(5)
    assert "0.95 over the last 24 h: 95 of 100" in performance["metrics"][0]["explanation"]
    assert "sent nothing" in cost["metrics"][0]["explanation"]
    assert performance["metrics"][0]["value"] == pytest.approx(0.95)
    assert performance["metrics"][0]["points"] == 24
    assert (cost["score"], cost["status"]) == (None, Status.UNKNOWN)


async def test_a_changed_status_and_an_open_trigger_are_seen(
    worker: Database, tenant: Tenant
) -> None:
    framework_id = await _framework(worker, tenant, 24, 0.95)
    async with worker.transaction(tenant.flow) as connection:
        quiet = await score_workspace(connection, tenant.workspace_id, now=NOW)
        await connection.execute("UPDATE convex.points SET value = 0.2")
        await connection.execute(
            "INSERT INTO convex.alert_triggers (workspace_id, framework_id, fingerprint, rule_name,"
            " type, severity, reason, opened_at, last_seen_at)"
            " VALUES (%s, %s, 'x', 'late', 'threshold', 'critical', 'above', now(), now())",
            (tenant.workspace_id, framework_id),
        )
        loud = await score_workspace(connection, tenant.workspace_id, now=NOW + HOUR)
        rows = await connection.execute(
            "SELECT score, detail FROM convex.health_metrics WHERE category = 'risk' ORDER BY at"
        )
        before, after = await rows.fetchall()
        events = await connection.execute("SELECT data FROM convex.live_events")
        event = await events.fetchone()
    assert quiet.cursor is None
    assert loud.cursor == 1
    assert event is not None
    assert (event["data"]["previous_status"], event["data"]["status"]) == ("excellent", "poor")
    assert before["score"] < after["score"]
    assert after["detail"]["factors"][0]["name"] == "late"


async def test_late_points_count_when_all_is_scored_again(worker: Database, tenant: Tenant) -> None:
    framework_id = await _framework(worker, tenant, 24 * 30, 0.8)

    async def scores(now: datetime, *, again: bool) -> list[float]:
        async with worker.transaction(tenant.flow) as connection:
            await score_workspace(connection, tenant.workspace_id, now=now, again=again)
            rows = await connection.execute(
                "SELECT score FROM convex.health_metrics WHERE framework_id = %s"
                " AND category = 'overall' ORDER BY at",
                (framework_id,),
            )
            return [row["score"] for row in await rows.fetchall()]

    before = await scores(NOW, again=False)
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute("UPDATE convex.points SET value = 0.5")
    assert await scores(NOW, again=False) == pytest.approx([*before[:-1], 50.0])
    assert await scores(NOW, again=True) == pytest.approx([50.0] * len(before))


async def test_the_list_by_risk_does_not_wait_for_the_hour(
    worker: Database, api: Database, tenant: Tenant
) -> None:
    await _framework(worker, tenant, 24, 0.95)
    async with worker.transaction(tenant.flow) as connection:
        await score_workspace(connection, tenant.workspace_id, now=NOW)
        await connection.execute(
            "INSERT INTO convex.frameworks (workspace_id, slug, name) VALUES (%(w)s, 'a', 'A'),"
            " (%(w)s, 'z', 'Z')",
            {"w": tenant.workspace_id},
        )
        await connection.execute(
            "INSERT INTO convex.alert_triggers (workspace_id, framework_id, fingerprint, rule_name,"
            " type, severity, reason, opened_at, last_seen_at) SELECT workspace_id, id, 'x',"
            " 'late', 'threshold', 'critical', 'above', now(), now() FROM convex.frameworks"
            " WHERE slug = 'z' AND workspace_id = %s",
            (tenant.workspace_id,),
        )
    async with api.read(tenant.identity(Role.VIEWER)) as connection:
        seen: list[tuple[str, float]] = []
        cursor = None
        while True:
            page, standings = await list_by_risk(
                connection, tenant.workspace_id, now=NOW, cursor=cursor, limit=1
            )
            seen += [
                (one.framework.slug, standings[one.framework.id].risk.score) for one in page.items
            ]
            cursor = page.next_cursor
            if cursor is None:
                break
        scored = await read_standings(connection, tenant.workspace_id, now=NOW)
    # z: a critical trigger; f: half of its metrics are silent; a: nothing is known against it
    assert [slug for slug, _ in seen] == ["z", "f", "a"]
    assert [risk for _, risk in seen] == pytest.approx([50, 15, 0])
    assert sorted(s.status for s in scored.values()) == ["excellent", "unknown", "unknown"]


async def test_predicted_firings_feed_the_risk(worker: Database, tenant: Tenant) -> None:
    framework_id = await _framework(worker, tenant, 24, 1.0)
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute(
            "WITH rule AS (INSERT INTO convex.alert_rules (workspace_id, framework_id, metric_id,"
            " name, type, condition, severity) SELECT workspace_id, framework_id, id, 'late',"
            " 'threshold', 'above', 'critical' FROM convex.metrics WHERE name = 'on_time'"
            " AND workspace_id = %(w)s RETURNING *)"
            " INSERT INTO convex.alert_predictions (workspace_id, framework_id, rule_id, kind,"
            " made_at, window_start, window_end, probability, climatology,"
            " confidence, risk_score, model, inputs)"
            " SELECT workspace_id, framework_id, id, 'next_alert', %(now)s, %(now)s,"
            " %(now)s + interval '24 hours', 40, 20, 'medium', 40, 'mixture', '{}' FROM rule",
            {"w": tenant.workspace_id, "now": NOW - HOUR},
        )
        risk = await read_risk(connection, tenant.workspace_id, framework_id, NOW)
    predicted = {factor["kind"]: factor for factor in risk["factors"]}["predicted_firing"]
    assert (predicted["probability"], predicted["impact"]) == (0.4, 0.5)
    assert predicted["explanation"] == "late fires within 24 h with a probability of 40%"
    # half of the metrics are silent: 1 - (1 - 0.4 * 0.5) * (1 - 0.3 * 0.5)
    assert risk["score"] == pytest.approx(32)


async def test_a_trend_needs_days(worker: Database, tenant: Tenant) -> None:
    framework_id = await _framework(worker, tenant, 24 * 10, 0.8)
    async with worker.transaction(tenant.flow) as connection:
        await score_workspace(connection, tenant.workspace_id, now=NOW)
        week = await read_trend(connection, tenant.workspace_id, framework_id, NOW, 7)
        day = await read_trend(connection, tenant.workspace_id, framework_id, NOW, 1)
    assert week is not None
    assert week.direction == "steady"
    assert day is None


async def test_a_viewer_of_another_workspace_reads_nothing(
    worker: Database, api: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    framework_id = await _framework(worker, tenant, 24, 0.8)
    async with api.read(other_tenant.identity(Role.VIEWER)) as connection:
        health = await current_health(connection, other_tenant.workspace_id, framework_id, NOW)
    assert health.status is Status.UNKNOWN
