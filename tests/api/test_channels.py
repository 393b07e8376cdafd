"""Channels, preferences, the ledger, unsubscribing."""

from __future__ import annotations

import re

import httpx
import pytest

from convex.db import Database, Identity, Role
from convex.notifications.unsubscribe import unsubscribe_url
from tests.api.conftest import Running, Team
from tests.convex.notifications import rows


async def test_a_channel_is_made_changed_tested_and_removed(team: Team) -> None:
    made = await team.editor.post(
        "/api/v1/channels",
        json={"name": "hook", "kind": "webhook", "config": {"url": "https://example.com/x"}},
    )
    assert made.status_code == 201, made.text
    secret = made.json()["secret"]
    assert secret
    assert made.headers["cache-control"] == "no-store"
    url = made.headers["location"]
    shown = await team.viewer.get(url)
    assert shown.json()["has_secret"] is True
    assert secret not in shown.text
    assert secret not in (await team.viewer.get("/api/v1/channels")).text
    tag = shown.headers["etag"]
    renamed = await team.editor.patch(url, json={"name": "hook2"}, headers={"if-match": tag})
    assert renamed.json()["name"] == "hook2"
    stale = await team.editor.patch(url, json={"name": "x"}, headers={"if-match": tag})
    assert stale.status_code == 412
    test = await team.editor.post(f"{url}/test")
    assert test.status_code == 202, test.text
    rows = (await team.editor.get(test.headers["location"])).json()["items"]
    assert [(row["id"], row["kind"], row["reason"], row["channel"]) for row in rows] == [
        (test.json()["notification_id"], "test", "test", "hook2")
    ]
    health = (await team.viewer.get("/api/v1/channels/health")).json()["items"]
    assert {each["name"] for each in health} == {"hook2", "in_app", "email"}
    assert (await team.owner.delete(url)).status_code == 204
    assert (await team.viewer.get(url)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Hook", "kind": "webhook"},
        {"name": "hook", "kind": "pigeon"},
        {"name": "hook", "kind": "webhook", "config": {}},
    ],
)
async def test_channels_that_cannot_work_are_refused(team: Team, body: dict[str, object]) -> None:
    answer = await team.editor.post("/api/v1/channels", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_preferences_are_ones_own_until_the_workspaces(team: Team) -> None:
    before = await team.viewer.get("/api/v1/notification-preferences")
    assert before.json()["source"] == "built_in"
    await team.owner.put(
        "/api/v1/notification-preferences/workspace", json={"min_severity": "warning"}
    )
    shared = await team.viewer.get("/api/v1/notification-preferences")
    assert (shared.json()["source"], shared.json()["min_severity"]) == ("workspace", "warning")
    own = await team.viewer.put(
        "/api/v1/notification-preferences",
        json={"quiet_hours_enabled": True, "quiet_hours_start": "23:30", "max_per_hour": None},
    )
    assert own.status_code == 200, own.text
    assert (own.json()["source"], own.json()["quiet_hours_start"]) == ("own", "23:30")
    assert own.json()["min_severity"] == "warning"
    wrong = await team.viewer.put(
        "/api/v1/notification-preferences", json={"timezone": "Nowhere/Land"}
    )
    assert wrong.status_code == 422
    other = await team.editor.get("/api/v1/notification-preferences")
    assert other.json()["source"] == "workspace"
    stale = await team.viewer.put(
        "/api/v1/notification-preferences",
        json={"predictions": True},
        headers={"if-match": before.headers["etag"]},
    )
    assert stale.status_code == 412


async def test_settings_are_tried_on_the_past_before_they_are_saved(
    team: Team, worker: Database
) -> None:
    async with worker.transaction(Identity(team.workspace_id, Role.SYSTEM)) as connection:
        watched = await rows.watch(connection, team.workspace_id, severity="warning")
        await rows.fire(connection, watched, 3)
    tried = await team.viewer.post(
        "/api/v1/notification-preferences/simulate",
        json={"preferences": {"min_severity": "critical"}, "days": 30},
    )
    assert tried.status_code == 200, tried.text
    found = tried.json()
    assert (found["transitions"], found["truncated"]) == (3, False)
    assert found["current"]["messages"]["in_app"] == 3
    assert found["proposed"]["total"] == 0
    assert found["differences"] == len(found["items"]) >= 3
    item = next(one for one in found["items"] if one["channel_kind"] == "in_app")
    assert item["current"]["reason"] == "sent"
    assert item["proposed"]["reason"] == "below_severity"
    assert "only critical is wanted" in item["proposed"]["explanation"]
    kept = (await team.viewer.get("/api/v1/notification-preferences")).json()
    assert kept["min_severity"] == "info"
    wrong = await team.viewer.post(
        "/api/v1/notification-preferences/simulate", json={"preferences": {"timezone": "Nowhere"}}
    )
    assert wrong.status_code == 422
    long = await team.viewer.post("/api/v1/notification-preferences/simulate", json={"days": 91})
    assert long.status_code == 422


async def test_mail_stops_by_one_click_and_not_by_following_a_link(
    running: Running, team: Team, anonymous: httpx.AsyncClient
) -> None:
    key = running.resources.secrets.signing_key
    link = unsubscribe_url("", key, team.workspace_id, team.users["viewer"])
    page = await anonymous.get(link)
    assert re.search("<form method=.post.>", page.text)
    assert "script" not in page.text
    kept = (await team.viewer.get("/api/v1/notification-preferences")).json()
    assert "email" in kept["channels"]
    for _ in range(2):
        done = await anonymous.post(link, data={"List-Unsubscribe": "One-Click"})
        assert done.status_code == 200
    kept = (await team.viewer.get("/api/v1/notification-preferences")).json()
    assert kept["channels"] == ["in_app"]
    forged = await anonymous.post(link[:-3] + "AAA")
    assert forged.status_code == 404


async def test_the_inbox_is_empty_at_first(team: Team) -> None:
    inbox = (await team.viewer.get("/api/v1/notifications")).json()
    assert inbox == {"items": [], "next_cursor": None, "unread": 0}
    assert (await team.viewer.post("/api/v1/notifications/read-all")).json() == {"marked": 0}
