"""Quality over HTTP: trends, ranges, rejected points put right, and who may read the reports."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
from psycopg.types.json import Jsonb

from convex.db import Database
from tests.api.conftest import PASSWORD, Running, Team, tenant_of

NOW = datetime.now(UTC).replace(microsecond=0)


async def test_trends_and_distrusted_series_are_the_workspaces_own(
    team: Team, other_team: Team, worker: Database
) -> None:
    async with worker.transaction(tenant_of(team).flow) as connection:
        for days, passed in ((1, 5), (1, 7), (2, 8)):
            await connection.execute(
                "INSERT INTO convex.quality_runs (workspace_id, suite, started_at, finished_at,"
                " state, evaluated, passed, failed, results)"
                " VALUES (%s, 'points', %s, %s, %s, 8, %s, %s, %s)",
                (
                    *(team.workspace_id, NOW - timedelta(days=days), NOW),
                    *("passed" if passed == 8 else "failed", passed, 8 - passed, Jsonb([])),
                ),
            )
    answer = await team.viewer.get("/api/v1/quality/trends", params={"days": 7})
    days = answer.json()["items"]
    assert [(one["runs"], one["passed_runs"], one["share"]) for one in days] == [
        (1, 1, 1.0),
        (2, 0, 0.75),
    ]
    assert (await other_team.viewer.get("/api/v1/quality/trends")).json() == {"items": []}
    assert (await team.viewer.get("/api/v1/quality/distrusted")).json() == {"items": []}


async def test_a_range_is_said_by_editors(team: Team, other_team: Team) -> None:
    framework = await team.editor.post("/api/v1/frameworks", json={"slug": "ewr", "name": "E"})
    metric = await team.editor.post(
        "/api/v1/metrics", json={"framework_id": framework.json()["id"], "name": "rate"}
    )
    url = f"/api/v1/quality/ranges/{metric.json()['id']}"
    empty = await team.viewer.get(url)
    assert (empty.json()["low"], empty.json()["learned_low"]) == (None, None)
    assert (await team.viewer.put(url, json={"low": 0})).status_code == 403
    assert (await other_team.owner.put(url, json={"low": 0})).status_code == 404
    assert (await team.editor.put(url, json={"low": 2, "high": 1})).status_code == 422
    said = await team.editor.put(
        url, json={"low": 0, "high": 1}, headers={"if-match": empty.headers["etag"]}
    )
    assert (said.status_code, said.json()["high"]) == (200, 1)
    listed = await team.viewer.get("/api/v1/quality/ranges")
    assert [one["metric"] for one in listed.json()["items"]] == ["rate"]


async def test_rejected_points_are_exported_put_right_and_taken(
    team: Team, other_team: Team
) -> None:
    await team.editor.post("/api/v1/frameworks", json={"slug": "ewr", "name": "Newark"})
    at = (NOW - timedelta(minutes=1)).isoformat()
    point = {
        "framework": "erw",
        "metric": "rate",
        "timestamp": at,
        "value": 1,
        "labels": {"a": "b"},
    }
    await team.editor.post(
        "/api/v1/points", json={"points": [point, {**point, "metric": "=1+1"}, "what"]}
    )
    exported = await team.viewer.get("/api/v1/rejected-points/export")
    assert exported.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(exported.text)))
    assert {row["reason"] for row in rows} == {"unknown_framework", "unreadable"}
    assert "'=1+1" in {row["metric"] for row in rows}
    kept = (await team.viewer.get("/api/v1/rejected-points")).json()["items"]
    wrong = next(
        o["id"]
        for o in kept
        if o["reason"] == "unknown_framework" and o["point"]["metric"] == "rate"
    )
    url = "/api/v1/rejected-points/reingest"
    body = {"points": [{"id": wrong, "framework": "ewr"}]}
    assert (await team.viewer.post(url, json=body)).status_code == 403
    assert (await other_team.editor.post(url, json=body)).json()["accepted"] == 0
    taken = await team.editor.post(url, json=body)
    assert (taken.json()["accepted"], taken.json()["rejected"]) == (1, 0), taken.text
    again = await team.editor.post(url, json=body)
    assert (again.json()["accepted"], again.json()["unchanged"]) == (0, 0)
    series = (await team.viewer.get("/api/v1/series")).json()["items"]
    assert [one["labels"] for one in series] == [{"a": "b"}]
    after = (await team.viewer.get("/api/v1/rejected-points")).json()["items"]
    assert {o["id"] for o in after if o["reingested_at"] is not None} == {wrong}


async def test_reports_are_for_members_of_the_workspace(
    running: Running, team: Team, other_team: Team
) -> None:
    folder = running.resources.settings.home / "docs" / "quality" / str(team.workspace_id)
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("<p>ours</p>")
    (folder.parent / "style.css").write_text("p {}")
    url = f"/docs/quality/{team.workspace_id}/index.html"
    async with httpx.AsyncClient(base_url=running.url) as browser:
        for path in (url, "/docs/quality/style.css", f"/docs/quality/{uuid4()}/index.html"):
            assert (await browser.get(path)).status_code == 401
        signed_in = await browser.post(
            "/api/v1/auth/sign-in", json={"email": team.emails["viewer"], "password": PASSWORD}
        )
        cookie = signed_in.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Path=/docs/quality" in cookie
        assert (await browser.get(url)).text == "<p>ours</p>"
        assert (await browser.get("/docs/quality/style.css")).status_code == 200
        assert (await browser.get(f"/docs/quality/x/../{uuid4()}/index.html")).status_code == 404
    assert (await team.clients["key_read"].get(url)).status_code == 200
    assert (await team.clients["key_ingest"].get(url)).status_code == 403
    assert (await other_team.owner.get(url)).status_code == 404
