"""The flow that builds the marts, under a real Prefect server."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio

from convex.analytics import build, read
from convex.db import Database
from convex.db.roles import role_url
from convex.errors import InvalidInput
from convex.settings import Settings
from flows.build_marts import build_marts
from tests.convex.analytics.history import write_history
from tests.flows.prefect_server import flow_environment, prefect_server

_FLOW = "import asyncio\nfrom flows.build_marts import build_marts\nasyncio.run(build_marts())"


@pytest_asyncio.fixture(scope="module")
async def prefect(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        yield url


async def start(settings: Settings, prefect: str, home: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _FLOW),
        env=flow_environment(settings, prefect, home),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def task_runs(prefect: str, flow_run_id: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient() as client:
        found = await client.post(
            f"{prefect}/task_runs/filter",
            json={"limit": 200, "flow_runs": {"id": {"any_": [flow_run_id]}}},
        )
    rows: list[dict[str, Any]] = found.json()
    return rows


async def newest_flow_run(prefect: str) -> dict[str, Any] | None:
    async with httpx.AsyncClient() as client:
        found = await client.post(
            f"{prefect}/flow_runs/filter", json={"limit": 1, "sort": "START_TIME_DESC"}
        )
    rows: list[dict[str, Any]] = found.json()
    return rows[0] if rows else None


async def settled(prefect: str, flow_run_id: str) -> list[dict[str, Any]]:
    """The task runs, once the server has taken up the last of their events."""
    async with asyncio.timeout(30):
        while True:
            runs = await task_runs(prefect, flow_run_id)
            if all(run["state_type"] in ("COMPLETED", "FAILED") for run in runs) and any(
                run["name"].startswith("source-freshness") for run in runs
            ):
                return runs
            await asyncio.sleep(0.2)


async def test_each_node_is_a_task_run_and_the_marts_and_their_pages_are_there(
    fresh_settings: Settings,
    fresh_worker: Database,
    fresh_api: Database,
    prefect: str,
    tmp_path: Path,
) -> None:
    tenant = await write_history(fresh_worker)
    child = await start(fresh_settings, prefect, tmp_path)
    assert await child.wait() == 0
    flow_run = await newest_flow_run(prefect)
    assert flow_run is not None
    assert flow_run["name"] == "build-marts-daily"
    assert flow_run["state_type"] == "COMPLETED"
    runs = await settled(prefect, flow_run["id"])
    names = {run["name"] for run in runs}
    assert {"model alert_analytics", "model stg_convex__points", "test assert_periods_agree"} <= (
        names
    )
    assert {run["state_type"] for run in runs} == {"COMPLETED"}
    assert build.docs_page(fresh_settings).exists()
    async with fresh_api.read(tenant.identity()) as connection:
        counts = await read.count_marts(connection)
    assert all(counts.values()), counts


async def test_what_failed_is_tried_again_alone(
    fresh_settings: Settings, fresh_worker: Database, prefect: str, tmp_path: Path
) -> None:
    await write_history(fresh_worker)
    first = await asyncio.to_thread(build.build_marts, fresh_settings)
    assert first.succeeded
    with psycopg.connect(role_url(fresh_settings, "convex_dbt"), autocommit=True) as connection:
        connection.execute("ALTER TABLE analytics.fct_predictions DROP COLUMN risk_score")
        before = await newest_flow_run(prefect)
        child = await start(fresh_settings, prefect, tmp_path)
        async with asyncio.timeout(120):
            while True:
                flow_run = await newest_flow_run(prefect)
                if flow_run is not None and (before is None or flow_run["id"] != before["id"]):
                    runs = await task_runs(prefect, flow_run["id"])
                    if any(
                        run["name"] == "model fct_predictions" and run["state_type"] == "FAILED"
                        for run in runs
                    ):
                        break
                await asyncio.sleep(0.1)
        connection.execute("DROP TABLE analytics.fct_predictions")
    assert await child.wait() == 0
    runs = await settled(prefect, flow_run["id"])
    states = {name: Counter[str]() for name in ("model fct_predictions", "model alert_analytics")}
    for run in runs:
        if run["name"] in states:
            states[run["name"]][run["state_type"]] += 1
    assert states["model fct_predictions"]["COMPLETED"] == 1
    assert states["model fct_predictions"]["FAILED"] >= 1
    assert states["model alert_analytics"] == {"COMPLETED": 1}


async def test_a_backfill_without_its_first_day_is_refused() -> None:
    with pytest.raises(InvalidInput, match="first day"):
        await build_marts.fn(backfill_to=date(2026, 3, 1))
