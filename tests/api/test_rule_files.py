"""Rules as files over HTTP, and by the command against that API."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import yaml

from tests.api.conftest import Running, Team
from tests.convex.cli.conftest import run_convex

FILE = """\
rules:
  - name: too much
    framework: ewr
    metric: rate
    threshold_value: 10
"""


def body(text: str = FILE, **more: Any) -> dict[str, Any]:
    return {"files": [{"name": "rules.yaml", "text": text}], **more}


async def furnish(team: Team) -> None:
    framework = await team.editor.post("/api/v1/frameworks", json={"slug": "ewr", "name": "x"})
    await team.editor.post(
        "/api/v1/metrics", json={"framework_id": framework.json()["id"], "name": "rate"}
    )


async def test_a_file_is_planned_applied_and_exported(team: Team, other_team: Team) -> None:
    await furnish(team)
    planned = (await team.editor.post("/api/v1/alert-rules/plan", json=body())).json()
    assert planned["counts"]["create"] == 1
    applied = await team.clients["key_write"].post(
        "/api/v1/alert-rules/apply", json=body(fingerprint=planned["fingerprint"])
    )
    assert applied.status_code == 200, applied.text
    stale = await team.editor.post(
        "/api/v1/alert-rules/apply", json=body(fingerprint=planned["fingerprint"])
    )
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_plan")
    exported = await team.viewer.get("/api/v1/alert-rules/export")
    assert exported.headers["content-type"].startswith("application/yaml")
    assert yaml.safe_load(exported.text)["rules"][0]["name"] == "too much"
    again = await team.editor.post("/api/v1/alert-rules/plan", json=body(exported.text))
    assert again.json()["counts"]["unchanged"] == 1
    theirs = await other_team.owner.get("/api/v1/alert-rules/export")
    assert yaml.safe_load(theirs.text)["rules"] == []
    foreign = await other_team.owner.post("/api/v1/alert-rules/plan", json=body())
    assert [one["path"] for one in foreign.json()["problems"]] == ["rules[0].framework"]


async def test_rules_kept_as_code_are_read_only(team: Team) -> None:
    await furnish(team)
    await team.editor.post("/api/v1/alert-rules/apply", json=body())
    (rule,) = (await team.viewer.get("/api/v1/alert-rules")).json()["items"]
    assert rule["provenance"] == "code"
    for answer in (
        await team.owner.patch(f"/api/v1/alert-rules/{rule['id']}", json={"enabled": False}),
        await team.owner.delete(f"/api/v1/alert-rules/{rule['id']}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "kept_as_code")


async def test_problems_come_with_their_place(team: Team) -> None:
    await furnish(team)
    wrong = FILE + "    treshold: 1\n"
    planned = (await team.editor.post("/api/v1/alert-rules/plan", json=body(wrong))).json()
    assert planned["problems"][0]["line"] == 6
    refused = await team.editor.post("/api/v1/alert-rules/apply", json=body(wrong))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["loc"] == ["rules.yaml", 6, "rules[0].treshold"]


async def test_viewers_see_and_do_not_change(team: Team) -> None:
    for path in ("plan", "apply"):
        answer = await team.viewer.post(f"/api/v1/alert-rules/{path}", json=body())
        assert answer.status_code == 403


async def test_the_command_works_over_http(team: Team, running: Running, tmp_path: Path) -> None:
    await furnish(team)
    file = tmp_path / "rules.yaml"
    file.write_text(FILE)
    variables = {"CONVEX_API_URL": running.url, "CONVEX_API_KEY": team.keys["write"]}

    async def convex(*arguments: str) -> tuple[int, str, str]:
        ended = await asyncio.to_thread(run_convex, "rules", *arguments, variables=variables)
        return ended.status, ended.out, ended.err

    status, out, err = await convex("plan", str(file), "--json")
    assert status == 0, err
    fingerprint = json.loads(out)["fingerprint"]
    assert (await convex("apply", str(file), "--expect", fingerprint))[0] == 0
    assert (await convex("plan", str(file), "--check"))[0] == 0
    status, out, _ = await convex("export", "--framework", "ewr")
    assert yaml.safe_load(out)["rules"][0]["metric"] == "rate"
    status, _, err = await convex("apply", str(file), "--expect", fingerprint)
    assert (status, "plan again" in err) == (1, True)
    file.write_text(FILE + "    treshold: 1\n")
    status, _, err = await convex("apply", str(file))
    assert status == 1
    assert f"{file}:6: rules[0].treshold" in err
    variables["CONVEX_API_KEY"] = "cvx_wrong"
    status, _, err = await convex("plan", str(file))
    assert (status, err.count("\n")) == (1, 1)
