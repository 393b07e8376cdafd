"""Predictions over HTTP: lists, the scorecard beside each, actions, a run on request, series."""

from __future__ import annotations

from datetime import UTC, datetime

from convex.db import Database
from convex.predictions import service
from tests.api.conftest import Team, tenant_of
from tests.convex.predictions.conftest import NOW, make_watched


async def test_each_prediction_carries_its_scorecard(team: Team, worker: Database) -> None:
    watched = await make_watched(worker, tenant_of(team))
    empty = (await team.viewer.get("/api/v1/predictions")).json()
    assert (empty["items"], empty["run"]) == ([], None)
    await service.foretell(worker, team.workspace_id, now=NOW)
    first = await team.viewer.get("/api/v1/predictions?limit=4")
    assert first.status_code == 200, first.text
    assert first.headers["link"].endswith('rel="next"')
    body = first.json()
    assert body["run"]["predictions"] == 6
    rest = await team.viewer.get(f"/api/v1/predictions?limit=4&cursor={body['next_cursor']}")
    items = body["items"] + rest.json()["items"]
    assert len({one["id"] for one in items}) == 6
    for one in items:
        assert one["scorecard"]["source"] == "hindcast"
        assert one["scorecard"]["href"].endswith(f"kind={one['kind']}")
        assert one["scorecard"]["n"] > 0
        assert 0 <= one["probability"] <= 100
    only = await team.viewer.get(
        f"/api/v1/predictions?kind=next_alert&rule={watched.busy}&confidence=medium"
    )
    (one,) = only.json()["items"]
    single = await team.viewer.get(f"/api/v1/predictions/{one['id']}")
    assert single.json() == one
    same = await team.viewer.get(
        f"/api/v1/predictions/{one['id']}", headers={"if-none-match": single.headers["etag"]}
    )
    assert same.status_code == 304
    # the windows of these are long over
    assert (await team.viewer.get("/api/v1/predictions?running=true")).json()["items"] == []
    done = await team.editor.post(f"/api/v1/predictions/{one['id']}/actions", json={"action": "x"})
    assert (done.status_code, done.json()["code"]) == (409, "conflict")


async def test_what_was_done_is_kept_with_who_did_it(
    team: Team, other_team: Team, worker: Database
) -> None:
    await make_watched(worker, tenant_of(team))
    await service.foretell(worker, team.workspace_id, now=datetime.now(UTC))
    (one, *_) = (await team.viewer.get("/api/v1/predictions?running=true")).json()["items"]
    path = f"/api/v1/predictions/{one['id']}/actions"
    body = {"action": "Added two gate agents", "note": "until 20:00"}
    assert (await team.viewer.post(path, json=body)).status_code == 403
    assert (await other_team.owner.post(path, json=body)).status_code == 404
    assert (await team.editor.post(path, json={"action": " "})).status_code == 422
    stale = await team.editor.post(path, json=body, headers={"if-match": '"other"'})
    assert stale.status_code == 412
    done = await team.editor.post(path, json=body)
    assert done.status_code == 201, done.text
    (taken,) = done.json()["actions_taken"]
    assert taken["action"] == body["action"]
    assert taken["by"] == str(team.users["editor"])


async def test_the_scorecard_has_verified_and_hindcast_parts(team: Team, worker: Database) -> None:
    watched = await make_watched(worker, tenant_of(team))
    none = (await team.viewer.get("/api/v1/predictions/scorecard")).json()
    assert none["hindcast"] is None
    assert none["verified"]["all"]["overall"] is None
    await service.foretell(worker, team.workspace_id, now=NOW)
    async with worker.transaction(tenant_of(team).flow) as connection:
        await service.verify_workspace(
            connection, team.workspace_id, now=NOW.replace(year=NOW.year + 1)
        )
    card = (await team.viewer.get("/api/v1/predictions/scorecard")).json()
    assert card["verified"]["all"]["overall"]["n"] == 6
    assert set(card["verified"]["all"]["horizons"]) == {"6", "24", "72"}
    assert card["verified"]["all"]["overall"]["reliability"]
    assert set(card["hindcast"]["horizons"]) == {"6", "24", "48", "72"}
    assert card["hindcast"]["horizons"]["24"]["score"]["skill_interval"] is not None
    assert sum(card["hindcast"]["horizons"]["24"]["weights"].values()) > 0.99
    own = await team.viewer.get(
        f"/api/v1/predictions/scorecard?rule={watched.quiet}&kind=next_alert&framework=shop"
    )
    assert own.json()["verified"]["all"]["overall"]["n"] == 1
    assert set(own.json()["hindcast"]["horizons"]) == {"24"}


async def test_a_run_is_asked_for_by_a_row(team: Team) -> None:
    assert (await team.viewer.post("/api/v1/predictions")).status_code == 403
    asked = await team.editor.post("/api/v1/predictions")
    assert asked.status_code == 202, asked.text
    again = await team.editor.post("/api/v1/predictions")
    assert again.json() == asked.json()


async def test_the_next_hours_of_a_series_have_bands(
    team: Team, other_team: Team, worker: Database
) -> None:
    watched = await make_watched(worker, tenant_of(team))
    path = f"/api/v1/series/{watched.series_id}/forecast"
    answer = await team.viewer.get(f"{path}?horizon=24")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["as_of"] == "2026-03-02T12:00:00Z"
    assert len(body["points"]) == 24
    assert body["points"][2]["value"] > 70
    assert body["points"][2]["lower_95"] <= body["points"][2]["lower_50"]
    assert (await other_team.viewer.get(path)).status_code == 404
    assert (await team.viewer.get(f"{path}?horizon=73")).status_code == 422
