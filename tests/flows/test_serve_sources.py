"""Sources made while Convex runs come to Prefect, and runs that are asked for are started."""

from __future__ import annotations

from pathlib import Path

from prefect.client.orchestration import PrefectClient

from convex.db import Database
from convex.metrics.sources.store import (
    create_source,
    delete_source,
    finish_requests,
    request_run,
)
from convex.settings import FlowSettings
from flows.setup.deployments import apply, read_deployments
from flows.setup.pool import prepare_pool
from flows.setup.sources import serve_sources
from tests.conftest import make_tenant
from tests.flows.prefect_server import prefect_server


async def test_sources_are_served_while_convex_runs(fresh_worker: Database, tmp_path: Path) -> None:
    tenant = await make_tenant(fresh_worker)
    async with prefect_server(tmp_path) as url, PrefectClient(url) as client:
        await prepare_pool(client, FlowSettings())
        await apply(client, next(one for one in read_deployments() if one.name == "any"))
        async with fresh_worker.transaction(tenant.flow) as connection:
            source = await create_source(
                connection,
                tenant.workspace_id,
                name="wind",
                kind="file",
                config={"path": "wind.csv"},
                secret=None,
                schedule="60",
                enabled=True,
            )
        done = await serve_sources(client, fresh_worker)
        assert done == ["deployment pull-metrics/wind applied"]
        found = await client.read_deployment_by_name("pull-metrics/wind")
        assert found.parameters == {"source_id": str(source.id)}
        assert len(found.schedules) == 1
        assert await serve_sources(client, fresh_worker) == []
        async with fresh_worker.transaction(tenant.flow) as connection:
            await request_run(connection, tenant.workspace_id, source.id, None)
        (line,) = await serve_sources(client, fresh_worker)
        assert line.startswith("run of pull-metrics/wind")
        runs = await client.read_flow_runs()
        assert [one.parameters for one in runs if not one.auto_scheduled] == [
            {"source_id": str(source.id)}
        ]
        assert await serve_sources(client, fresh_worker) == []
        async with fresh_worker.transaction(tenant.flow) as connection:
            await finish_requests(connection, source.id, None)
            await delete_source(connection, tenant.workspace_id, source.id)
        assert await serve_sources(client, fresh_worker) == ["deployment pull-metrics/wind removed"]
