"""Sources and the policy of ingestion over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from convex.db import SYSTEM, Database
from convex.metrics.sources.store import take_requests
from tests.api.conftest import Team

URL = "/api/v1/sources"
SQL: dict[str, Any] = {
    "name": "orders",
    "kind": "sql",
    "config": {"query": "SELECT 1", "cursor_column": "id", "framework": "shop", "metric": "m"},
    "secret": {"url": "postgresql://reader:hunter2@db.example/shop"},
    "schedule": "*/5 * * * *",
}


async def make(team: Team, **more: Any) -> dict[str, Any]:
    answer = await team.editor.post(URL, json={**SQL, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_sources_are_made_changed_run_and_forgotten(team: Team, worker: Database) -> None:
    made = await make(team)
    url = f"{URL}/{made['id']}"
    assert made["has_secret"]
    assert "hunter2" not in str(made)
    listed = await team.viewer.get(URL)
    assert [one["name"] for one in listed.json()["items"]] == ["orders"]
    assert "hunter2" not in listed.text
    taken = await team.editor.post(URL, json=SQL)
    assert taken.status_code == 409
    read = await team.viewer.get(url)
    changed = await team.editor.patch(
        url, json={"enabled": False, "schedule": None}, headers={"if-match": read.headers["etag"]}
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json()["enabled"], changed.json()["schedule"]) == (False, None)
    assert changed.json()["has_secret"]
    stale = await team.editor.patch(
        url, json={"enabled": True}, headers={"if-match": read.headers["etag"]}
    )
    assert stale.status_code == 412
    ran = await team.editor.post(f"{url}/run?again=true")
    assert ran.status_code == 202
    async with worker.transaction(SYSTEM) as connection:
        requests = dict(await take_requests(connection))
    assert (
        str(requests.pop(next(r for r in requests if str(r) == ran.json()["request_id"])))
        == (made["id"])
    )
    assert (await team.editor.delete(url)).status_code == 403
    assert (await team.owner.delete(url)).status_code == 204
    assert (await team.viewer.get(url)).status_code == 404


async def test_other_workspaces_and_viewers_are_kept_out(team: Team, other_team: Team) -> None:
    url = f"{URL}/{(await make(team))['id']}"
    for client, status in ((other_team.owner, 404), (team.viewer, 403)):
        assert (await client.patch(url, json={"enabled": False})).status_code == status
        assert (await client.post(f"{url}/run")).status_code == status
    assert (await other_team.owner.get(url)).status_code == 404
    assert (await other_team.owner.delete(url)).status_code == 404
    assert (await team.viewer.post(URL, json={**SQL, "name": "x"})).status_code == 403
    assert (await team.viewer.get(f"{URL}/{uuid4()}")).status_code == 404
    await make(other_team)  # the same name elsewhere is another source


async def test_settings_that_cannot_work_are_refused_where_they_are_entered(team: Team) -> None:
    for change, loc in (
        ({"config": {"query": "SELECT 1"}}, "config.cursor_column"),
        ({"config": {**SQL["config"], "query": "DROP TABLE x"}}, "config.query"),
        ({"secret": None}, "config.url"),
        ({"kind": "file", "config": {"path": "a.csv"}}, "config.url"),
        ({"schedule": "5"}, "schedule"),
        ({"kind": "http_json", "config": {"url": "gopher://x"}, "secret": None}, "config.url"),
    ):
        answer = await team.editor.post(URL, json={**SQL, **change})
        assert answer.status_code == 422, (change, answer.text)
        assert answer.json()["errors"][0]["loc"] == [loc], answer.text
        assert "hunter2" not in answer.text


async def test_the_policy_of_ingestion_is_the_owners(team: Team, other_team: Team) -> None:
    url = "/api/v1/ingestion"
    before = await team.viewer.get(url)
    assert before.json()["series_limit"] == 10_000
    assert (await team.editor.put(url, json={})).status_code == 403
    rule = {"match": {"job": "node.*"}, "framework": "{job}", "without": ["pod"]}
    changed = await team.owner.put(
        url,
        json={"raw_days": 30, "mappings": [rule]},
        headers={"if-match": before.headers["etag"]},
    )
    assert changed.status_code == 200, changed.text
    after = (await team.viewer.get(url)).json()
    assert after["raw_days"] == 30
    assert after["mappings"][0]["match"] == {"job": "node.*"}
    assert (await other_team.viewer.get(url)).json()["raw_days"] is None
    stale = await team.owner.put(url, json={}, headers={"if-match": before.headers["etag"]})
    assert stale.status_code == 412
    wrong = await team.owner.put(url, json={"mappings": [{"match": {"job": "("}}]})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["loc"] == ["mappings.0.match"]
