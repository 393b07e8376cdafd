"""The nightly flow of insights, under a real Prefect server."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from convex.db import Database
from convex.settings import Settings
from tests.conftest import make_tenant
from tests.convex.alerts.conftest import make_bench
from tests.convex.insights.messages_server import messages_server
from tests.flows.prefect_server import flow_environment, prefect_server

_FLOW = """
import asyncio
import sys
import flows.write_insights as module
module._POLL_SECONDS = 0.1
print("counts", asyncio.run(module.write_insights(collect_only="collect" in sys.argv)))
"""


async def test_a_night_writes_for_every_workspace_by_whoever_can(
    fresh_settings: Settings, fresh_worker: Database, fresh_api: Database, tmp_path: Path
) -> None:
    for _ in range(2):
        bench = await make_bench(fresh_api, await make_tenant(fresh_worker))
        bench.now = datetime.now(UTC)
        await bench.rule(name="Late")
        await bench.push([(0, 1.0), (60, 50.0)], history=True)

    async def night(url: str, *words: str, **variables: str) -> bytes:
        known = {**flow_environment(fresh_settings, url, tmp_path), **variables}
        if "ANTHROPIC_API_KEY" not in variables:
            known.pop("ANTHROPIC_API_KEY", None)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _FLOW, *words),
            env=known,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await child.communicate()
        assert child.returncode == 0, errors.decode()[-3000:]
        return output

    async with prefect_server(tmp_path / "server") as url, messages_server() as server:
        assert b"'claude': 0, 'template': 4, 'waiting': 0" in await night(url)
        key = {
            "ANTHROPIC_API_KEY": "sk-test",
            "CONVEX_INSIGHTS__BASE_URL": server.url,
            "CONVEX_INSIGHTS__BATCH_WAIT": "0",
        }
        server.batch_ready = False
        assert b"'claude': 0, 'template': 0, 'waiting': 2" in await night(url, **key)
        server.batch_ready = True
        assert b"'claude': 2, 'template': 0, 'waiting': 0" in await night(url, "collect", **key)
        assert len(server.batches) == 2  # one a workspace; the digest is not due again
    kinds: Counter[tuple[str, str]] = Counter()
    async with fresh_worker.read(bench.tenant.flow) as connection:
        rows = await connection.execute("SELECT kind, source FROM convex.framework_insights")
        kinds.update((row["kind"], row["source"]) for row in await rows.fetchall())
    assert kinds == {
        ("framework", "template"): 1,
        ("digest", "template"): 1,
        ("framework", "claude"): 1,
    }
