"""What the probes say while each thing that Convex depends on is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio

from convex.db import Database
from convex.embedded.valkey import EmbeddedValkey
from convex.settings import Settings
from tests.api.conftest import Running, make_team, serve
from tests.convex.notifications.receivers import open_http
from tests.convex.notifications.shifts import at_work, towards


class Door:
    """A way to a server that can be closed: who is connected is cut off, nobody gets in."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection(*self._target)
        self._writers |= {writer, out}
        try:
            await asyncio.gather(self._pump(reader, out), self._pump(there, writer))
        finally:
            for each in (writer, out):
                self._writers.discard(each)
                each.transport.abort()

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()


async def until(running: Running, wanted: Callable[[int, dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask /readyz until it says so; /livez answers all the while."""
    async with asyncio.timeout(60), httpx.AsyncClient(base_url=running.url, timeout=30) as client:
        while True:
            assert (await client.get("/livez")).status_code == 200
            answer = await client.get("/readyz")
            checks = {name: one["ok"] for name, one in answer.json()["checks"].items()}
            if wanted(answer.status_code, checks):
                return checks
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture
async def database_door(fresh_settings: Settings) -> AsyncIterator[tuple[Door, Settings]]:
    address = fresh_settings.database_url.rpartition("@")[2].partition("/")[0]
    host, _, port = address.partition(":")
    door = Door(host, int(port or 5432))
    await door.open()
    url = fresh_settings.database_url.replace(address, f"127.0.0.1:{door.port}")
    yield door, fresh_settings.model_copy(update={"database_url": url})
    await door.close()


async def test_without_postgresql_it_is_alive_but_not_ready_and_recovers(
    database_door: tuple[Door, Settings],
) -> None:
    door, settings = database_door
    async with open_http() as http, serve(settings) as running:
        async with at_work(towards(settings, http)):
            await until(running, lambda status, _: status == 200)
        await door.close()
        checks = await until(running, lambda status, checks: not checks["database"])
        assert checks == {
            "database": False,
            "redis": True,
            "migrations": False,
            "alert_flow": False,
        }
        await door.open()
        checks = await until(running, lambda status, checks: checks["database"])
        assert checks["migrations"]


async def test_without_valkey_requests_go_on_and_the_probe_says_so(
    fresh_settings: Settings, fresh_worker: Database, password_hash: str, tmp_path: Path
) -> None:
    server = EmbeddedValkey(tmp_path / "valkey")
    await server.start()
    settings = fresh_settings.model_copy(update={"redis_url": server.url})
    async with open_http() as http, serve(settings) as running:
        team = await make_team(running, fresh_worker, password_hash)
        async with at_work(towards(settings, http)):
            await until(running, lambda status, _: status == 200)
            await server.stop()
            checks = await until(running, lambda status, checks: status == 503)
            assert checks == {
                "database": True,
                "redis": False,
                "migrations": True,
                "alert_flow": True,
            }
            health = (await team.viewer.get("/api/v1/system/health")).json()
            assert (health["score"], health["status"]) == (85, "degraded")
        for client in team.clients.values():
            await client.aclose()


async def test_without_prefect_no_alert_flow_is_at_work(
    fresh_settings: Settings, fresh_worker: Database, password_hash: str
) -> None:
    """Prefect keeps the flow going: when both are gone the score and the probe say so."""
    async with open_http() as http, serve(fresh_settings) as running:
        team = await make_team(running, fresh_worker, password_hash)
        async with at_work(towards(fresh_settings, http)):
            await until(running, lambda status, _: status == 200)
            full = (await team.viewer.get("/api/v1/system/health")).json()
        checks = await until(running, lambda status, checks: not checks["alert_flow"])
        assert [name for name, ok in checks.items() if not ok] == ["alert_flow"]
        lost = (await team.viewer.get("/api/v1/system/health")).json()
        integrations = (await team.viewer.get("/api/v1/system/integrations")).json()["items"]
        for client in team.clients.values():
            await client.aclose()
    assert (full["score"], full["status"]) == (100, "healthy")
    assert (lost["score"], lost["status"]) == (70, "degraded")
    assert sum(part["points"] for part in lost["parts"]) == 70
    assert [one["state"] for one in integrations if one["kind"] == "prefect"] == ["down"]
