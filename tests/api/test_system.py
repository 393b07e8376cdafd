"""What Convex says about itself to its members."""

from __future__ import annotations

from convex.db import Database
from tests.api.conftest import Running, Team, tenant_of


async def test_queues_count_what_waits_and_only_here(
    team: Team, other_team: Team, worker: Database
) -> None:
    async with worker.transaction(tenant_of(team).flow) as connection:
        await connection.execute(
            "INSERT INTO convex.alert_notifications (workspace_id, kind, recipient_id,"
            " channel_kind, state, reason, severity, idempotency_key, due_at) VALUES"
            " (%(w)s, 'test', %(u)s, 'in_app', 'due', 'sent', 'info', 'a', now()),"
            " (%(w)s, 'test', %(u)s, 'in_app', 'due', 'sent', 'info', 'b', now() + '1 h')",
            {"w": team.workspace_id, "u": team.users["owner"]},
        )
    mine = (await team.viewer.get("/api/v1/system/queues")).json()["items"]
    waiting = {(one["queue"], one["name"]): one for one in mine}
    assert waiting["deliveries", "in_app"]["waiting"] == 1
    assert waiting["deliveries", "in_app"]["later"] == 1
    assert waiting["deliveries", "in_app"]["oldest_at"] is not None
    theirs = (await other_team.owner.get("/api/v1/system/queues")).json()["items"]
    assert [one["queue"] for one in theirs] == ["planning"]


async def test_the_cache_reports_its_hits(team: Team, running: Running) -> None:
    for _ in range(2):
        await team.viewer.get("/api/v1/patterns")
    report = (await team.viewer.get("/api/v1/system/cache")).json()
    assert report["answers"] is True
    assert report["used_bytes"] > 0


async def test_integrations_say_what_is_set_up(team: Team) -> None:
    made = await team.editor.post(
        "/api/v1/channels",
        json={"name": "hook", "kind": "email", "config": {"to": ["a@b.example"]}},
    )
    assert made.status_code == 201
    items = (await team.viewer.get("/api/v1/system/integrations")).json()["items"]
    states = {(one["kind"], one["name"]): one["state"] for one in items}
    assert ("channel", "hook") in states
    assert states["claude", "claude"] == "off"
    assert states["oidc", "oidc"] == "off"
    assert states["prefect", "prefect"] == "down"
