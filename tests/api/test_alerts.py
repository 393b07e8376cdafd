"""Rules and triggers over HTTP, live and back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from psycopg import AsyncConnection

from api.schemas.rules import RuleShape
from convex.db.roles import role_url
from tests.api.conftest import Running, Team
from tests.api.test_live import hear, opened, say


def points(*values: float, metric: str = "rate") -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "points": [
            {
                "framework": "ewr",
                "metric": metric,
                "timestamp": (now - timedelta(seconds=len(values) - n)).isoformat(),
                "value": value,
            }
            for n, value in enumerate(values)
        ]
    }


@pytest_asyncio.fixture
async def rule(team: Team) -> dict[str, Any]:
    """Rate above 10 is critical."""
    framework = (
        await team.editor.post("/api/v1/frameworks", json={"slug": "ewr", "name": "Newark"})
    ).json()
    metric = (
        await team.editor.post(
            "/api/v1/metrics", json={"framework_id": framework["id"], "name": "rate"}
        )
    ).json()
    answer = await team.editor.post(
        "/api/v1/alert-rules",
        json={
            "name": "too much",
            "framework_id": framework["id"],
            "metric_id": metric["id"],
            "threshold_value": 10,
            "severity": "critical",
            "deduplication_window": 0,
            "label_matchers": [],
            "runbook_url": None,
        },
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert (made["window"], made["for"], made["lateness"]) == ("0s", "0s", "5m")
    return made


async def fire(team: Team) -> str:
    answer = await team.clients["key_ingest"].post("/api/v1/points", json=points(5, 20))
    assert answer.status_code == 200, answer.text
    (trigger_id,) = answer.json()["triggers"]
    return str(trigger_id)


@pytest.mark.usefixtures("rule")
async def test_a_breach_is_seen_live_acknowledged_and_resolved(
    running: Running, team: Team
) -> None:
    async with opened(running, team.token("viewer")) as socket:
        await say(socket, "subscribe", framework_id=None)
        await hear(socket)
        trigger_id = await fire(team)
        opened_event = await hear(socket)
        assert opened_event["data"]["id"] == trigger_id
        assert opened_event["data"]["state"] == "firing"
        url = f"/api/v1/alert-triggers/{trigger_id}"
        acknowledged = await team.editor.post(f"{url}/acknowledge", json={"note": "mine"})
        assert acknowledged.status_code == 200, acknowledged.text
        assert acknowledged.json()["acknowledged_by"]["name"] == "Editor"
        event = await hear(socket)
        assert event["data"] == acknowledged.json()
        assert event["cursor"] == opened_event["cursor"] + 1
        resolved = await team.editor.post(f"{url}/resolve")
        assert resolved.json()["resolution_reason"] == "by_hand"
        assert (await hear(socket))["data"]["state"] == "resolved"
    history = (await team.viewer.get(url)).json()["transitions"]
    assert [t["kind"] for t in history] == ["opened", "acknowledged", "resolved"]
    assert history[1]["note"] == "mine"
    assert history[1]["author"] == {"id": str(team.users["editor"]), "name": "Editor"}


@pytest.mark.usefixtures("rule")
async def test_everything_else_that_people_do_with_a_trigger(team: Team) -> None:
    url = f"/api/v1/alert-triggers/{await fire(team)}"
    early = await team.editor.post(f"{url}/reopen")
    assert early.status_code == 409
    await team.editor.post(f"{url}/resolve", json={})
    assert (await team.editor.post(f"{url}/acknowledge", json={})).status_code == 409
    assert (await team.editor.post(f"{url}/reopen")).json()["state"] == "firing"
    assert (await team.editor.post(f"{url}/comment", json={"note": ""})).status_code == 422
    assert (await team.editor.post(f"{url}/comment", json={"note": "hm"})).status_code == 200
    to_viewer = {"user_id": str(team.users["viewer"])}
    assigned = await team.editor.post(f"{url}/assign", json=to_viewer)
    assert assigned.json()["assigned_to"]["name"] == "Viewer"
    stranger = await team.editor.post(f"{url}/assign", json={"user_id": str(uuid4())})
    assert stranger.status_code == 422
    marked = await team.editor.post(f"{url}/feedback", json={"feedback": "false_positive"})
    assert marked.json()["feedback"] == "false_positive"
    mine = await team.viewer.get(
        "/api/v1/alert-triggers", params=to_viewer | {"assigned_to": to_viewer["user_id"]}
    )
    assert len(mine.json()["items"]) == 1
    detail = await team.viewer.get(url)
    stale = await team.editor.post(
        f"{url}/comment", json={"note": "x"}, headers={"if-match": assigned.headers["etag"]}
    )
    assert stale.status_code == 412
    fresh = await team.editor.post(
        f"{url}/comment", json={"note": "x"}, headers={"if-match": detail.headers["etag"]}
    )
    assert fresh.status_code == 200
    gone = str(uuid4())
    bulk = await team.editor.post(
        "/api/v1/alert-triggers/bulk",
        json={"ids": [detail.json()["id"], gone], "action": "resolve", "note": "done"},
    )
    assert bulk.json()["changed"] == [detail.json()["id"]]
    assert [f["code"] for f in bulk.json()["failed"]] == ["not_found"]


@pytest.mark.usefixtures("rule")
async def test_triggers_are_filtered(team: Team) -> None:
    await fire(team)
    for params, expected in (
        ({"state": ["firing", "acknowledged"]}, 1),
        ({"state": "resolved"}, 0),
        ({"severity": "critical", "type": "threshold"}, 1),
        ({"severity": "info"}, 0),
        ({"framework": "ewr", "historical": "false"}, 1),
        ({"historical": "true"}, 0),
        ({"from": datetime.now(UTC).isoformat()}, 0),
        ({"to": datetime.now(UTC).isoformat()}, 1),
        ({"rule": str(uuid4())}, 0),
    ):
        answer = await team.viewer.get("/api/v1/alert-triggers", params=params)
        assert len(answer.json()["items"]) == expected, params
    unknown = await team.viewer.get("/api/v1/alert-triggers", params={"framework": "jfk"})
    assert unknown.status_code == 404
    wrong = await team.viewer.get("/api/v1/alert-triggers", params={"state": "odd"})
    assert wrong.status_code == 422


async def test_rules_are_changed_with_what_is_given(team: Team, rule: dict[str, Any]) -> None:
    url = f"/api/v1/alert-rules/{rule['id']}"
    changed = await team.editor.patch(url, json={"for": "2m", "keep_firing_for": 90})
    assert (changed.json()["for"], changed.json()["keep_firing_for"]) == ("2m", "1m30s")
    assert changed.json()["version"] == rule["version"] + 1
    assert changed.json()["threshold_value"] == 10
    wrong = await team.editor.patch(url, json={"window": "soon"})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["loc"] == ["window"]
    overlapping = await team.editor.patch(url, json={"recovery_threshold": 11})
    assert overlapping.status_code == 422
    stale = await team.editor.patch(url, json={"for": 0}, headers={"if-match": '"x"'})
    assert stale.status_code == 412
    listed = await team.viewer.get("/api/v1/alert-rules", params={"framework": "ewr"})
    assert [r["name"] for r in listed.json()["items"]] == ["too much"]


async def test_a_rule_may_watch_a_whole_framework(team: Team, rule: dict[str, Any]) -> None:
    body = {"name": "all", "framework_id": rule["framework_id"], "type": "anomaly"}
    made = await team.editor.post("/api/v1/alert-rules", json=body)
    assert made.status_code == 201, made.text
    assert (made.json()["metric_id"], made.json()["metric"]) == (None, "")
    RuleShape.model_validate(made.json())
    url = f"/api/v1/alert-rules/{made.json()['id']}"
    one = await team.editor.patch(url, json={"metric_id": rule["metric_id"]})
    assert (one.json()["metric_id"], one.json()["metric"]) == (rule["metric_id"], "rate")
    back = await team.editor.patch(url, json={"metric_id": None})
    assert back.json()["metric_id"] is None
    wrong = await team.editor.post(
        "/api/v1/alert-rules", json=body | {"name": "x", "type": "threshold", "threshold_value": 1}
    )
    assert wrong.status_code == 422
    assert "name a metric" in wrong.json()["detail"]
    nowhere = await team.editor.post(
        "/api/v1/alert-rules", json=body | {"name": "x", "framework_id": rule["metric_id"]}
    )
    assert "no such framework" in nowhere.json()["detail"]
    tested = await team.editor.post("/api/v1/alert-rules/backtest", json={"rule": body, "days": 7})
    assert tested.status_code == 200, tested.text
    listed = await team.viewer.get("/api/v1/alert-rules", params={"metric": rule["metric_id"]})
    assert [one["name"] for one in listed.json()["items"]] == ["too much"]


async def test_disabling_a_rule_resolves_what_it_fired_and_is_told_live(
    running: Running, team: Team, rule: dict[str, Any]
) -> None:
    trigger_id = await fire(team)
    url = f"/api/v1/alert-rules/{rule['id']}"
    async with opened(running, team.token("viewer")) as socket:
        await say(socket, "subscribe", framework_id=rule["framework_id"])
        await hear(socket)
        assert (await team.editor.patch(url, json={"enabled": False})).status_code == 200
        event = await hear(socket)
        assert (event["data"]["id"], event["data"]["state"]) == (trigger_id, "resolved")
    assert (await team.editor.delete(url)).status_code == 403
    assert (await team.owner.delete(url)).status_code == 204
    assert (await team.viewer.get(url)).status_code == 404


@pytest.mark.usefixtures("rule")
async def test_the_alert_flow_is_woken_by_a_breach(running: Running, team: Team) -> None:
    url = role_url(running.resources.settings, "convex_worker")
    async with await AsyncConnection.connect(url, autocommit=True) as listener:
        await listener.execute("LISTEN convex_alert_flow")
        await fire(team)
        async with asyncio.timeout(5):
            async for heard in listener.notifies():
                assert heard.channel == "convex_alert_flow"
                break


@pytest.mark.usefixtures("rule")
async def test_a_silence_is_previewed_made_ended_and_removed(team: Team) -> None:
    trigger_id = await fire(team)
    now = datetime.now(UTC)

    def matcher(label: str, operator: str, value: str) -> list[dict[str, str]]:
        return [{"label": label, "operator": operator, "value": value}]

    for matchers, expected in (
        (matcher("framework", "=", "ewr"), [trigger_id]),
        (matcher("severity", "=~", "warn.*"), []),
        (matcher("rule", "!~", "other"), [trigger_id]),
    ):
        found = await team.viewer.post("/api/v1/silences/preview", json={"matchers": matchers})
        assert [t["id"] for t in found.json()["triggers"]] == expected
        assert found.json()["matching"] == len(expected)
    body = {
        "matchers": matcher("framework", "=", "ewr"),
        "ends_at": (now + timedelta(hours=1)).isoformat(),
        "reason": "runway works",
    }
    mistakes: list[dict[str, Any]] = [
        {"matchers": []},
        {"matchers": matcher("a", "=~", "(")},
        {"ends_at": (now - timedelta(hours=1)).isoformat()},
        {"ends_at": (now + timedelta(days=400)).isoformat()},
        {"reason": " "},
    ]
    for wrong in mistakes:
        refused = await team.editor.post("/api/v1/silences", json={**body, **wrong})
        assert refused.status_code == 422, wrong
    made = await team.editor.post("/api/v1/silences", json=body)
    assert made.status_code == 201, made.text
    assert (made.json()["state"], made.json()["author"]["name"]) == ("active", "Editor")
    url = made.headers["location"]
    active = await team.viewer.get("/api/v1/silences", params={"state": "active"})
    assert [s["id"] for s in active.json()["items"]] == [made.json()["id"]]
    tag = (await team.viewer.get(url)).headers["etag"]
    stale = await team.editor.patch(url, json={"reason": "x"}, headers={"if-match": '"x"'})
    assert stale.status_code == 412
    ended = await team.editor.patch(
        url, json={"ends_at": now.isoformat()}, headers={"if-match": tag}
    )
    assert ended.json()["state"] == "expired"
    assert (await team.editor.patch(url, json={"reason": "x"})).status_code == 422
    later = {**body, "starts_at": (now + timedelta(minutes=30)).isoformat()}
    pending = await team.editor.post("/api/v1/silences", json=later)
    assert pending.json()["state"] == "pending"
    early = await team.editor.patch(pending.headers["location"], json={"ends_at": now.isoformat()})
    assert early.json()["state"] == "expired"
    assert (await team.editor.delete(url)).status_code == 403
    assert (await team.owner.delete(url)).status_code == 204
    assert (await team.viewer.get(url)).status_code == 404


@pytest.mark.usefixtures("rule")
async def test_many_triggers_are_acted_on_by_a_filter(team: Team) -> None:
    trigger_id = await fire(team)
    bulk = "/api/v1/alert-triggers/bulk"
    narrow = {"state": ["firing"], "severity": ["critical"], "framework": "ewr"}
    done = await team.editor.post(
        bulk, json={"filter": narrow, "action": "acknowledge", "note": "all of them"}
    )
    assert done.json() == {"changed": [trigger_id], "failed": [], "more": False}, done.text
    none_left = await team.editor.post(bulk, json={"filter": narrow, "action": "acknowledge"})
    assert none_left.json()["changed"] == []
    for action in (
        {"action": "comment", "note": "hm"},
        {"action": "assign", "user_id": str(team.users["viewer"])},
        {"action": "feedback", "feedback": "actionable"},
        {"action": "resolve"},
        {"action": "reopen"},
    ):
        done = await team.editor.post(bulk, json={"ids": [trigger_id], **action})
        assert done.json()["changed"] == [trigger_id], done.text
    detail = (await team.viewer.get(f"/api/v1/alert-triggers/{trigger_id}")).json()
    kinds = [one["kind"] for one in detail["transitions"]]
    assert kinds == [
        "opened", "acknowledged", "commented", "assigned", "feedback", "resolved", "reopened",
    ]  # fmt: skip
    assert {one["author"]["name"] for one in detail["transitions"][1:]} == {"Editor"}
    stale = {"ids": [trigger_id], "action": "resolve", "versions": {trigger_id: 1}}
    late = await team.editor.post(bulk, json=stale)
    assert [one["code"] for one in late.json()["failed"]] == ["precondition_failed"]


@pytest.mark.parametrize(
    "body",
    [
        {"action": "resolve"},
        {"action": "resolve", "ids": [], "filter": None},
        {"action": "resolve", "ids": [str(uuid4())], "filter": {}},
        {"action": "comment", "filter": {}},
        {"action": "assign", "filter": {}},
        {"action": "resolve", "filter": {}, "user_id": None},
        {"action": "feedback", "filter": {}},
        {"action": "dance", "filter": {}},
        {"action": "resolve", "filter": {"color": "red"}},
    ],
)
async def test_a_bulk_that_makes_no_sense_is_refused(team: Team, body: dict[str, Any]) -> None:
    answer = await team.editor.post("/api/v1/alert-triggers/bulk", json=body)
    assert answer.status_code == 422


async def test_many_rules_are_disabled_deleted_and_brought_back(
    rule: dict[str, Any], team: Team, other_team: Team
) -> None:
    trigger_id = await fire(team)
    bulk = "/api/v1/alert-rules/bulk"
    off = await team.editor.post(bulk, json={"filter": {"search": "TOO"}, "action": "disable"})
    assert off.json() == {"changed": [rule["id"]], "failed": [], "more": False}
    detail = (await team.viewer.get(f"/api/v1/alert-triggers/{trigger_id}")).json()
    assert detail["resolution_reason"] == "rule_disabled"
    assert (await team.viewer.get(f"/api/v1/alert-rules/{rule['id']}")).json()["enabled"] is False
    stale = {"ids": [rule["id"]], "action": "enable", "versions": {rule["id"]: 1}}
    late = await team.editor.post(bulk, json=stale)
    assert [one["code"] for one in late.json()["failed"]] == ["precondition_failed"]
    ids = {"ids": [rule["id"], str(uuid4())]}
    assert (await team.editor.post(bulk, json=ids | {"action": "delete"})).status_code == 403
    gone = await team.owner.post(bulk, json=ids | {"action": "delete"})
    assert gone.json()["changed"] == [rule["id"]]
    assert [one["code"] for one in gone.json()["failed"]] == ["not_found"]
    theirs = await other_team.owner.post(bulk, json=ids | {"action": "undelete"})
    assert [one["code"] for one in theirs.json()["failed"]] == ["not_found", "not_found"]
    listed = await team.viewer.get("/api/v1/alert-rules", params={"deleted": "true"})
    (deleted,) = listed.json()["items"]
    assert deleted["deleted_at"] is not None
    url = f"/api/v1/alert-rules/{rule['id']}"
    assert (await other_team.owner.post(f"{url}/undelete")).status_code == 404
    wrong = await team.owner.post(f"{url}/undelete", headers={"if-match": '"old"'})
    assert wrong.status_code == 412
    back = await team.owner.post(f"{url}/undelete")
    assert back.status_code == 200, back.text
    assert back.json()["deleted_at"] is None
    assert (await team.owner.post(f"{url}/undelete")).status_code == 409
    on = await team.editor.post(bulk, json={"ids": [rule["id"]], "action": "enable"})
    assert on.json()["changed"] == [rule["id"]]
    await fire(team)


async def test_a_name_that_was_taken_meanwhile_stays_taken(
    rule: dict[str, Any], team: Team
) -> None:
    url = f"/api/v1/alert-rules/{rule['id']}"
    assert (await team.owner.delete(url)).status_code == 204
    again = await team.editor.post(
        "/api/v1/alert-rules",
        json={
            name: rule[name] for name in ("name", "framework_id", "metric_id", "threshold_value")
        },
    )
    assert again.status_code == 201, again.text
    assert (await team.owner.post(f"{url}/undelete")).status_code == 409
