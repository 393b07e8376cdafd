"""Export and deletion of a workspace over the wire."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from io import BytesIO

from convex.db import SYSTEM, Database
from convex.workspaces import exports
from convex.workspaces.export import export_workspace
from tests.api.conftest import PASSWORD, Running, Team, tenant_of


async def test_an_owner_asks_for_an_export_and_fetches_it(
    team: Team, running: Running, worker: Database
) -> None:
    base = f"/api/v1/workspaces/{team.workspace_id}/exports"
    asked = await team.owner.post(base, json={"format": "parquet"})
    assert asked.status_code == 202, asked.text
    one = asked.json()
    assert (one["state"], one["format"], one["sha256"]) == ("requested", "parquet", None)
    assert asked.headers["location"] == f"{base}/{one['id']}"
    assert (await team.owner.post(base, json={"format": "parquet"})).json()["id"] == one["id"]
    other = (await team.owner.post(base, json={})).json()
    assert (other["format"], other["id"] != one["id"]) == ("ndjson", True)
    early = await team.owner.get(f"{base}/{one['id']}/file")
    assert (early.status_code, early.json()["code"]) == (409, "conflict")

    async with worker.transaction(SYSTEM) as connection:  # as the flows do it
        taken = [
            each
            for each in await exports.take_requests(connection)
            if each[1] == team.workspace_id  # other tests of this database ask too
        ]
    assert (exports.JOB, one["id"] in {str(request) for request, _ in taken}) == (
        "export-workspace",
        True,
    )
    target = exports.file_of(running.resources.settings.home, team.workspace_id, taken[0][0])
    made = await export_workspace(
        worker, team.workspace_id, target, form="ndjson", now=datetime.now(UTC)
    )
    async with worker.transaction(tenant_of(team).flow) as connection:
        await exports.finish_export(connection, taken[0][0], made)

    done = (await team.owner.get(f"{base}/{taken[0][0]}")).json()
    assert (done["state"], done["rows"], done["bytes"]) == ("done", made.rows, made.bytes)
    file = await team.owner.get(f"{base}/{taken[0][0]}/file")
    assert file.headers["content-type"] == "application/zip"
    assert team.slug in file.headers["content-disposition"]
    assert "manifest.json" in zipfile.ZipFile(BytesIO(file.content)).namelist()
    listed = (await team.owner.get(base)).json()["items"]
    assert {item["id"] for item in listed} == {one["id"], other["id"]}
    trail = (await team.owner.get("/api/v1/audit", params={"table": "job_requests"})).json()
    assert {entry["row"] for entry in trail["items"]} == {one["id"], other["id"]}

    exports.drop_expired(running.resources.settings.home, datetime.now(UTC))
    gone = await team.owner.get(f"{base}/{taken[0][0]}/file")
    assert gone.status_code == 404


async def test_a_deletion_is_confirmed_shown_and_undone(team: Team) -> None:
    url = f"/api/v1/workspaces/{team.workspace_id}/deletion"
    assert (await team.owner.get(url)).status_code == 404
    wrong = await team.owner.post(url, json={"slug": "another", "password": PASSWORD})
    assert (wrong.status_code, wrong.json()["errors"][0]["loc"]) == (422, ["slug"])
    stranger = await team.owner.post(url, json={"slug": team.slug, "password": "guess"})
    assert stranger.status_code == 403
    asked = await team.owner.post(url, json={"slug": team.slug, "password": PASSWORD})
    assert asked.status_code == 202, asked.text
    purge_at = asked.json()["purge_at"]
    assert asked.json()["requested_by"] == str(team.users["owner"])
    assert (await team.owner.get(url)).json() == asked.json()
    shown = (await team.viewer.get("/api/v1/workspaces")).json()["items"][0]
    assert shown["purge_at"] == purge_at
    again = await team.owner.post(url, json={"slug": team.slug, "password": PASSWORD})
    assert again.status_code == 409
    assert (await team.owner.delete(url)).status_code == 204
    assert (await team.owner.delete(url)).status_code == 404
    assert (await team.viewer.get("/api/v1/workspaces")).json()["items"][0]["purge_at"] is None
    trail = (await team.owner.get("/api/v1/audit", params={"table": "workspaces"})).json()
    assert ["purge_at" in entry["change"] for entry in trail["items"][:2]] == [True, True]


async def test_they_are_the_owners_and_of_this_workspace(team: Team, other_team: Team) -> None:
    for tail in ("exports", "deletion"):
        url = f"/api/v1/workspaces/{team.workspace_id}/{tail}"
        assert (await team.editor.get(url)).status_code == 403
        assert (await other_team.owner.get(url)).status_code == 404
        body = {"slug": team.slug, "password": PASSWORD} if tail == "deletion" else {}
        assert (await team.editor.post(url, json=body)).status_code == 403
        assert (await other_team.owner.post(url, json=body)).status_code == 404
