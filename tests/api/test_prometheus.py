"""Prometheus remote write: a real Prometheus, and what no real one sends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cramjam
import httpx
import pytest

from tests.api.conftest import Running, Team
from tests.convex.metrics.wire import write_request
from tests.programs import free_port, program, started, until

URL = "/api/v1/prometheus/write"
HEADERS = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}


async def series_of(team: Team, framework: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"framework": framework, "limit": 500}
    while True:
        answer = await team.viewer.get("/api/v1/series", params=query)
        if answer.status_code == 404:
            return []
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next_cursor"] is None:
            return found
        query["cursor"] = answer.json()["next_cursor"]


async def test_a_real_prometheus_writes_here(running: Running, team: Team, tmp_path: Path) -> None:
    prometheus = program("prometheus")
    port, own = free_port(), free_port()
    configuration = f"""
global: {{scrape_interval: 200ms, external_labels: {{cluster: test}}}}
scrape_configs:
  - job_name: Own Server
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
  - job_name: gone
    static_configs: [{{targets: ["127.0.0.1:{own}", "127.0.0.1:{port}"]}}]
remote_write:
  - url: {running.url}{URL}
    authorization: {{credentials: {team.keys["ingest"]}}}
    queue_config: {{batch_send_deadline: 200ms}}
"""
    file, log = tmp_path / "prometheus.yml", tmp_path / "log"
    file.write_text(configuration)
    command = (
        prometheus,
        f"--config.file={file}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-lifecycle",
        f"--storage.tsdb.path={tmp_path / 'data'}",
    )
    async with started(*command, log=log):

        async def arrived() -> bool:
            found = await series_of(team, "own-server")
            return any(one["metric"] == "up" for one in found) and len(found) > 100

        async def of_the_absent() -> dict[str, dict[str, Any]]:
            return {
                one["metric"]: one
                for one in await series_of(team, "gone")
                if one["labels"]["instance"].endswith(str(own))
            }

        async def absent_arrived() -> bool:
            return {"up", "scrape_duration_seconds"} <= (await of_the_absent()).keys()

        # Prometheus sends in shards of its own order: each target is waited for by itself.
        await until(arrived, log=log)
        await until(absent_arrived, log=log)
        up = (await of_the_absent())["up"]
        assert up["labels"] == {
            "cluster": "test",
            "instance": f"127.0.0.1:{own}",
            "job": "gone",
        }

        async def ten_points() -> bool:
            points = await team.viewer.get(
                f"/api/v1/series/{up['id']}/points", params={"step": "0s"}
            )
            values = [one["value"] for one in points.json()["points"]]
            assert set(values) <= {0.0}
            return len(values) >= 10

        await until(ten_points, log=log)
        # The target goes: Prometheus ends its series by a stale marker.
        file.write_text(configuration.replace(f'"127.0.0.1:{own}", ', ""))
        async with httpx.AsyncClient() as client:
            reloaded = await client.post(f"http://127.0.0.1:{port}/-/reload")
            assert reloaded.status_code == 200, reloaded.text

        async def ended() -> bool:
            found = await team.viewer.get(f"/api/v1/series/{up['id']}")
            return found.json()["ended_at"] is not None

        await until(ended, log=log)
    assert "non-recoverable error" not in log.read_text()
    kept = await team.viewer.get("/api/v1/rejected-points", params={"limit": 500})
    assert {one["reason"] for one in kept.json()["items"]} <= {"not_a_number"}


async def test_samples_that_cannot_be_taken_are_named_and_the_others_stored(team: Team) -> None:
    now = int(time.time() * 1000)
    ours = {"__name__": "up", "job": "node"}
    body = write_request(
        [(ours, [(1, now), (2, now + 3_600_000)]), ({**ours, "b-ad": "x"}, [(1, now)])]
    )
    answer = await team.clients["key_ingest"].post(URL, content=body, headers=HEADERS)
    assert answer.status_code == 422
    assert answer.json()["code"] == "samples_rejected"
    assert "1 in the future" in answer.json()["detail"]
    assert [one["metric"] for one in await series_of(team, "node")] == ["up", "up"]
    nan = write_request([(ours, [(float("nan"), now + 1)])], metadata=True)
    ordinary = await team.clients["key_ingest"].post(URL, content=nan, headers=HEADERS)
    assert ordinary.status_code == 204


async def test_a_full_workspace_says_so(team: Team) -> None:
    changed = await team.owner.put("/api/v1/ingestion", json={"series_limit": 2})
    assert changed.status_code == 200, changed.text
    body = write_request(
        [
            ({"__name__": "up", "job": "node", "n": str(n)}, [(1, int(time.time() * 1000))])
            for n in range(3)
        ]
    )
    answer = await team.clients["key_ingest"].post(URL, content=body, headers=HEADERS)
    assert answer.status_code == 422
    assert "1 too many series" in answer.json()["detail"]
    assert "may have 2" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("name", "status"), [("ingest", 204), ("read", 403), ("write", 204), ("read_ingest", 204)]
)
async def test_basic_authentication_with_a_key_will_do(
    team: Team, running: Running, name: str, status: int
) -> None:
    body = write_request([({"__name__": "up", "job": "node"}, [(1, int(time.time() * 1000))])])
    async with httpx.AsyncClient(base_url=running.url, auth=("any", team.keys[name])) as client:
        answer = await client.post(URL, content=body, headers=HEADERS)
        assert answer.status_code == status, answer.text
    async with httpx.AsyncClient(base_url=running.url, auth=("any", "cvx_wrong")) as client:
        assert (await client.post(URL, content=body, headers=HEADERS)).status_code == 401


async def test_what_must_not_be_sent_again_is_a_client_error(team: Team) -> None:
    client = team.clients["key_ingest"]
    for headers, body, status in (
        (HEADERS, b"no snappy", 422),
        (HEADERS, bytes(cramjam.snappy.compress_raw(b"no protobuf")), 422),
        ({**HEADERS, "content-type": "text/plain"}, b"", 415),
        (
            {
                **HEADERS,
                "content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
            },
            b"",
            415,
        ),
    ):
        answer = await client.post(URL, content=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
