"""From the POST of one breaching point to the frame at a WebSocket client, fsync on.

    python -m bench.latency [--posts 300] [--seconds 4] [--repeat 5]

Beside it, in the same run and on the same PostgreSQL, a minimal FastAPI application that does one
insert, one update and one trigger, without tenants, rules or history. Goals: p50 and p95 at most
3 times that application's; with 8 posters at least half of its requests a second.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psycopg
import uvloop
from rich.console import Console
from rich.table import Table

from bench.peers.minimal_alerts import SCHEMA
from convex.db import SYSTEM, Database
from convex.db.migrate import migrate
from convex.db.roles import admin_url, role_url
from convex.embedded.postgres import EmbeddedPostgres
from convex.embedded.valkey import EmbeddedValkey
from convex.settings import Settings
from convex.workspaces import service

_POSTERS = 8
_WARM_UP = 60
_SERIES = 10_000  # as many as a workspace may have


Send = Callable[[aiohttp.ClientSession, int], Coroutine[Any, Any, None]]


@dataclass
class Side:
    """One application: how to breach, how to recover, where frames come from."""

    name: str
    breach: Send
    frames: aiohttp.ClientWebSocketResponse

    async def frame(self) -> None:
        """Wait for the next one that tells of an alert."""
        while True:
            message = await self.frames.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise RuntimeError(f"{self.name} has closed: {message}")
            if b'"pong"' not in message.data.encode():
                return


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


@asynccontextmanager
async def process(
    arguments: list[str], port: int, **env: str
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A Python process while the block lasts, from when it listens at `port`."""
    child = subprocess.Popen(  # noqa: ASYNC220  # starting it takes no time
        [sys.executable, *arguments], env={**os.environ, **env}, stdout=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield child
    finally:
        child.terminate()
        await asyncio.to_thread(child.wait)


async def make_workspace(settings: Settings) -> str:
    """A workspace, and a key that may do everything a key can."""
    async with (
        Database.open(role_url(settings, "convex_worker")) as database,
        database.transaction(SYSTEM) as connection,
    ):
        user = await service.create_user(
            connection, email="bench@example.com", name="Bench", password=None
        )
        workspace = await service.create_workspace(
            connection, slug="bench", name="Bench", owner_id=user.id
        )
        _, key = await service.create_api_key(connection, workspace, name="bench", scopes=["write"])
    return key


async def _prepare(session: aiohttp.ClientSession, url: str) -> None:
    async def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with session.post(f"{url}/api/v1{path}", json=body) as answer:
            answer.raise_for_status()
            made: dict[str, Any] = await answer.json()
            return made

    framework = await post("/frameworks", {"slug": "bench", "name": "Bench"})
    metric = await post("/metrics", {"framework_id": framework["id"], "name": "rate"})
    rule = {
        "name": "high",
        "framework_id": framework["id"],
        "metric_id": metric["id"],
        "threshold_value": 10,
        "deduplication_window": 0,
    }
    await post("/alert-rules", rule)
    for first in range(0, _SERIES, 1000):
        body = orjson.dumps({"points": [_point(first + n, 5, ago=60) for n in range(1000)]})
        await _post(session, f"{url}/api/v1/points", body)


def _point(series: int, value: float, ago: float = 0) -> dict[str, Any]:
    return {
        "framework": "bench",
        "metric": "rate",
        "labels": {"series": f"s{series}"},
        "timestamp": (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(),
        "value": value,
    }


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    async with session.post(url, data=body, headers=headers) as answer:
        if answer.status != 200:
            raise RuntimeError(await answer.text())
        await answer.read()


async def _latencies(side: Side, session: aiohttp.ClientSession, posts: int) -> list[float]:
    taken = []
    for _ in range(posts):
        started = time.perf_counter()
        posting = asyncio.create_task(side.breach(session, 0))
        await side.frame()
        taken.append(time.perf_counter() - started)
        await posting
    return taken


async def _throughput(side: Side, session: aiohttp.ClientSession, seconds: float) -> float:
    done = 0
    until = time.perf_counter() + seconds

    async def drain() -> None:
        while True:
            await side.frame()

    async def post(poster: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await side.breach(session, poster)
            done += 1

    draining = asyncio.create_task(drain())
    await asyncio.gather(*(post(poster) for poster in range(1, _POSTERS + 1)))
    await asyncio.sleep(0.3)
    draining.cancel()
    return done / seconds


async def _measure(settings: Settings, posts: int, seconds: float, repeat: int) -> Table:
    key = await make_workspace(settings)
    with psycopg.connect(admin_url(settings), autocommit=True) as admin:
        admin.execute(SCHEMA)
    ports = free_port(), free_port()
    env = {
        "CONVEX_HOME": str(settings.home),
        "CONVEX_REDIS_URL": settings.redis_url,
        "CONVEX_API_PORT": str(ports[0]),
        "CONVEX_LOG_LEVEL": "WARNING",
    }
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(process(["-m", "api"], ports[0], **env))
        peer = ["-m", "bench.peers.minimal_alerts", admin_url(settings), str(ports[1])]
        await stack.enter_async_context(process(peer, ports[1]))
        headers = {"Authorization": f"Bearer {key}"}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        url, peer_url = (f"http://127.0.0.1:{port}" for port in ports)
        await _prepare(session, url)
        live = await stack.enter_async_context(session.ws_connect(f"{url}/api/v1/live"))
        await live.send_str(orjson.dumps({"type": "auth", "token": key}).decode())
        await live.receive()
        await live.send_str('{"type":"subscribe","framework_id":null}')
        await live.receive()
        peer_live = await stack.enter_async_context(session.ws_connect(f"{peer_url}/live"))

        unused = iter(range(_SERIES))

        async def send(session: aiohttp.ClientSession, _: int) -> None:
            # A series of its own each time: one that opens and closes again and again is flapping.
            body = orjson.dumps({"points": [_point(next(unused), 20)]})
            await _post(session, f"{url}/api/v1/points", body)

        async def send_to_peer(session: aiohttp.ClientSession, series: int) -> None:
            body = orjson.dumps({"series": f"s{series}", "value": 20.0})
            await _post(session, f"{peer_url}/points", body)

        sides = (
            Side("convex", send, live),
            Side("minimal", send_to_peer, peer_live),
        )
        figures: dict[str, dict[str, list[float]]] = {
            side.name: {"p50": [], "p95": [], "rate": []} for side in sides
        }
        for side in sides:
            await _latencies(side, session, _WARM_UP)
        for _ in range(repeat):
            for side in sides:
                await live.send_str('{"type":"ping"}')  # it is closed when silent for a minute
                taken = sorted(await _latencies(side, session, posts))
                figures[side.name]["p50"].append(taken[len(taken) // 2] * 1000)
                figures[side.name]["p95"].append(taken[int(len(taken) * 0.95)] * 1000)
                figures[side.name]["rate"].append(await _throughput(side, session, seconds))
    return _table(figures)


def _table(figures: dict[str, dict[str, list[float]]]) -> Table:
    table = Table(title="POST of a breaching point → frame at a WebSocket client")
    for heading in ("", "convex", "minimal FastAPI", "ratio", "goal"):
        table.add_column(heading)
    names = {"p50": "p50, ms", "p95": "p95, ms", "rate": f"{_POSTERS} posters, requests/s"}
    goals = {"p50": "≤ 3", "p95": "≤ 3", "rate": "≥ 0.5"}
    for name, text in names.items():
        mine, theirs = figures["convex"][name], figures["minimal"][name]
        ratio = statistics.median(mine) / statistics.median(theirs)
        table.add_row(text, _spread(mine), _spread(theirs), f"{ratio:.2f}", goals[name])
    return table


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


async def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="convex-bench-") as folder:
        os.chmod(folder, 0o755)
        postgres = EmbeddedPostgres(Path(folder) / "home")
        valkey = EmbeddedValkey(Path(folder) / "valkey")
        await postgres.start()
        try:
            redis_url = await valkey.start()
            settings = Settings(home=postgres.home, redis_url=redis_url)
            await asyncio.to_thread(migrate, settings)
            table = await _measure(settings, options.posts, options.seconds, options.repeat)
        finally:
            await valkey.stop()
            await postgres.remove()
    Console().print(table)


if __name__ == "__main__":
    uvloop.run(main())
