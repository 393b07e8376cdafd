"""The flow that checks the data, under a real Prefect server."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from convex.db import SYSTEM, Database
from convex.quality import check, store
from convex.settings import Settings
from tests.conftest import make_tenant
from tests.flows.prefect_server import flow_environment, prefect_server

_FLOW = """
import asyncio, json
from flows.check_quality import check_quality
print(json.dumps(asyncio.run(check_quality())))
"""


async def test_every_workspace_is_checked_on_its_own_and_has_its_pages(
    fresh_settings: Settings,
    fresh_worker: Database,
    fresh_api: Database,
    tmp_path: Path,
) -> None:
    now = datetime.now(UTC)
    good, empty = await make_tenant(fresh_worker), await make_tenant(fresh_worker)
    async with fresh_worker.transaction(SYSTEM) as connection:
        await connection.execute(
            "SELECT convex.ensure_point_partitions(%s, %s)", (now - timedelta(days=31), now)
        )
    async with fresh_worker.transaction(good.flow) as connection:
        await connection.execute(
            "WITH f AS (INSERT INTO convex.frameworks (workspace_id, slug, name)"
            " VALUES (%(w)s, 'shop', 'Shop') RETURNING id),"
            " m AS (INSERT INTO convex.metrics (workspace_id, framework_id, name)"
            " SELECT %(w)s, id, 'orders' FROM f RETURNING *),"
            " s AS (INSERT INTO convex.series"
            " (workspace_id, framework_id, metric_id, labels_hash, newest_at)"
            " SELECT %(w)s, framework_id, id, '\\x00', %(now)s FROM m RETURNING id)"
            " INSERT INTO convex.points (workspace_id, series_id, timestamp, value)"
            " SELECT %(w)s, s.id, %(now)s - n * interval '1 hour', n"
            " FROM s, generate_series(0, 24 * 30) AS n",
            {"w": good.workspace_id, "now": now},
        )
    async with prefect_server(tmp_path / "server") as url:
        for expected_rows in (24 * 30 + 1, 24 * 8):  # all of the first check, then a window
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _FLOW),
                env=flow_environment(fresh_settings, url, tmp_path),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            output, _ = await child.communicate()
            assert child.returncode == 0
            assert b'"failed": 1' in output  # the empty workspace has measured nothing
            async with fresh_api.read(good.identity()) as connection:
                run = (await store.list_runs(connection, suite="points")).items[0]
            assert run["state"] == "passed"
            assert abs(max(r["rows"] or 0 for r in run["results"]) - expected_rows) <= 1
    async with fresh_api.read(empty.identity()) as connection:
        run = (await store.list_runs(connection, suite="points")).items[0]
    assert run["state"] == "failed"
    folder = check.docs_folder(fresh_settings)
    assert (folder / "index.html").exists()
    assert (folder / str(good.workspace_id) / "index.html").exists()
