"""The flow that looks for patterns, under a real Prefect server, by schedule and on request."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId

from convex.db import SYSTEM, Database
from convex.settings import Settings
from convex.workspaces.job_requests import Job, request_run, take_requests
from flows.bootstrap import bootstrap
from flows.setup.requests import serve_requests
from tests.conftest import make_tenant
from tests.convex.patterns.test_service import listed, rows_of, write_triggers
from tests.flows.prefect_server import flow_environment, prefect_server

_FLOW = """
import asyncio
from flows.detect_patterns import detect_patterns
print("shown", asyncio.run(detect_patterns()))
"""


async def test_every_workspace_is_looked_at_and_requests_are_done(
    fresh_settings: Settings, fresh_worker: Database, fresh_api: Database, tmp_path: Path
) -> None:
    one, other = await make_tenant(fresh_worker), await make_tenant(fresh_worker)
    now = datetime.now(UTC)
    weekly = [now - timedelta(weeks=n, hours=3) for n in range(20)]
    await write_triggers(fresh_worker, one, {"Backup": weekly})
    async with fresh_worker.transaction(one.flow) as connection:
        await request_run(connection, one.workspace_id, Job.DETECT_PATTERNS, None)
    async with fresh_worker.transaction(SYSTEM) as connection:
        assert len(await take_requests(connection, Job.DETECT_PATTERNS)) == 1
    async with prefect_server(tmp_path / "server") as url:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _FLOW),
            env=flow_environment(fresh_settings, url, tmp_path),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await child.communicate()
        assert child.returncode == 0
        assert b"shown 1" in output
    (pattern,) = await listed(fresh_api, one)
    assert pattern["frequency"] == "weekly"
    assert await listed(fresh_api, other) == []
    (request,) = await rows_of(fresh_worker, one, "SELECT state, result FROM convex.job_requests")
    assert request == {"state": "done", "result": {"patterns": 1}}
    runs = await rows_of(fresh_worker, other, "SELECT rules FROM convex.pattern_runs")
    assert [run["rules"] for run in runs] == [0]


async def test_what_members_ask_for_becomes_a_run_of_their_workspace(
    fresh_settings: Settings, fresh_worker: Database, tmp_path: Path
) -> None:
    tenant = await make_tenant(fresh_worker)
    async with prefect_server(tmp_path / "server") as url, PrefectClient(url) as client:
        await bootstrap(client, settings=fresh_settings)
        async with fresh_worker.transaction(tenant.flow) as connection:
            await request_run(connection, tenant.workspace_id, Job.DETECT_PATTERNS, None)
        assert len(await serve_requests(client, fresh_worker)) == 1
        assert await serve_requests(client, fresh_worker) == []
        deployment = await client.read_deployment_by_name("detect-patterns/detect-patterns")
        runs = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id])
            )
        )
    asked = [run.parameters for run in runs if run.parameters.get("workspace_id")]
    assert asked == [{"workspace_id": str(tenant.workspace_id)}]
