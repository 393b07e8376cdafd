"""Insights and recommendations over HTTP, as people use them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from convex.db import Database, Identity, Role
from convex.insights import recommendations
from convex.insights.recommendation import Origin, Proposal
from convex.settings import Settings
from tests.api.conftest import Running, Team, make_team, serve
from tests.convex.insights.messages_server import (
    MessagesServer,
    messages_server,
    wrong_number,
)


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine has."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)


async def furnish(client: httpx.AsyncClient) -> dict[str, Any]:
    """A framework with a rule that has fired: ids by name."""
    framework = (
        await client.post("/api/v1/frameworks", json={"slug": "ewr", "name": "Newark"})
    ).json()
    metric = (
        await client.post("/api/v1/metrics", json={"framework_id": framework["id"], "name": "rate"})
    ).json()
    rule = await client.post(
        "/api/v1/alert-rules",
        json={
            "name": "Too many",
            "framework_id": framework["id"],
            "metric_id": metric["id"],
            "threshold_value": 1,
            "severity": "critical",
        },
    )
    now = datetime.now(UTC)
    points = [
        {
            "framework": "ewr",
            "metric": "rate",
            "timestamp": (now - timedelta(seconds=40 - 10 * i)).isoformat(),
            "value": value,
        }
        for i, value in enumerate((0.5, 0.5, 7.25))
    ]
    sent = await client.post("/api/v1/points", json={"points": points})
    return {
        "framework": framework["id"],
        "rule": rule.json()["id"],
        "trigger": sent.json()["triggers"][0],
    }


async def propose(worker: Database, team: Team, ids: dict[str, Any]) -> str:
    """A recommendation that changes the rule; its id."""
    proposal = Proposal(
        origin=Origin.TUNING,
        fingerprint="rule:x:tune",
        title="Tune “Too many”: for 2h",
        action={"kind": "update_rule", "rule_id": ids["rule"], "changes": {"for": "2h"}},
        actionability=90,
        evidence={"backtest_now": {"triggers": 9}},
        effect={"triggers_saved_a_week": 3.0},
        framework_id=ids["framework"],
        rule_id=ids["rule"],
    )
    identity = Identity(team.workspace_id, Role.SYSTEM)
    async with worker.transaction(identity) as connection:
        await recommendations.save(connection, team.workspace_id, [proposal], now=datetime.now(UTC))
    found = (await team.viewer.get("/api/v1/recommendations")).json()["items"]
    return str(found[0]["id"])


async def test_an_insight_is_written_now_and_listed(team: Team) -> None:
    ids = await furnish(team.owner)
    path = f"/api/v1/frameworks/{ids['framework']}/insights"
    made = await team.editor.post(path)
    assert made.status_code == 201, made.text
    insight = made.json()
    assert (insight["source"], insight["source_reason"]) == ("template", "no_key")
    assert "ANTHROPIC_API_KEY" in insight["source_explanation"]
    facts = {fact["id"] for fact in insight["evidence"]["facts"]}
    assert set(insight["content"]["headline"]["facts"]) <= facts
    assert "“Too many” has been open since" in str(insight["content"]["findings"])
    assert (await team.viewer.get(made.headers["location"])).json() == insight
    listed = (await team.viewer.get(path)).json()["items"]
    assert [one["id"] for one in listed] == [insight["id"]]
    by_slug = (await team.viewer.get("/api/v1/frameworks/ewr/insights?kind=digest")).json()
    assert by_slug["items"] == []
    again = await team.editor.post(path, json={"kind": "framework"})
    assert again.json()["id"] == insight["id"]


async def test_an_alert_is_explained(team: Team) -> None:
    ids = await furnish(team.owner)
    path = f"/api/v1/alert-triggers/{ids['trigger']}/explain"
    made = await team.editor.post(path)
    assert made.status_code == 201, made.text
    assert "“rate” was 7.25, and its threshold is 1." in made.json()["content"]["headline"]["text"]
    listed = await team.viewer.get(f"/api/v1/insights?trigger={ids['trigger']}&kind=trigger")
    assert [one["id"] for one in listed.json()["items"]] == [made.json()["id"]]


async def test_the_week_is_digested_and_questions_are_answered(team: Team) -> None:
    await furnish(team.owner)
    digest = await team.editor.post("/api/v1/insights/digest")
    assert digest.status_code == 201, digest.text
    assert digest.json()["kind"] == "digest"
    asked = {"question": "What is open now?"}
    answer = await team.editor.post("/api/v1/insights/ask?framework=ewr", json=asked)
    assert answer.status_code == 201, answer.text
    assert answer.json()["content"]["answered"] is True
    assert answer.json()["evidence"]["question"] == "What is open now?"
    for wrong in ({"question": " "}, {"question": "x" * 501}, {}, {"question": "x", "more": 1}):
        refused = await team.editor.post("/api/v1/insights/ask", json=wrong)
        assert refused.status_code == 422, wrong


async def test_a_strategy_is_judged_by_the_rubric_without_a_key(team: Team) -> None:
    ids = await furnish(team.owner)
    base = f"/api/v1/frameworks/{ids['framework']}"
    none_yet = await team.editor.post(f"{base}/insights", json={"kind": "strategy"})
    assert none_yet.status_code == 404
    document = "We raise the on-time rate to 85 % by June, because people miss connections."
    await team.editor.post(f"{base}/strategy-versions", json={"document": document})
    made = await team.editor.post(f"{base}/insights", json={"kind": "strategy", "version": 1})
    assert made.status_code == 201, made.text
    content = made.json()["content"]
    assert content["verdict"] in {"pass", "needs_revision", "fail"}
    assert content["clarity"]["quote"]


async def test_feedback_is_counted(team: Team) -> None:
    ids = await furnish(team.owner)
    insight = (await team.editor.post(f"/api/v1/frameworks/{ids['framework']}/insights")).json()
    path = f"/api/v1/insights/{insight['id']}/feedback"
    given = await team.editor.post(path, json={"feedback": "helpful"})
    assert given.json()["feedback"] == "helpful"
    assert (await team.editor.post(path, json={"feedback": "great"})).status_code == 422
    quality = (await team.viewer.get("/api/v1/insights/quality")).json()
    assert quality["by_template"] == 1
    assert (quality["helpful"], quality["verified_share"]) == (0, None)  # a template's: apart
    assert quality["daily_budget_usd"] == 2.0
    assert (await team.viewer.get("/api/v1/system/health")).json()["insights"] == quality
    assert (await team.editor.post(path, json={"feedback": None})).json()["feedback"] is None


@pytest_asyncio.fixture
async def with_claude(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Running, MessagesServer]]:
    """An API with a key and a Messages API on loopback."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    async with messages_server() as server:
        chosen = settings.model_copy(update={"insights": server.settings()})
        async with serve(chosen) as running:
            yield running, server


async def test_with_a_key_claude_writes(
    with_claude: tuple[Running, MessagesServer], worker: Database, password_hash: str
) -> None:
    running, server = with_claude
    team = await make_team(running, worker, password_hash)
    ids = await furnish(team.owner)
    made = await team.editor.post(f"/api/v1/frameworks/{ids['framework']}/insights")
    insight = made.json()
    assert (insight["source"], insight["source_explanation"]) == ("claude", "")
    assert insight["cost_usd"] > 0
    assert insight["thinking_tokens"] == 300
    server.then(wrong_number, wrong_number)
    explained = await team.editor.post(f"/api/v1/alert-triggers/{ids['trigger']}/explain")
    assert explained.json()["source_reason"] == "not_verified"
    quality = (await team.viewer.get("/api/v1/insights/quality?days=1")).json()
    assert (quality["runs"], quality["written"], quality["rejected"]) == (2, 1, 2)
    assert quality["spent_today_usd"] == pytest.approx(quality["cost_usd"])
    scrape = (await team.viewer.get("/metrics")).text
    assert 'convex_llm_tokens_total{kind="thinking"}' in scrape
    assert "convex_llm_cost_usd_total" in scrape
    for client in team.clients.values():
        await client.aclose()


async def test_a_recommendation_is_accepted_and_undone(team: Team, worker: Database) -> None:
    ids = await furnish(team.owner)
    one = await propose(worker, team, ids)
    path = f"/api/v1/recommendations/{one}"
    got = await team.viewer.get(path)
    assert got.json()["priority"] == 54.0
    stale = {"If-Match": got.headers["etag"]}
    accepted = await team.editor.post(f"{path}/accept", json={"note": "yes"}, headers=stale)
    assert accepted.status_code == 200, accepted.text
    assert accepted.json()["state"] == "accepted"
    assert accepted.json()["decided_by"]["name"] == "Editor"
    rule = (await team.viewer.get(f"/api/v1/alert-rules/{ids['rule']}")).json()
    assert rule["for"] == "2h"
    assert (await team.editor.post(f"{path}/undo", headers=stale)).status_code == 412
    assert (await team.editor.post(f"{path}/accept")).status_code == 409
    undone = await team.editor.post(f"{path}/undo")
    assert (undone.json()["state"], undone.json()["applied"]) == ("open", None)
    rule = (await team.viewer.get(f"/api/v1/alert-rules/{ids['rule']}")).json()
    assert rule["for"] == "0s"
    listed = "/api/v1/frameworks/ewr/recommendations?state=open&origin=tuning"
    assert [o["id"] for o in (await team.viewer.get(listed)).json()["items"]] == [one]


async def test_a_recommendation_is_dismissed_with_a_reason_or_done(
    team: Team, worker: Database
) -> None:
    ids = await furnish(team.owner)
    path = f"/api/v1/recommendations/{await propose(worker, team, ids)}"
    assert (await team.editor.post(f"{path}/dismiss", json={})).status_code == 422
    gone = await team.editor.post(f"{path}/dismiss", json={"reason": "not in winter"})
    assert (gone.json()["state"], gone.json()["note"]) == ("dismissed", "not in winter")
    await team.editor.post(f"{path}/undo")
    done = await team.editor.post(f"{path}/done")
    assert done.json()["state"] == "done"
    assert (await team.viewer.get("/api/v1/recommendations?state=open")).json()["items"] == []


async def test_nothing_of_it_is_another_workspace_s(
    team: Team, other_team: Team, worker: Database
) -> None:
    ids = await furnish(team.owner)
    made = await team.editor.post(f"/api/v1/frameworks/{ids['framework']}/insights")
    one = await propose(worker, team, ids)
    stranger = other_team.owner
    insight = f"/api/v1/insights/{made.json()['id']}"
    for method, path, body in (
        ("GET", insight, None),
        ("POST", f"{insight}/feedback", {"feedback": "helpful"}),
        ("GET", f"/api/v1/frameworks/{ids['framework']}/insights", None),
        ("POST", f"/api/v1/frameworks/{ids['framework']}/insights", None),
        ("POST", f"/api/v1/alert-triggers/{ids['trigger']}/explain", None),
        ("GET", f"/api/v1/recommendations/{one}", None),
        ("GET", f"/api/v1/frameworks/{ids['framework']}/recommendations", None),
        ("POST", f"/api/v1/recommendations/{one}/accept", None),
        ("POST", f"/api/v1/recommendations/{one}/dismiss", {"reason": "x"}),
        ("POST", f"/api/v1/recommendations/{one}/done", None),
        ("POST", f"/api/v1/recommendations/{one}/undo", None),
        ("GET", f"/api/v1/insights/{uuid4()}", None),
    ):
        answer = await stranger.request(method, path, json=body)
        assert answer.status_code == 404, (method, path)
    assert (await stranger.get("/api/v1/insights")).json()["items"] == []
    assert (await stranger.get("/api/v1/recommendations")).json()["items"] == []
    viewer = await team.viewer.post(f"/api/v1/recommendations/{one}/accept")
    assert viewer.status_code == 403
