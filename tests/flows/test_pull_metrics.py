"""The flow that takes up a source's points, under a real Prefect server."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from convex.db import Database
from convex.frameworks import create_framework
from convex.metrics.sources import FOLDER, Source
from convex.metrics.sources.store import get_source, save_source
from convex.settings import Settings
from tests.conftest import Tenant, make_tenant
from tests.flows.prefect_server import flow_environment, prefect_server

_FLOW = """
import asyncio, json, sys
from uuid import UUID
from flows.pull_metrics import pull_metrics
print(json.dumps(asyncio.run(pull_metrics(UUID(sys.argv[1])))))
"""


@pytest_asyncio.fixture(scope="module")
async def prefect(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        yield url


@pytest_asyncio.fixture
async def tenant(fresh_worker: Database) -> Tenant:
    made = await make_tenant(fresh_worker)
    async with fresh_worker.transaction(made.flow) as connection:
        await create_framework(connection, made.workspace_id, slug="ewr", name="Newark")
    return made


async def source_of(worker: Database, tenant: Tenant) -> Source:
    async with worker.transaction(tenant.flow) as connection:
        return await save_source(
            connection, tenant.workspace_id, name="wind", kind="file", config={"path": "wind.csv"}
        )


async def reload(worker: Database, tenant: Tenant, source: Source) -> Source:
    async with worker.read(tenant.flow) as connection:
        return await get_source(connection, source.id)


def write(settings: Settings, rows: int) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=rows)
    folder = settings.home / FOLDER
    folder.mkdir(exist_ok=True)
    with (folder / "wind.csv").open("w") as file:
        file.write("framework,metric,timestamp,value\n")
        for number in range(rows):
            moment = start + timedelta(minutes=number)
            file.write(f"ewr,wind,{moment:%Y-%m-%dT%H:%M:%SZ},{number}\n")


async def start(
    settings: Settings, prefect_url: str, home: Path, source: Source
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _FLOW, str(source.id)),
        env=flow_environment(settings, prefect_url, home),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(settings: Settings, prefect_url: str, home: Path, source: Source) -> dict[str, int]:
    child = await start(settings, prefect_url, home, source)
    output, errors = await child.communicate()
    assert child.returncode == 0, errors.decode()
    counts: dict[str, int] = json.loads(output.splitlines()[-1])
    return counts


async def stored(worker: Database, tenant: Tenant) -> tuple[int, float]:
    async with worker.read(tenant.flow) as connection:
        row = await (
            await connection.execute(
                "SELECT count(*) AS count, coalesce(sum(value), 0) AS sum FROM convex.points"
            )
        ).fetchone()
    assert row is not None
    return row["count"], row["sum"]


async def artifacts(prefect_url: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient() as client:
        found = await client.post(f"{prefect_url}/artifacts/filter", json={"limit": 200})
    listed = found.json()
    assert isinstance(listed, list)
    return listed


async def test_a_source_is_taken_up_once_and_gone_on_from(
    fresh_settings: Settings,
    fresh_worker: Database,
    tenant: Tenant,
    prefect: str,
    tmp_path: Path,
) -> None:
    source = await source_of(fresh_worker, tenant)
    write(fresh_settings, 50)
    first = await run(fresh_settings, prefect, tmp_path, source)
    assert (first["accepted"], first["rejected"], first["batches"]) == (50, 0, 1)
    again = await run(fresh_settings, prefect, tmp_path, source)
    assert (again["accepted"], again["unchanged"], again["batches"]) == (0, 0, 0)
    with (fresh_settings.home / FOLDER / "wind.csv").open("a") as file:
        file.write(f"ewr,wind,{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ},50\n")
    assert (await run(fresh_settings, prefect, tmp_path, source))["accepted"] == 1
    assert await stored(fresh_worker, tenant) == (51, sum(range(51)))
    after = await reload(fresh_worker, tenant, source)
    assert after.cursor == {"file": "wind.csv", "rows": 51}
    assert (after.points_total, after.last_state, after.last_error) == (51, "succeeded", None)
    progress = [each for each in await artifacts(prefect) if each["type"] == "progress"]
    assert [each["data"] for each in progress] == [100.0] * 3


async def test_a_run_killed_between_batches_loses_and_repeats_nothing(
    fresh_settings: Settings,
    fresh_worker: Database,
    tenant: Tenant,
    prefect: str,
    tmp_path: Path,
) -> None:
    source = await source_of(fresh_worker, tenant)
    rows = 60_000
    write(fresh_settings, rows)
    child = await start(fresh_settings, prefect, tmp_path, source)
    while not (await reload(fresh_worker, tenant, source)).points_total:
        assert child.returncode is None
        await asyncio.sleep(0.01)
    child.kill()
    await child.communicate()
    reached = await reload(fresh_worker, tenant, source)
    assert await stored(fresh_worker, tenant) == (
        reached.cursor["rows"],
        sum(range(reached.cursor["rows"])),
    )
    assert reached.cursor["rows"] < rows
    rest = await run(fresh_settings, prefect, tmp_path, source)
    assert rest["accepted"] == rows - reached.cursor["rows"]
    assert await stored(fresh_worker, tenant) == (rows, sum(range(rows)))


async def test_a_source_that_is_wrong_fails_at_once_and_says_why(
    fresh_settings: Settings,
    fresh_worker: Database,
    tenant: Tenant,
    prefect: str,
    tmp_path: Path,
) -> None:
    source = await source_of(fresh_worker, tenant)
    child = await start(fresh_settings, prefect, tmp_path, source)
    _, errors = await child.communicate()
    assert child.returncode == 1
    assert b"retry" not in errors.lower()
    after = await reload(fresh_worker, tenant, source)
    assert after.last_state == "failed"
    assert after.last_error is not None
    assert "No file matches 'wind.csv'" in after.last_error
