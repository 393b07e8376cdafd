"""The flow clean-up as it runs: under a Prefect server, from the environment of a worker."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from convex.db import Database
from convex.settings import Settings
from tests.conftest import make_tenant
from tests.flows.prefect_server import flow_environment, prefect_server

_RUN = (
    "import asyncio, json; from flows.clean_up import clean_up;"
    " print(json.dumps(asyncio.run(clean_up())))"
)


async def test_it_cleans_the_database_and_prefect(
    fresh_settings: Settings, fresh_worker: Database, tmp_path: Path
) -> None:
    tenant = await make_tenant(fresh_worker)
    async with fresh_worker.transaction(tenant.flow) as connection:
        for cursor, age in ((1, timedelta(hours=25)), (2, timedelta(hours=23))):
            await connection.execute(
                "INSERT INTO convex.live_events (workspace_id, cursor, type, data, created_at)"
                " VALUES (%s, %s, 'alert', '{}', %s)",
                (tenant.workspace_id, cursor, datetime.now(UTC) - age),
            )
    async with prefect_server(tmp_path) as url:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _RUN,
            env=flow_environment(fresh_settings, url, tmp_path),
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await child.communicate()
    assert child.returncode == 0
    counts = json.loads(said.splitlines()[-1])
    assert counts["live_events"] == 1
    assert {"partitions", "idempotency_keys", "refresh_tokens", "runs"} <= set(counts)
