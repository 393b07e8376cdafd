"""A real Prometheus posts its alerts here, amtool works, and a real Alertmanager notifies us."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from tests.api.conftest import Running, Team
from tests.programs import free_port, program, ran, started, until

ALERTS = "/api/v2/alerts"
WEBHOOK = "/api/v1/alertmanager/webhook"


async def triggers(team: Team, **query: Any) -> list[dict[str, Any]]:
    answer = await team.viewer.get("/api/v1/alert-triggers", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def alert(name: str = "Down", *, ends: timedelta | None = None, **labels: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "labels": {"alertname": name, "severity": "page", **labels},
        "annotations": {"summary": "It does not answer."},
        "startsAt": (now - timedelta(minutes=1)).isoformat(),
        **({} if ends is None else {"endsAt": (now + ends).isoformat()}),
    }


async def test_a_real_prometheus_posts_its_alerts_here(
    running: Running, team: Team, tmp_path: Path
) -> None:
    prometheus = program("prometheus")
    port, address = free_port(), urlsplit(running.url).netloc
    flag, log = tmp_path / "flag.yml", tmp_path / "log"
    # What fires is decided by a file of targets, so that it can be ended as well.
    flag.write_text(f'- targets: ["127.0.0.1:{port}"]')
    (tmp_path / "rules.yml").write_text(
        'groups: [{name: g, interval: 200ms, rules: [{alert: Unreachable, expr: "up == 1",'
        " labels: {severity: critical}, annotations: {summary: 'It is up.'}}]}]"
    )
    (tmp_path / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 200ms, evaluation_interval: 200ms}}
rule_files: [rules.yml]
scrape_configs:
  - {{job_name: here, file_sd_configs: [{{files: [flag.yml], refresh_interval: 200ms}}]}}
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["{address}"]}}]
      api_version: v2
      authorization: {{credentials: {team.keys["ingest"]}}}
""")
    command = (
        prometheus,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        "--rules.alert.resend-delay=1s",
    )
    async with started(*command, log=log):

        async def opened() -> bool:
            return bool(await triggers(team, state="firing"))

        await until(opened, log=log)
        (one,) = await triggers(team)
        assert one["rule_name"] == "Unreachable"
        assert one["severity"] == "critical"
        assert one["reason"] == "It is up."
        assert one["labels"]["instance"] == f"127.0.0.1:{port}"
        assert one["context"]["generatorURL"].startswith("http")
        flag.write_text(f'- targets: ["127.0.0.1:{free_port()}"]')

        async def resolved() -> bool:
            return bool((await triggers(team))[0]["state"] == "resolved")

        await until(resolved, log=log)
        assert len(await triggers(team)) == 1


async def test_a_real_alertmanager_notifies_us(
    running: Running, team: Team, tmp_path: Path
) -> None:
    alertmanager, amtool = program("prometheus-alertmanager"), program("amtool")
    port, log = free_port(), tmp_path / "log"
    (tmp_path / "config.yml").write_text(f"""
route: {{receiver: convex, group_wait: 100ms, group_interval: 200ms, repeat_interval: 1h}}
receivers:
  - name: convex
    webhook_configs:
      - url: {running.url}{WEBHOOK}
        http_config: {{basic_auth: {{username: convex, password: {team.keys["ingest"]}}}}}
""")
    command = (
        alertmanager,
        f"--config.file={tmp_path / 'config.yml'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.path={tmp_path / 'data'}",
        "--cluster.listen-address=",
    )
    async with started(*command, log=log):
        url = f"--alertmanager.url=http://127.0.0.1:{port}"

        async def ready() -> bool:
            async with httpx.AsyncClient() as client:
                try:
                    return (await client.get(f"http://127.0.0.1:{port}/-/ready")).is_success
                except httpx.TransportError:
                    return False

        await until(ready, log=log)
        add = (amtool, url, "alert", "add", "Disk full", "severity=warning", "host=a")
        await ran(*add, "--annotation=summary=Full.")

        async def opened() -> bool:
            return bool(await triggers(team, state="firing"))

        await until(opened, log=log)
        (one,) = await triggers(team)
        assert (one["rule_name"], one["reason"], one["severity"]) == (
            "Disk full",
            "Full.",
            "warning",
        )
        assert one["context"]["receiver"] == "convex"
        now = datetime.now(UTC)
        await ran(*add, f"--end={now.isoformat()}")

        async def resolved() -> bool:
            return bool((await triggers(team))[0]["state"] == "resolved")

        await until(resolved, log=log)
        assert len(await triggers(team)) == 1


async def test_amtool_works_against_us(running: Running, team: Team, tmp_path: Path) -> None:
    amtool = program("amtool")
    (tmp_path / "http.yml").write_text(
        f"basic_auth: {{username: convex, password: {team.keys['write']}}}"
    )
    us = (amtool, f"--alertmanager.url={running.url}", f"--http.config.file={tmp_path}/http.yml")
    await ran(*us, "alert", "add", "Down", "severity=page", "host=a", "--annotation=summary=Oh.")
    await ran(*us, "alert", "add", "Down", "severity=page", "host=b", "--annotation=summary=Oh.")
    shown = json.loads(await ran(*us, "alert", "query", "host=a", "-o", "json"))
    assert [one["labels"]["host"] for one in shown] == ["a"]
    assert len(await triggers(team, state="firing")) == 2
    silence = (
        await ran(*us, "silence", "add", "alertname=Down", "host=~a|c", "-c", "Works.", "-a", "me")
    ).strip()
    listed = json.loads(await ran(*us, "silence", "query", "-o", "json"))
    assert [(one["id"], one["comment"]) for one in listed] == [(silence, "Works. (me)")]
    matchers = {(one["name"], one["value"], one["isRegex"]) for one in listed[0]["matchers"]}
    assert matchers == {("alertname", "Down", False), ("host", "a|c", True)}
    left = json.loads(await ran(*us, "alert", "query", "-o", "json"))
    assert [one["labels"]["host"] for one in left] == ["b"]
    assert "suppressed" in (await ran(*us, "alert", "query", "--silenced"))
    await ran(*us, "silence", "update", "-d", "2h", silence)
    (renewed,) = json.loads(await ran(*us, "silence", "query", "-o", "json"))
    await ran(*us, "silence", "expire", renewed["id"])
    assert json.loads(await ran(*us, "silence", "query", "-o", "json")) == []
    assert "Convex" in await ran(*us, "config", "show")
    assert "disabled" in await ran(*us, "cluster", "show", "-o", "extended")
    preview = await team.viewer.post(
        "/api/v1/silences/preview",
        json={"matchers": [{"label": "rule", "operator": "=", "value": "Down"}]},
    )
    assert preview.json()["matching"] == 2


async def test_an_alert_is_one_trigger_however_it_comes_and_how_often(team: Team) -> None:
    client = team.clients["key_ingest"]
    for _ in range(3):
        answer = await client.post(ALERTS, json=[alert(host="a"), alert(host="b")])
        assert answer.status_code == 200, answer.text
    again = {"version": "4", "receiver": "us", "alerts": [{"status": "firing", **alert(host="a")}]}
    assert (await client.post(WEBHOOK, json=again)).json() == {"received": 1}
    assert len(await triggers(team)) == 2
    await client.post(ALERTS, json=[alert(host="a", ends=-timedelta(seconds=1))])
    states = {one["labels"]["host"]: one["state"] for one in await triggers(team)}
    assert states == {"a": "resolved", "b": "firing"}
    never = await client.post(ALERTS, json=[alert("Other", ends=-timedelta(seconds=1))])
    assert never.status_code == 200
    assert len(await triggers(team)) == 2


async def test_an_alert_belongs_to_the_framework_that_its_labels_name(team: Team) -> None:
    made = await team.editor.post("/api/v1/frameworks", json={"slug": "node", "name": "Node"})
    assert made.status_code == 201
    client = team.clients["key_ingest"]
    await client.post(ALERTS, json=[alert(job="Node"), alert("Else", job="unheard of")])
    found = {one["rule_name"]: one["framework"] for one in await triggers(team)}
    assert found == {"Down": "node", "Else": "convex"}


async def test_what_cannot_be_read_is_refused_with_its_place(team: Team) -> None:
    client = team.clients["key_ingest"]
    for url, body, where in (
        (ALERTS, {"alerts": []}, None),
        (ALERTS, [{"labels": {}}], "0.labels"),
        (ALERTS, [alert(), {"labels": {"a": 1}}], "1.labels"),
        (ALERTS, [{**alert(), "startsAt": "soon"}], "0.startsAt"),
        (WEBHOOK, {"alerts": 1}, None),
        (WEBHOOK, {"version": "3", "alerts": []}, "version"),
    ):
        answer = await client.post(url, json=body)
        assert answer.status_code == 422, answer.text
        if where is not None:
            assert answer.json()["errors"][0]["loc"] == [where]
    assert (await client.post(ALERTS, content=b"{")).status_code == 400
    assert await triggers(team) == []


async def test_who_may_do_what(team: Team, other_team: Team, running: Running) -> None:
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    silence = {
        "matchers": [{"name": "a", "value": "b", "isRegex": False}],
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": ends,
        "createdBy": "me",
        "comment": "x",
    }
    made = await team.editor.post("/api/v2/silences", json=silence)
    url = f"/api/v2/silence/{made.json()['silenceID']}"
    assert (await team.viewer.get(url)).status_code == 200
    assert (await other_team.owner.get(url)).status_code == 404
    assert (await other_team.owner.delete(url)).status_code == 404
    assert (await team.viewer.delete(url)).status_code == 403
    assert (await team.viewer.post("/api/v2/silences", json=silence)).status_code == 403
    assert (await team.viewer.post(ALERTS, json=[alert()])).status_code == 403
    assert (await team.clients["key_read"].post(WEBHOOK, json={"alerts": []})).status_code == 403
    assert (await team.clients["key_ingest"].get(ALERTS)).status_code == 403
    await team.clients["key_ingest"].post(ALERTS, json=[alert(host=uuid4().hex)])
    assert len((await team.viewer.get(ALERTS)).json()) == 1
    assert (await other_team.viewer.get(ALERTS)).json() == []
    async with httpx.AsyncClient(base_url=running.url) as nobody:
        assert (await nobody.get(ALERTS)).status_code == 401
    assert (await team.editor.delete(url)).status_code == 200
    assert (await team.viewer.get(url)).json()["status"]["state"] == "expired"
