"""The flow that takes up a source's points, under a real Prefect server."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import pytest_asyncio

from convex.db import Connection, Database
from convex.frameworks import create_framework
from convex.metrics.sources import FOLDER, Source
from convex.metrics.sources.reader import check_config
from convex.metrics.sources.store import create_source, get_secret, get_source, save_source
from convex.secrets import encrypt, load_secrets
from convex.settings import DeliverySettings, Settings
from tests.conftest import Tenant, make_tenant
from tests.convex.metrics.sources.web import Answer, serving
from tests.flows.prefect_server import flow_environment, prefect_server
from tests.programs import free_port, program, started, until

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
    async with fresh_worker.read(tenant.flow) as connection:
        (alert,) = await open_triggers(connection)
    assert alert["rule_name"] == "Source wind fails"
    assert "No file matches" in alert["reason"]
    write(fresh_settings, 3)
    assert (await run(fresh_settings, prefect, tmp_path, source))["accepted"] == 3
    async with fresh_worker.read(tenant.flow) as connection:
        assert await open_triggers(connection) == []


async def open_triggers(connection: Connection) -> list[dict[str, Any]]:
    rows = await connection.execute(
        "SELECT rule_name, reason FROM convex.alert_triggers WHERE state <> 'resolved'"
    )
    return await rows.fetchall()


async def sealed_source(
    worker: Database,
    settings: Settings,
    tenant: Tenant,
    *,
    kind: str,
    config: dict[str, Any],
    secret: dict[str, Any],
) -> Source:
    check_config(kind, config, secret)
    sealed = encrypt(json.dumps(secret), load_secrets(settings).encryption_key)
    async with worker.transaction(tenant.flow) as connection:
        return await create_source(
            connection,
            tenant.workspace_id,
            name=kind,
            kind=kind,
            config=config,
            secret=sealed,
            schedule=None,
            enabled=True,
        )


async def test_a_database_is_read_to_its_end_although_the_run_is_killed(
    fresh_settings: Settings,
    fresh_worker: Database,
    tenant: Tenant,
    prefect: str,
    tmp_path: Path,
) -> None:
    rows = 60_000
    with psycopg.connect(fresh_settings.database_url) as connection:
        connection.execute(
            "CREATE TABLE public.sales AS SELECT n AS id,"
            " date_trunc('second', now()) - n * interval '1 second' AS at, n::float8 AS amount"
            f" FROM generate_series(0, {rows - 1}) AS n"
        )
    source = await sealed_source(
        fresh_worker,
        fresh_settings,
        tenant,
        kind="sql",
        config={
            "query": "SELECT id, at AS timestamp, amount AS value FROM public.sales",
            "cursor_column": "id",
            "framework": "ewr",
            "metric": "sales",
        },
        secret={"url": fresh_settings.database_url},
    )
    host = urlsplit(fresh_settings.database_url).netloc.rpartition("@")[2]
    allowed = fresh_settings.model_copy(
        update={"delivery": DeliverySettings(allowed_hosts=frozenset({host}))}
    )
    child = await start(allowed, prefect, tmp_path, source)
    while not (await reload(fresh_worker, tenant, source)).points_total:
        assert child.returncode is None
        await asyncio.sleep(0.01)
    child.kill()
    await child.communicate()
    reached = await reload(fresh_worker, tenant, source)
    assert reached.progress is not None
    assert 0 < reached.progress < 1
    rest = await run(allowed, prefect, tmp_path, source)
    assert rest["accepted"] == rows - reached.points_total
    assert await stored(fresh_worker, tenant) == (rows, sum(range(rows)))
    assert (await reload(fresh_worker, tenant, source)).progress == 1


async def test_a_private_address_is_not_called_unless_the_operator_allows_it(
    fresh_settings: Settings,
    fresh_worker: Database,
    tenant: Tenant,
    prefect: str,
    tmp_path: Path,
) -> None:
    def respond(_path: str, _p: dict[str, str], _h: Mapping[str, str]) -> Answer:
        return 200, {}, b"[]"

    with serving(respond) as web:
        source = await sealed_source(
            fresh_worker,
            fresh_settings,
            tenant,
            kind="http_json",
            config={
                "url": web.url,
                "fields": {"timestamp": "t", "value": "v"},
                "framework": "ewr",
                "metric": "m",
            },
            secret={"headers": {"authorization": "s3cret"}},
        )
        child = await start(fresh_settings, prefect, tmp_path, source)
        await child.communicate()
        assert child.returncode == 1
        assert web.asked == []
    after = await reload(fresh_worker, tenant, source)
    assert "is not a public address" in (after.last_error or "")
    async with fresh_worker.read(tenant.flow) as connection:
        sealed = await get_secret(connection, source.id)
    assert sealed is not None
    assert b"s3cret" not in sealed


async def test_a_real_prometheus_is_filled_back_and_followed(
    fresh_settings: Settings,
    fresh_worker: Database,
    tenant: Tenant,
    prefect: str,
    tmp_path: Path,
) -> None:
    port, log = free_port(), tmp_path / "log"
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 500ms}\nscrape_configs: [{job_name: ewr, static_configs:"
        f' [{{targets: ["127.0.0.1:{port}"]}}]}}]'
    )
    command = (
        program("prometheus"),
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
    )
    async with started(*command, log=log), httpx.AsyncClient() as client:

        async def scraped() -> bool:
            try:
                answer = await client.get(
                    f"http://127.0.0.1:{port}/api/v1/query",
                    params={"query": "count_over_time(up[1m]) > 6"},
                )
            except httpx.TransportError:
                return False
            return answer.is_success and bool(answer.json()["data"]["result"])

        await until(scraped, log=log)
        source = await sealed_source(
            fresh_worker,
            fresh_settings,
            tenant,
            kind="prometheus",
            config={
                "url": f"http://127.0.0.1:{port}",
                "queries": [{"query": "up"}, {"query": "max(up) * 2", "metric": "twice"}],
                "step_seconds": 1,
                "delay_seconds": 0,
            },
            secret={},
        )
        allowed = fresh_settings.model_copy(
            update={"delivery": DeliverySettings(allowed_hosts=frozenset({"127.0.0.1"}))}
        )
        first = await run(allowed, prefect, tmp_path, source)
        assert first["accepted"] >= 4
        assert first["rejected"] == 0
        second = await run(allowed, prefect, tmp_path, source)
        assert second["accepted"] >= 1
        assert (second["unchanged"], second["corrected"]) == (0, 0)
    async with fresh_worker.read(tenant.flow) as connection:
        rows = await connection.execute(
            "SELECT f.slug, m.name, s.labels, max(p.value) AS value, count(*) AS n"
            " FROM convex.points AS p INNER JOIN convex.series AS s ON s.id = p.series_id"
            " INNER JOIN convex.metrics AS m ON m.id = s.metric_id"
            " INNER JOIN convex.frameworks AS f ON f.id = s.framework_id GROUP BY 1, 2, 3"
        )
        found = {(row["slug"], row["name"]): row for row in await rows.fetchall()}
    assert found["ewr", "up"]["labels"] == {"job": "ewr", "instance": f"127.0.0.1:{port}"}
    assert found["unassigned", "twice"]["value"] == 2
