"""Who may do what, over every route of the document; and nobody reaches into another workspace."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from psycopg.types.json import Jsonb

from api.app import create_app
from convex.db import Database, Identity, Role
from convex.settings import Settings
from tests.api.conftest import Running, Team, make_team

PEOPLE = ("viewer", "editor", "owner", "key_read", "key_ingest", "key_write", "key_read_ingest")
READERS = {"viewer", "editor", "owner", "key_read", "key_write", "key_read_ingest"}
EDITORS = {"editor", "owner", "key_write"}
OWNERS = {"owner"}
SIGNED_IN = {"viewer", "editor", "owner"}
SENDERS = {"editor", "owner", "key_ingest", "key_write", "key_read_ingest"}
EVERYBODY = set(PEOPLE)

# Every operation that needs a token, and who passes. A new route must be added here.
ALLOWED: dict[tuple[str, str], set[str]] = {
    ("get", "/me"): READERS,
    ("patch", "/me"): SIGNED_IN,
    ("post", "/me/password"): SIGNED_IN,
    ("get", "/workspaces"): READERS,
    ("post", "/workspaces"): SIGNED_IN,
    ("get", "/workspaces/{workspace_id}"): READERS,
    ("patch", "/workspaces/{workspace_id}"): OWNERS,
    ("get", "/workspaces/{workspace_id}/exports"): OWNERS,
    ("post", "/workspaces/{workspace_id}/exports"): OWNERS,
    ("get", "/workspaces/{workspace_id}/exports/{export_id}"): OWNERS,
    ("get", "/workspaces/{workspace_id}/exports/{export_id}/file"): OWNERS,
    ("get", "/workspaces/{workspace_id}/deletion"): OWNERS,
    ("post", "/workspaces/{workspace_id}/deletion"): OWNERS,
    ("delete", "/workspaces/{workspace_id}/deletion"): OWNERS,
    ("get", "/members"): READERS,
    ("post", "/members"): OWNERS,
    ("get", "/members/{user_id}"): READERS,
    ("patch", "/members/{user_id}"): OWNERS,
    ("delete", "/members/{user_id}"): OWNERS,
    ("post", "/members/{user_id}/invitation"): OWNERS,
    ("get", "/api-keys"): OWNERS,
    ("post", "/api-keys"): OWNERS,
    ("get", "/api-keys/{key_id}"): OWNERS,
    ("delete", "/api-keys/{key_id}"): OWNERS,
    ("get", "/audit"): OWNERS,
    ("get", "/audit/verify"): OWNERS,
    ("get", "/frameworks"): READERS,
    ("post", "/frameworks"): EDITORS,
    ("get", "/frameworks/{framework}"): READERS,
    ("patch", "/frameworks/{framework}"): EDITORS,
    ("delete", "/frameworks/{framework}"): OWNERS,
    ("get", "/frameworks/{framework}/health"): READERS,
    ("get", "/frameworks/{framework}/risk"): READERS,
    ("get", "/frameworks/{framework}/strategy-versions"): READERS,
    ("post", "/frameworks/{framework}/strategy-versions"): EDITORS,
    ("get", "/frameworks/{framework}/strategy-versions/{number}"): READERS,
    ("get", "/frameworks/{framework}/strategy-versions/{number}/diff"): READERS,
    ("get", "/frameworks/{framework}/strategy-scores"): READERS,
    ("post", "/frameworks/{framework}/strategy-scores"): EDITORS,
    ("get", "/metrics"): READERS,
    ("post", "/metrics"): EDITORS,
    ("get", "/metrics/{metric_id}"): READERS,
    ("patch", "/metrics/{metric_id}"): EDITORS,
    ("delete", "/metrics/{metric_id}"): OWNERS,
    ("get", "/series"): READERS,
    ("get", "/series/{series_id}"): READERS,
    ("get", "/series/{series_id}/points"): READERS,
    ("post", "/points"): SENDERS,
    ("post", "/prometheus/write"): SENDERS,
    ("post", "/otlp/v1/metrics"): SENDERS,
    ("post", "/alertmanager/webhook"): SENDERS,
    ("post", "/api/v2/alerts"): SENDERS,
    ("get", "/api/v2/alerts"): READERS,
    ("get", "/api/v2/receivers"): READERS,
    ("get", "/api/v2/status"): READERS,
    ("get", "/api/v2/silences"): READERS,
    ("post", "/api/v2/silences"): EDITORS,
    ("get", "/api/v2/silence/{silence_id}"): READERS,
    ("delete", "/api/v2/silence/{silence_id}"): EDITORS,
    ("get", "/ingestion"): READERS,
    ("put", "/ingestion"): OWNERS,
    ("get", "/rejected-points/export"): READERS,
    ("post", "/rejected-points/reingest"): EDITORS,
    ("get", "/sources"): READERS,
    ("post", "/sources"): EDITORS,
    ("get", "/sources/{source_id}"): READERS,
    ("patch", "/sources/{source_id}"): EDITORS,
    ("delete", "/sources/{source_id}"): OWNERS,
    ("post", "/sources/{source_id}/run"): EDITORS,
    ("get", "/quality/trends"): READERS,
    ("get", "/quality/distrusted"): READERS,
    ("get", "/quality/ranges"): READERS,
    ("get", "/quality/ranges/{metric_id}"): READERS,
    ("put", "/quality/ranges/{metric_id}"): EDITORS,
    ("get", "/alert-rules"): READERS,
    ("post", "/alert-rules"): EDITORS,
    ("get", "/alert-rules/{rule_id}"): READERS,
    ("patch", "/alert-rules/{rule_id}"): EDITORS,
    ("delete", "/alert-rules/{rule_id}"): OWNERS,
    ("post", "/alert-rules/{rule_id}/undelete"): OWNERS,
    ("post", "/alert-rules/bulk"): EDITORS,
    ("post", "/alert-rules/plan"): EDITORS,
    ("post", "/alert-rules/apply"): EDITORS,
    ("get", "/alert-rules/export"): READERS,
    ("post", "/alert-rules/backtest"): EDITORS,
    ("post", "/alert-rules/{rule_id}/tuning"): EDITORS,
    ("post", "/alert-rules/{rule_id}/test"): EDITORS,
    ("get", "/alert-triggers"): READERS,
    ("post", "/alert-triggers/bulk"): EDITORS,
    ("get", "/alert-triggers/{trigger_id}"): READERS,
    **{
        ("post", f"/alert-triggers/{{trigger_id}}/{action}"): EDITORS
        for action in ("acknowledge", "resolve", "reopen", "comment", "assign", "feedback")
    },
    ("get", "/rejected-points"): READERS,
    ("get", "/silences"): READERS,
    ("post", "/silences"): EDITORS,
    ("post", "/silences/preview"): READERS,
    ("get", "/silences/{silence_id}"): READERS,
    ("patch", "/silences/{silence_id}"): EDITORS,
    ("delete", "/silences/{silence_id}"): OWNERS,
    ("get", "/mute-windows"): READERS,
    ("post", "/mute-windows"): EDITORS,
    ("get", "/mute-windows/{window_id}"): READERS,
    ("patch", "/mute-windows/{window_id}"): EDITORS,
    ("delete", "/mute-windows/{window_id}"): OWNERS,
    ("get", "/inhibition-rules"): READERS,
    ("post", "/inhibition-rules"): EDITORS,
    ("get", "/inhibition-rules/{inhibition_id}"): READERS,
    ("patch", "/inhibition-rules/{inhibition_id}"): EDITORS,
    ("delete", "/inhibition-rules/{inhibition_id}"): OWNERS,
    ("get", "/channels"): READERS,
    ("post", "/channels"): EDITORS,
    ("get", "/channels/health"): READERS,
    ("get", "/channels/{channel_id}"): READERS,
    ("patch", "/channels/{channel_id}"): EDITORS,
    ("delete", "/channels/{channel_id}"): OWNERS,
    ("post", "/channels/{channel_id}/test"): EDITORS,
    ("get", "/notification-preferences"): SIGNED_IN,
    ("put", "/notification-preferences"): SIGNED_IN,
    ("post", "/notification-preferences/simulate"): SIGNED_IN,
    ("get", "/notification-preferences/workspace"): READERS,
    ("put", "/notification-preferences/workspace"): OWNERS,
    ("get", "/notifications"): SIGNED_IN,
    ("post", "/notifications/read-all"): SIGNED_IN,
    ("post", "/notifications/{notification_id}/read"): SIGNED_IN,
    ("get", "/ledger"): READERS,
    ("get", "/analytics/summary"): READERS,
    ("get", "/analytics/trends"): READERS,
    ("get", "/analytics/performance"): READERS,
    ("get", "/analytics/distribution"): READERS,
    ("get", "/analytics/noise"): READERS,
    ("get", "/patterns"): READERS,
    ("post", "/patterns"): EDITORS,
    ("get", "/patterns/{pattern_id}"): READERS,
    ("get", "/patterns/{pattern_id}/triggers"): READERS,
    ("get", "/predictions"): READERS,
    ("post", "/predictions"): EDITORS,
    ("get", "/predictions/scorecard"): READERS,
    ("get", "/predictions/{prediction_id}"): READERS,
    ("post", "/predictions/{prediction_id}/actions"): EDITORS,
    ("get", "/series/{series_id}/forecast"): READERS,
    ("get", "/quality/runs"): READERS,
    ("get", "/insights"): READERS,
    ("get", "/insights/quality"): READERS,
    ("get", "/insights/{insight_id}"): READERS,
    ("post", "/insights/{insight_id}/feedback"): EDITORS,
    ("post", "/insights/digest"): EDITORS,
    ("post", "/insights/ask"): EDITORS,
    ("get", "/frameworks/{framework}/insights"): READERS,
    ("post", "/frameworks/{framework}/insights"): EDITORS,
    ("post", "/alert-triggers/{trigger_id}/explain"): EDITORS,
    ("get", "/recommendations"): READERS,
    ("get", "/frameworks/{framework}/recommendations"): READERS,
    ("get", "/recommendations/{recommendation_id}"): READERS,
    **{
        ("post", f"/recommendations/{{recommendation_id}}/{action}"): EDITORS
        for action in ("accept", "dismiss", "done", "undo")
    },
    ("get", "/system/health"): READERS,
    ("get", "/system/queues"): READERS,
    ("get", "/system/cache"): READERS,
    ("get", "/system/integrations"): READERS,
}
# Everything a body could need; a route takes what it knows, so 422 says nothing about rights.
BODY: dict[str, Any] = {}


def operations() -> Iterator[tuple[str, str]]:
    """Every operation of the document that needs a token."""
    document = create_app(Settings()).openapi()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if operation.get("security"):
                yield method, path.removeprefix("/api/v1")


def fill(path: str, ids: dict[str, str]) -> str:
    """The whole path; Alertmanager's own API has its place beside ours."""
    filled = re.sub(r"{(\w+)}", lambda found: ids.get(found[1], str(uuid4())), path)
    return filled if filled.startswith("/api/") else f"/api/v1{filled}"


def test_every_operation_is_in_the_table() -> None:
    assert set(operations()) == set(ALLOWED)


async def call(
    client: httpx.AsyncClient, method: str, path: str, ids: dict[str, str]
) -> httpx.Response:
    body = {"json": BODY} if method in {"post", "put", "patch"} else {}
    return await client.request(method.upper(), fill(path, ids), **body)  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "path"), sorted(ALLOWED))
async def test_each_role_and_scope_may_do_what_the_table_says(
    method: str, path: str, shared_team: Team
) -> None:
    unknown = {"series_id": "9007199254740991", "number": "1"}
    for person in PEOPLE:
        answer = await call(shared_team.clients[person], method, path, unknown)
        refused = answer.status_code == 403
        assert refused == (person not in ALLOWED[method, path]), (person, answer.text)
        assert answer.status_code not in {401, 405, 500}, (person, answer.text)


async def test_without_a_token_nothing_is_to_be_had(anonymous: httpx.AsyncClient) -> None:
    for method, path in ALLOWED:
        answer = await call(anonymous, method, path, {"series_id": "1", "number": "1"})
        assert answer.status_code == 401, (method, path)


@pytest_asyncio.fixture(scope="module")
async def shared_team(
    running: Running, worker: Database, password_hash: str
) -> AsyncIterator[Team]:
    """One workspace for the whole table."""
    team = await make_team(running, worker, password_hash)
    yield team
    for client in team.clients.values():
        await client.aclose()


@pytest_asyncio.fixture
async def furnished(team: Team, worker: Database) -> dict[str, str]:
    """Ids of one of everything in a workspace."""
    post = team.owner.post
    framework = (await post("/api/v1/frameworks", json={"slug": "ewr", "name": "x"})).json()
    metric = (
        await post("/api/v1/metrics", json={"framework_id": framework["id"], "name": "rate"})
    ).json()
    rule = await post(
        "/api/v1/alert-rules",
        json={
            "name": "r",
            "framework_id": framework["id"],
            "metric_id": metric["id"],
            "threshold_value": 1,
        },
    )
    point = {
        "framework": "ewr",
        "metric": "rate",
        "timestamp": (datetime.now(UTC) - timedelta(seconds=1)).isoformat(),
        "value": 5,
    }
    sent = await post("/api/v1/points", json={"points": [point]})
    series = (await team.owner.get("/api/v1/series")).json()["items"][0]
    channel = await post(
        "/api/v1/channels",
        json={"name": "hook", "kind": "webhook", "config": {"url": "https://example.com/x"}},
    )
    assert channel.status_code == 201, channel.text
    silence = await post(
        "/api/v1/silences",
        json={
            "matchers": [{"label": "framework", "operator": "=", "value": "ewr"}],
            "ends_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
            "reason": "works",
        },
    )
    assert silence.status_code == 201, silence.text
    here = [{"label": "framework", "operator": "=", "value": "ewr"}]
    window = await post(
        "/api/v1/mute-windows",
        json={
            "name": "nights",
            "matchers": here,
            "timezone": "Europe/Berlin",
            "intervals": [{"start": "22:00", "end": "06:00"}],
        },
    )
    assert window.status_code == 201, window.text
    inhibition = await post(
        "/api/v1/inhibition-rules",
        json={
            "name": "one speaks for others",
            "source_matchers": [{"label": "severity", "operator": "=", "value": "critical"}],
            "target_matchers": here,
        },
    )
    assert inhibition.status_code == 201, inhibition.text
    key = await post("/api/v1/api-keys", json={"name": "k", "scopes": ["read"]})
    source = await post(
        "/api/v1/sources",
        json={
            "name": "prom",
            "kind": "prometheus",
            "config": {"url": "https://example.com", "queries": [{"query": "up", "metric": "up"}]},
        },
    )
    assert source.status_code == 201, source.text
    strategy = await post(
        f"/api/v1/frameworks/{framework['id']}/strategy-versions", json={"document": "Fly on time."}
    )
    assert strategy.status_code == 201, strategy.text
    async with worker.transaction(Identity(team.workspace_id, Role.SYSTEM)) as connection:
        pattern = await connection.execute(
            "INSERT INTO convex.alert_patterns (workspace_id, type, fingerprint, title, frequency,"
            " confidence, support, p_value, evidence, state, first_seen_at, last_seen_at)"
            " VALUES (%s, 'seasonal', 'x', 't', 'weekly', 1, 1, 0, '{}', 'new', now(), now())"
            " RETURNING id",
            (team.workspace_id,),
        )
        (made,) = await pattern.fetchall()
        prediction = await connection.execute(
            "INSERT INTO convex.alert_predictions (workspace_id, framework_id, rule_id, kind,"
            " made_at, window_start, window_end, probability, climatology, confidence, risk_score,"
            " model, inputs) VALUES (%s, %s, %s, 'next_alert', now(), now(),"
            " now() + interval '1 d', 40, 20, 'medium', 40, 'mixture-1', '{}') RETURNING id",
            (team.workspace_id, framework["id"], rule.json()["id"]),
        )
        (foretold,) = await prediction.fetchall()
        insight = await connection.execute(
            "INSERT INTO convex.framework_insights (workspace_id, framework_id, kind, source,"
            " source_reason, content, evidence, evidence_hash) VALUES (%s, %s, 'framework',"
            " 'template', 'no_key', %s, %s, 'x') RETURNING id",
            (team.workspace_id, framework["id"], Jsonb(CONTENT), Jsonb(EVIDENCE)),
        )
        (written,) = await insight.fetchall()
        advice = await connection.execute(
            "INSERT INTO convex.recommendations (workspace_id, framework_id, rule_id, origin,"
            " title, action, actionability, evidence, fingerprint) VALUES (%s, %s, %s, 'noise',"
            " 't', '{\"kind\": \"look\"}', 50, '{}', 'x') RETURNING id",
            (team.workspace_id, framework["id"], rule.json()["id"]),
        )
        (proposed,) = await advice.fetchall()
    export = await post(f"/api/v1/workspaces/{team.workspace_id}/exports", json={})
    return {
        "workspace_id": str(team.workspace_id),
        "pattern_id": str(made["id"]),
        "prediction_id": str(foretold["id"]),
        "user_id": str(team.users["viewer"]),
        "framework": framework["id"],
        "metric_id": metric["id"],
        "rule_id": rule.json()["id"],
        "trigger_id": sent.json()["triggers"][0],
        "series_id": str(series["id"]),
        "channel_id": channel.json()["id"],
        "silence_id": silence.json()["id"],
        "window_id": window.json()["id"],
        "inhibition_id": inhibition.json()["id"],
        "key_id": key.json()["id"],
        "notification_id": str(uuid4()),
        "source_id": source.json()["id"],
        "number": "1",
        "export_id": export.json()["id"],
        "insight_id": str(written["id"]),
        "recommendation_id": str(proposed["id"]),
    }


CONTENT = {
    "headline": {"text": "Calm.", "facts": []},
    "summary": [],
    "findings": [],
    "risks": [],
    "recommendations": [],
}
EVIDENCE = {
    "kind": "framework",
    "subject": "x",
    "as_of": "2026-01-01T00:00:00Z",
    "question": "",
    "left_out": 0,
    "missing": [],
    "names": [],
    "facts": [],
}
VALID: dict[tuple[str, str], dict[str, Any]] = {
    ("patch", "/members/{user_id}"): {"role": "editor"},
    ("post", "/workspaces/{workspace_id}/deletion"): {"slug": "x", "password": "x"},
    ("post", "/predictions/{prediction_id}/actions"): {"action": "x"},
    ("post", "/alert-triggers/{trigger_id}/comment"): {"note": "x"},
    ("post", "/frameworks/{framework}/strategy-versions"): {"document": "Fly on time."},
    ("post", "/insights/{insight_id}/feedback"): {"feedback": "helpful"},
    ("post", "/recommendations/{recommendation_id}/dismiss"): {"reason": "x"},
    ("post", "/alert-triggers/{trigger_id}/assign"): {"user_id": None},
    ("post", "/alert-triggers/{trigger_id}/feedback"): {"feedback": "actionable"},
}


async def test_the_ids_of_another_workspace_are_not_found(
    team: Team, other_team: Team, furnished: dict[str, str]
) -> None:
    """First by the stranger, then by the owner: so the 404 is about whose it is."""
    checked = 0
    with_id = [(method, path) for method, path in ALLOWED if "{" in path]
    # Reading first, removing last, so that everything is still there when the owner asks.
    order = ["get", "patch", "put", "post", "delete"]
    for method, path in sorted(with_id, key=lambda each: order.index(each[0])):
        body = VALID.get((method, path), {})
        url = fill(path, furnished)
        arguments = {} if method in {"get", "delete"} else {"json": body}
        answer = await other_team.owner.request(method.upper(), url, **arguments)  # type: ignore[arg-type]
        assert answer.status_code == 404, (method, path, answer.text)
        assert answer.json()["code"] == "not_found"
        if "notification_id" not in path and method == "get":
            own = await team.owner.request(method.upper(), url)
            # An export without a file yet; a workspace that nobody wants to delete.
            absent = {"{export_id}/file": 409, "{workspace_id}/deletion": 404}
            expected = next((code for end, code in absent.items() if path.endswith(end)), 200)
            assert own.status_code == expected, (method, path, own.text)
        checked += 1
    assert checked == len(with_id) > 20
    for path in ("frameworks/{framework}", "alert-triggers/{trigger_id}", "series/{series_id}"):
        still = await team.viewer.get(fill(f"/{path}", furnished))
        assert still.status_code == 200
    trigger = await team.viewer.get(f"/api/v1/alert-triggers/{furnished['trigger_id']}")
    assert [t["kind"] for t in trigger.json()["transitions"]] == ["opened"]


async def test_lists_and_filters_show_nothing_of_another_workspace(
    other_team: Team, furnished: dict[str, str]
) -> None:
    for path in (
        "frameworks",
        "metrics",
        "series",
        "alert-rules",
        "alert-triggers",
        f"alert-triggers?rule={furnished['rule_id']}",
        f"series?metric={furnished['metric_id']}",
        f"ledger?trigger={furnished['trigger_id']}",
        "channels",
        "silences",
        "mute-windows",
        "inhibition-rules",
        "rejected-points",
        "ledger",
        "notifications",
        "patterns",
        "predictions",
        "quality/runs",
    ):
        answer = await other_team.owner.get(f"/api/v1/{path}")
        assert answer.json()["items"] == [], path
    for path in ("metrics", "series", "alert-rules", "alert-triggers"):
        answer = await other_team.owner.get(
            f"/api/v1/{path}", params={"framework": furnished["framework"]}
        )
        assert answer.status_code == 404


async def test_a_rule_cannot_watch_what_belongs_to_another_workspace(
    other_team: Team, furnished: dict[str, str]
) -> None:
    answer = await other_team.owner.post(
        "/api/v1/alert-rules",
        json={
            "name": "r",
            "framework_id": furnished["framework"],
            "metric_id": furnished["metric_id"],
            "threshold_value": 1,
        },
    )
    assert answer.status_code in {404, 422}
    metric = await other_team.owner.post(
        "/api/v1/metrics", json={"framework_id": furnished["framework"], "name": "m"}
    )
    assert metric.status_code == 404
