"""Patterns over HTTP: lists with filters, evidence, triggers, a run on request."""

from __future__ import annotations

from datetime import UTC, datetime

from convex.cache import Area, Cache
from convex.db import Database, Identity, Role
from convex.patterns import service
from tests.api.conftest import Running, Team
from tests.conftest import Tenant
from tests.convex.patterns.test_service import NOW, ZONE, mondays, write_triggers


async def furnish(worker: Database, team: Team) -> None:
    """A weekly pattern, found by a run."""
    tenant = Tenant(team.workspace_id, team.users["owner"], "", "")
    await write_triggers(worker, tenant, {"Backup": mondays(20), "Rare": mondays(2)})
    identity = Identity(team.workspace_id, Role.SYSTEM)
    async with worker.read(identity) as connection:
        loaded, before = await service.read(connection, team.workspace_id, ZONE, NOW)
    looked = service.look(loaded, before=before)
    async with worker.transaction(identity) as connection:
        await service.save(connection, team.workspace_id, looked)


async def test_a_pattern_is_listed_explained_and_leads_to_its_triggers(
    team: Team, worker: Database
) -> None:
    await furnish(worker, team)
    answer = await team.viewer.get("/api/v1/patterns")
    body = answer.json()
    (pattern,) = body["items"]
    assert (pattern["type"], pattern["state"], pattern["frequency"]) == (
        "seasonal",
        "new",
        "weekly",
    )
    assert pattern["next_expected_at"] == "2026-06-01T13:00:00Z"
    assert pattern["rule_name"] == "Backup"
    assert body["run"]["rules"] == 2
    assert {one["type"]: one["rules"] for one in body["not_enough_history"]}["seasonal"] == 1
    one = await team.viewer.get(f"/api/v1/patterns/{pattern['id']}")
    detail = one.json()
    assert detail["evidence"]["test"]["q_value"] < 0.05
    assert detail["evidence"]["effect"]["hits"] == 19
    assert detail["recommendation"]["action"]["kind"] == "mute_window"
    again = await team.viewer.get(
        f"/api/v1/patterns/{pattern['id']}", headers={"if-none-match": one.headers["etag"]}
    )
    assert again.status_code == 304
    first = await team.viewer.get(f"/api/v1/patterns/{pattern['id']}/triggers?limit=10")
    assert first.headers["link"].endswith('rel="next"')
    rest = await team.viewer.get(
        f"/api/v1/patterns/{pattern['id']}/triggers?limit=10&cursor={first.json()['next_cursor']}"
    )
    assert len(first.json()["items"]) + len(rest.json()["items"]) == 19
    assert {one["rule_name"] for one in rest.json()["items"]} == {"Backup"}


async def test_the_list_is_filtered(team: Team, worker: Database) -> None:
    await furnish(worker, team)
    (pattern,) = (await team.viewer.get("/api/v1/patterns")).json()["items"]
    for query, found in (
        ("type=seasonal&type=cyclical", 1),
        ("type=escalating", 0),
        ("state=gone", 0),
        ("state=new", 1),
        ("framework=shop", 1),
        (f"rule={pattern['rule_id']}", 1),
        (f"rule={pattern['id']}", 0),
    ):
        answer = await team.viewer.get(f"/api/v1/patterns?{query}")
        assert len(answer.json()["items"]) == found, query
    rule = await team.viewer.get(f"/api/v1/patterns?rule={pattern['rule_id']}")
    assert [one["type"] for one in rule.json()["not_enough_history"]] == []
    unknown = await team.viewer.get("/api/v1/patterns?framework=nowhere")
    assert unknown.status_code == 404
    assert (await team.viewer.get("/api/v1/patterns?type=lunar")).status_code == 422
    assert (await team.viewer.get("/api/v1/patterns?cursor=x")).status_code == 422


async def test_the_list_is_kept_until_a_run_says_that_it_changed(
    team: Team, worker: Database, running: Running
) -> None:
    assert (await team.viewer.get("/api/v1/patterns")).json()["run"] is None
    await furnish(worker, team)
    kept = await team.viewer.get("/api/v1/patterns")
    await Cache(running.resources.cache_server).forget(team.workspace_id, Area.PATTERNS)
    fresh = await team.viewer.get("/api/v1/patterns")
    assert kept.json()["items"] == []
    assert len(fresh.json()["items"]) == 1


async def test_an_editor_asks_for_a_run_once(team: Team) -> None:
    headers = {"idempotency-key": "one"}
    asked = await team.editor.post("/api/v1/patterns", headers=headers)
    again = await team.editor.post("/api/v1/patterns", headers=headers)
    another = await team.owner.post("/api/v1/patterns")
    assert asked.status_code == 202
    assert asked.json()["state"] == "requested"
    assert again.json()["id"] == asked.json()["id"] == another.json()["id"]
    assert datetime.fromisoformat(asked.json()["created_at"]) <= datetime.now(UTC)
    refused = await team.viewer.post("/api/v1/patterns")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")


async def test_another_workspaces_pattern_is_not_there(
    team: Team, other_team: Team, worker: Database
) -> None:
    await furnish(worker, team)
    (pattern,) = (await team.viewer.get("/api/v1/patterns")).json()["items"]
    for path in ("", "/triggers"):
        answer = await other_team.owner.get(f"/api/v1/patterns/{pattern['id']}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await other_team.owner.get("/api/v1/patterns")).json()["items"] == []
