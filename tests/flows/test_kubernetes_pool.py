"""The pool as Kubernetes jobs on a real Prefect server, and what a worker shows of its runs."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import httpx
import pytest
from prefect.client.orchestration import PrefectClient

from convex.errors import InvalidInput
from convex.settings import FlowSettings, Settings
from flows.bootstrap import bootstrap
from flows.scrape import shown
from flows.setup.pool import CODE, POOL, pool_template
from tests.flows.prefect_server import prefect_server

_TEMPLATE = CODE / "deploy" / "kubernetes" / "jobs" / "base-job-template.json"


async def test_the_pool_is_made_of_jobs_where_that_is_set(
    fresh_settings: Settings, tmp_path: Path
) -> None:
    jobs = FlowSettings(pool="kubernetes", job_template=str(_TEMPLATE))
    settings = fresh_settings.model_copy(update={"flows": jobs})
    async with prefect_server(tmp_path) as url, PrefectClient(url) as client:
        done = await bootstrap(client, begin=True, settings=settings)
        assert f"work pool {POOL} created" in done
        assert "shift of alert-flow/a begun" in done
        pool = await client.read_work_pool(POOL)
        assert pool.type == "kubernetes"
        assert pool.base_job_template == json.loads(_TEMPLATE.read_text())
        assert await bootstrap(client, begin=True, settings=settings) == [
            "run of build-marts/daily planned: there are no marts yet"
        ]
        # Processes instead: a pool of another type is somebody's decision.
        await bootstrap(client, settings=fresh_settings)
        assert (await client.read_work_pool(POOL)).type == "kubernetes"


def test_a_template_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="CONVEX_FLOWS__JOB_TEMPLATE"):
        pool_template(FlowSettings(pool="kubernetes"))
    broken = tmp_path / "template.json"
    broken.write_text("{")
    with pytest.raises(InvalidInput, match=r"template\.json"):
        pool_template(FlowSettings(pool="kubernetes", job_template=str(broken)))


async def test_a_worker_shows_that_it_lives_and_what_its_runs_counted() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with shown("127.0.0.1", port), httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/livez")).json() == {"status": "alive"}
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
        assert "convex_notifications_total" in answer.text
        assert answer.headers["content-type"].startswith("text/plain")
    async with shown("127.0.0.1", 0):
        pass  # without a port nothing is opened
