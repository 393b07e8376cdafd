"""Health and risk of frameworks over the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from convex.db import Database
from convex.scoring.service import score_workspace
from tests.api.conftest import Team, tenant_of


async def watch(team: Team, worker: Database, slug: str, value: float, days: int = 10) -> str:
    """A framework with one metric (target 1, limit 0) that has been `value` for some days."""
    made = await team.owner.post("/api/v1/frameworks", json={"slug": slug, "name": slug.title()})
    framework_id: str = made.json()["id"]
    body = {"framework_id": framework_id, "name": "rate", "target": 1.0, "limit": 0.0}
    assert (await team.owner.post("/api/v1/metrics", json=body)).status_code == 201
    now = datetime.now(UTC)
    points = [
        {
            "framework": slug,
            "metric": "rate",
            "timestamp": (now - timedelta(hours=hours)).isoformat(),
            "value": value,
        }
        for hours in range(days * 24)
    ]
    assert (await team.owner.post("/api/v1/points", json={"points": points})).status_code == 200
    async with worker.transaction(tenant_of(team).flow) as connection:
        await score_workspace(connection, team.workspace_id, now=now, again=True)
    return framework_id


async def test_health_is_told_down_to_the_metric_with_its_trend(
    team: Team, worker: Database
) -> None:
    framework_id = await watch(team, worker, "ewr", 0.8)
    for key in (framework_id, "ewr"):
        answer = await team.viewer.get(f"/api/v1/frameworks/{key}/health")
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["framework_id"] == framework_id
        assert (found["days"], found["status"], found["coverage"]) == (7, "good", 1)
        assert abs(found["score"] - 80) < 1e-6
        assert len(found["categories"]) == 5
        metric = found["categories"][0]["metrics"][0]
        assert (metric["name"], metric["points"]) == ("rate", 24)
        assert abs(metric["points_lost"] - 20) < 1e-6
        assert found["trend"]["direction"] == "steady"
        assert found["trend"]["low"] <= found["trend"]["slope_per_day"] <= found["trend"]["high"]
        assert 7 * 24 - 1 <= len(found["history"]) <= 7 * 24 + 1
    month = await team.viewer.get("/api/v1/frameworks/ewr/health", params={"days": 30})
    assert len(month.json()["history"]) > 9 * 24
    refused = await team.viewer.get("/api/v1/frameworks/ewr/health", params={"days": 8})
    assert refused.status_code == 422


async def test_without_a_target_nothing_is_known(team: Team) -> None:
    await team.owner.post("/api/v1/frameworks", json={"slug": "jfk", "name": "JFK"})
    health = (await team.viewer.get("/api/v1/frameworks/jfk/health")).json()
    assert (health["score"], health["status"], health["trend"]) == (None, "unknown", None)
    risk = (await team.viewer.get("/api/v1/frameworks/jfk/risk")).json()
    assert (risk["score"], risk["factors"]) == (0, [])


async def test_risk_lists_its_factors_and_orders_the_list(team: Team, worker: Database) -> None:
    await watch(team, worker, "aaa", 1.0, days=1)
    await watch(team, worker, "zzz", 1.0, days=1)
    async with worker.transaction(tenant_of(team).flow) as connection:
        await connection.execute(
            "INSERT INTO convex.alert_triggers (workspace_id, framework_id, fingerprint, rule_name,"
            " type, severity, reason, opened_at, last_seen_at) SELECT workspace_id, id, 'x',"
            " 'late', 'threshold', 'critical', 'above', now(), now() FROM convex.frameworks"
            " WHERE slug = 'zzz' AND workspace_id = %s",
            (team.workspace_id,),
        )
    risk = (await team.viewer.get("/api/v1/frameworks/zzz/risk")).json()
    assert [(f["kind"], f["name"]) for f in risk["factors"]] == [("open_trigger", "late")]
    assert risk["score"] == 50
    by_slug = (await team.viewer.get("/api/v1/frameworks")).json()["items"]
    assert [(f["slug"], f["risk"]) for f in by_slug] == [("aaa", 0), ("zzz", 50)]
    assert {f["health"]["status"] for f in by_slug} == {"excellent"}
    first = (
        await team.viewer.get("/api/v1/frameworks", params={"sort": "risk", "limit": 1})
    ).json()
    assert [f["slug"] for f in first["items"]] == ["zzz"]
    rest = await team.viewer.get(
        "/api/v1/frameworks", params={"sort": "risk", "cursor": first["next_cursor"]}
    )
    assert [f["slug"] for f in rest.json()["items"]] == ["aaa"]


async def test_others_see_neither(team: Team, other_team: Team, worker: Database) -> None:
    framework_id = await watch(team, worker, "ewr", 0.8, days=1)
    for tail in ("health", "risk"):
        answer = await other_team.owner.get(f"/api/v1/frameworks/{framework_id}/{tail}")
        assert answer.status_code == 404
        assert (await other_team.owner.get(f"/api/v1/frameworks/ewr/{tail}")).status_code == 404
