"""Two API replicas and two workers at work on one database, one Valkey and one Prefect server."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from signal import Signals
from typing import Any

import httpx
import pytest
from aiohttp import web

from chaos.listeners import EVERYTHING, listening
from chaos.stand import Process, below
from convex.db import SYSTEM, Database
from convex.embedded.process import choose_port
from convex.settings import Settings
from tests.convex.cli.conftest import run_convex
from tests.convex.notifications.receivers import HttpReceiver, open_http
from tests.convex.notifications.shifts import towards
from tests.flows.prefect_server import flow_environment, prefect_server

pytestmark = pytest.mark.timeout(1200)

CODE = Path(__file__).parents[2]
BATCH = 30  # triggers of one batch


@dataclass(frozen=True, slots=True)
class Replica:
    """One machine's part, with a home of its own: a process and where its API is."""

    child: asyncio.subprocess.Process
    url: str = ""

    def shifts(self) -> list[Process]:
        """Its runs of the standing flow."""
        return [one for one in below(self.child.pid) if one.is_a_run]


@asynccontextmanager
async def started(*arguments: str, environment: dict[str, str]) -> AsyncIterator[Replica]:
    """A process of its own, in a group of its own; gone at the end of the block."""
    log = Path(environment["CONVEX_HOME"]) / f"{arguments[0]}.log"
    with log.open("wb") as said:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *arguments),
            cwd=CODE,
            env=environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        port = environment.get("CONVEX_API_PORT", "")
        yield Replica(child, f"http://127.0.0.1:{port}" if arguments == ("api",) else "")
    finally:
        if child.returncode is None:
            os.killpg(child.pid, Signals.SIGKILL)
        await child.wait()


async def until_ready(replicas: list[Replica]) -> None:
    """Every API says that all is there, the alert flow too."""
    async with httpx.AsyncClient(timeout=10) as client, asyncio.timeout(600):
        for replica in replicas:
            while True:
                try:
                    if (await client.get(f"{replica.url}/readyz")).status_code == 200:
                        break
                except httpx.TransportError:
                    assert replica.child.returncode is None
                await asyncio.sleep(0.1)


async def until_each_has_a_shift(workers: list[Replica]) -> None:
    async with asyncio.timeout(600):
        while not all(worker.shifts() for worker in workers):  # noqa: ASYNC110 - in /proc only
            await asyncio.sleep(0.1)


async def ask(client: httpx.AsyncClient, method: str, url: str, **more: Any) -> Any:
    answer = await client.request(method, url, **more)
    assert answer.is_success, f"{method} {url}: {answer.status_code} {answer.text}"
    return answer.json()


async def fire(client: httpx.AsyncClient, apis: list[Replica], first: int) -> list[str]:
    """A batch through each API at once, for series of its own; the ids of the triggers."""

    async def send(api: Replica, number: int) -> list[str]:
        points = [
            {
                "framework": "shared",
                "metric": "rate",
                "labels": {"n": str(first + number * BATCH + series)},
                "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "value": 20,
            }
            for series in range(BATCH)
        ]
        body = {"points": points}
        answer = await ask(client, "POST", f"{api.url}/api/v1/points", json=body)
        triggers: list[str] = answer["triggers"]
        assert len(triggers) == BATCH
        return triggers

    both = await asyncio.gather(*(send(api, number) for number, api in enumerate(apis)))
    return [trigger for some in both for trigger in some]


async def until_delivered(worker: Database, count: int) -> None:
    """That many webhooks are in the ledger, and nothing is on its way."""
    question = (
        "SELECT count(*) FILTER (WHERE channel_kind = 'webhook' AND state = 'delivered') AS there,"
        " count(*) FILTER (WHERE state = 'due') AS due FROM convex.alert_notifications"
    )
    async with asyncio.timeout(300):
        while True:
            async with worker.transaction(SYSTEM) as connection:
                row = await (await connection.execute(question)).fetchone()
            if row and row["there"] >= count and not row["due"]:
                return
            await asyncio.sleep(0.1)


async def attempts_of(worker: Database) -> dict[str, tuple[int, int]]:
    """By webhook-id: attempts, and those of them whose answer is recorded."""
    async with worker.read(SYSTEM) as connection:
        rows = await (
            await connection.execute(
                "SELECT 'msg_' || replace(n.id::text, '-', '') AS id, n.attempts,"
                " count(d.status_code) AS answered FROM convex.alert_notifications AS n"
                " LEFT JOIN convex.notification_deliveries AS d ON d.notification_id = n.id"
                " WHERE n.channel_kind = 'webhook' GROUP BY n.id"
            )
        ).fetchall()
    return {row["id"]: (row["attempts"], row["answered"]) for row in rows}


async def set_up(settings: Settings, http: HttpReceiver, variables: dict[str, str]) -> str:
    """A workspace whose one member is told at once; a key for everything."""

    def run(*arguments: str) -> Any:
        ended = run_convex(*arguments, "--json", variables=variables)
        assert ended.status == 0, ended.err
        return ended.json

    await asyncio.to_thread(run, "user", "create", "both@example.com", "--workspace", "both")
    made = await asyncio.to_thread(
        run,
        *("key", "create", "both", "--workspace", "both"),
        *("--scope", "read", "--scope", "ingest", "--scope", "write"),
    )
    key: str = made["key"]
    return key


async def test_load_through_both_and_the_alert_flow_goes_on_when_one_worker_dies(
    fresh_settings: Settings, fresh_worker: Database, tmp_path: Path
) -> None:
    held, free = asyncio.Event(), asyncio.Event()
    free.set()

    async def answer(_: web.Request) -> web.StreamResponse:
        if not free.is_set():
            held.set()
            await free.wait()  # in flight while their worker is killed
        return web.Response(status=204)

    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(open_http(answer))
        prefect = await stack.enter_async_context(prefect_server(tmp_path / "prefect"))
        settings = towards(fresh_settings, http)
        environments = []
        for name in ("one", "two"):
            home = tmp_path / name
            home.mkdir()
            (home / "set-up").touch()
            environment = flow_environment(settings, prefect, home / "prefect")
            environment |= {
                "CONVEX_HOME": str(home),
                "CONVEX_API_PORT": str(choose_port(home, "api")),
                "PREFECT_WORKER_QUERY_SECONDS": "1",
            }
            environments.append(environment)
        key = await set_up(settings, http, environments[0])
        bootstrap = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "flows.bootstrap", "--start"), cwd=CODE, env=environments[0]
        )
        assert await bootstrap.wait() == 0
        apis = [
            await stack.enter_async_context(started("api", environment=one)) for one in environments
        ]
        workers = [
            await stack.enter_async_context(
                # Room for one run each, so that the two standing runs are on two workers.
                started(
                    *("flows.work", f"convex-{number}", "1", one["CONVEX_HOME"] + "/set-up"),
                    "notifications",
                    environment=one,
                )
            )
            for number, one in enumerate(environments)
        ]
        await until_ready(apis)
        await until_each_has_a_shift(workers)
        client = await stack.enter_async_context(
            httpx.AsyncClient(headers={"authorization": f"Bearer {key}"}, timeout=60)
        )
        root = f"{apis[0].url}/api/v1"
        framework = await ask(
            client, "POST", f"{root}/frameworks", json={"slug": "shared", "name": "S"}
        )
        metric = {"framework_id": framework["id"], "name": "rate"}
        metric = await ask(client, "POST", f"{root}/metrics", json=metric)
        rule = {
            "name": "high",
            "framework_id": framework["id"],
            "metric_id": metric["id"],
            "threshold_value": 10,
            "severity": "critical",
            "channels": ["hook"],
        }
        channel = {"name": "hook", "kind": "webhook", "config": {"url": http.url()}}
        async with fresh_worker.transaction(SYSTEM) as connection:
            await connection.execute(
                "INSERT INTO convex.notification_preferences (workspace_id, group_by)"
                " SELECT id, 'none' FROM convex.workspaces WHERE slug = 'both'"
            )
        await ask(client, "POST", f"{root}/channels", json=channel)
        await ask(client, "POST", f"{root}/alert-rules", json=rule)
        subscribers = [
            await stack.enter_async_context(listening(api.url, key, [framework["id"]], 4, number))
            for number, api in enumerate(apis)
        ]

        triggers = await fire(client, apis, 0)
        await until_delivered(fresh_worker, len(triggers))
        assert set(http.ids.values()) == {1}, "two shifts at work told nobody twice"
        assert all(tried == (1, 1) for tried in (await attempts_of(fresh_worker)).values())

        free.clear()
        more = await fire(client, apis, 1000)
        async with asyncio.timeout(60):
            await held.wait()
        os.kill(workers[0].child.pid, Signals.SIGKILL)
        await workers[0].child.wait()
        free.set()
        last = await fire(client, apis, 2000)
        triggers += more + last
        await until_delivered(fresh_worker, len(triggers))
        await until_ready(apis)
        tried = await attempts_of(fresh_worker)
        assert len(triggers) == len(tried) == len(set(triggers)) == 6 * BATCH
        assert set(http.ids) == set(tried)
        for identity, (attempts, answered) in tried.items():
            # Again only what the killed one had in flight, whose answer nobody lived to record.
            assert http.ids[identity] <= 1 + attempts - answered

        async with fresh_worker.read(SYSTEM) as connection:
            events = await (
                await connection.execute(
                    "SELECT cursor FROM convex.live_events WHERE recipient_id IS NULL"
                    " AND (framework_id IS NULL OR framework_id = %s) ORDER BY cursor",
                    (framework["id"],),
                )
            ).fetchall()
        cursors = [row["cursor"] for row in events]
        assert len(cursors) >= len(triggers)
        for one in subscribers:
            heard = await one.finish({EVERYTHING: cursors, framework["id"]: cursors}, 60)
            assert (heard["twice"], heard["differing"]) == (0, 0), heard
