"""API reads on a year of data, uncached and cached, beside bare FastAPI routes of the same queries.

    python -m bench.reads [--triggers 100000] [--requests 200] [--seconds 3] [--repeat 5]

The trigger list, the analytics of 365 days and a framework's health of 30 days. Uncached is an API
process without Redis. Goals: p95 uncached at most 1.5 times the bare route's (one client); cached,
8 clients get at least 5 times its requests a second. Then a dashboard session is replayed
(bench/data/dashboard_session.json, recorded in a browser), the cache filled as the flow
refresh-statistics does and health forgotten every minute as its lifetime says: more than 80 % of
what may be kept must be hits.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import orjson
import psycopg
import uvloop
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table

from bench.latency import free_port, process
from bench.trigger_history import write_trigger_history
from convex.analytics import build
from convex.analytics.answers import refresh
from convex.cache import Area, Cache, CacheServer
from convex.db import SYSTEM, Database, Identity, Role
from convex.db.migrate import migrate
from convex.db.roles import admin_url, role_url
from convex.embedded.postgres import EmbeddedPostgres
from convex.embedded.valkey import EmbeddedValkey
from convex.scoring.service import score_workspace
from convex.settings import Settings
from convex.workspaces import service

_CLIENTS = 8
_KEYS = 60  # a key may ask a thousand times an hour
_FRAMEWORKS = 50
_SESSION = Path(__file__).parent / "data" / "dashboard_session.json"
# What is measured: its path at the API, and at the peer.
_ROUTES = {
    "trigger list": ("/alert-triggers", "/triggers"),
    "analytics summary": ("/analytics/summary?days=365", "/summary"),
    "analytics trends": ("/analytics/trends?days=365", "/trends"),
    "framework health": ("/frameworks/{framework}/health?days=30", "/health"),
}
_KEPT = {"analytics summary", "analytics trends", "framework health"}


class Client:
    """One side: where it is, and keys that take turns."""

    def __init__(self, session: aiohttp.ClientSession, base: str, keys: list[str]) -> None:
        self._session, self._base, self._keys, self._turn = session, base, keys, 0

    async def get(self, path: str) -> bytes:
        """The body of an answer. Raises when it is none."""
        self._turn += 1
        key = self._keys[self._turn % len(self._keys)]
        # The bare routes compress nothing, so neither side is asked to.
        headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
        async with self._session.get(self._base + path, headers=headers) as answer:
            body = await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {body.decode()}")
            return body

    async def latencies(self, path: str, requests: int) -> list[float]:
        """Milliseconds of one client, sorted."""
        taken = []
        for _ in range(requests):
            start = time.perf_counter()
            await self.get(path)
            taken.append((time.perf_counter() - start) * 1000)
        return sorted(taken)

    async def rate(self, path: str, seconds: float) -> float:
        """Requests a second of several clients."""
        until = time.perf_counter() + seconds
        done = 0

        async def ask() -> None:
            nonlocal done
            while time.perf_counter() < until:
                await self.get(path)
                done += 1

        await asyncio.gather(*(ask() for _ in range(_CLIENTS)))
        return done / seconds


async def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggers", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="convex-bench-") as folder:
        os.chmod(folder, 0o755)
        postgres = EmbeddedPostgres(Path(folder) / "home")
        valkey = EmbeddedValkey(Path(folder) / "valkey")
        await postgres.start()
        try:
            settings = Settings(home=postgres.home, redis_url=await valkey.start())
            await asyncio.to_thread(migrate, settings)
            await _measure(settings, options)
        finally:
            await valkey.stop()
            await postgres.remove()


async def _measure(settings: Settings, options: argparse.Namespace) -> None:
    workspace_id, framework_id, keys = await _fill(settings, options.triggers)
    ports = [free_port() for _ in range(3)]
    env = {"CONVEX_HOME": str(settings.home), "CONVEX_LOG_LEVEL": "ERROR"}
    api_url = role_url(settings, "convex_api")
    async with AsyncExitStack() as stack:
        for port, redis in ((ports[0], settings.redis_url), (ports[1], "redis://127.0.0.1:1/0")):
            more = {"CONVEX_REDIS_URL": redis, "CONVEX_API_PORT": str(port)}
            await stack.enter_async_context(process(["-m", "api"], port, **env, **more))
        peer_arguments = [api_url, str(ports[2]), str(workspace_id), str(framework_id)]
        peer = ["-m", "bench.peers.minimal_reads", *peer_arguments]
        await stack.enter_async_context(process(peer, ports[2]))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        bases = [f"http://127.0.0.1:{port}" for port in ports]
        cached = Client(session, f"{bases[0]}/api/v1", keys)
        uncached = Client(session, f"{bases[1]}/api/v1", keys)
        bare = Client(session, bases[2], keys)
        Console().print(await _compare(cached, uncached, bare, framework_id, options))
        Console().print(await _replay(settings, session, bases[0], keys, workspace_id))


async def _compare(
    cached: Client, uncached: Client, bare: Client, framework_id: UUID, options: argparse.Namespace
) -> Table:
    table = Table(title=f"Reads on a year with {options.triggers:,} triggers")
    for heading in ("", "bare route", "Convex", "ratio", "goal"):
        table.add_column(heading)
    for name, (path, peer_path) in _ROUTES.items():
        path = path.format(framework=framework_id)
        for client, asked in ((cached, path), (uncached, path), (bare, peer_path)):
            await client.latencies(asked, 20)
        p95: dict[str, list[float]] = {"bare": [], "convex": []}
        rate: dict[str, list[float]] = {"bare": [], "convex": []}
        for _ in range(options.repeat):
            for side, client, asked in (("bare", bare, peer_path), ("convex", uncached, path)):
                taken = await client.latencies(asked, options.requests)
                p95[side].append(taken[int(len(taken) * 0.95)])
            if name in _KEPT:
                for side, client, asked in (("bare", bare, peer_path), ("convex", cached, path)):
                    rate[side].append(await client.rate(asked, options.seconds))
        _row(table, f"{name}, p95 ms uncached", p95, "≤ 1.5")
        if name in _KEPT:
            _row(table, f"{name}, requests/s cached", rate, "≥ 5")
    return table


def _row(table: Table, name: str, figures: dict[str, list[float]], goal: str) -> None:
    middle = {side: statistics.median(values) for side, values in figures.items()}
    shown = [
        f"{middle[side]:.1f} ({min(values):.1f}–{max(values):.1f})"
        for side, values in figures.items()
    ]
    table.add_row(name, *shown, f"{middle['convex'] / middle['bare']:.2f}", goal)


async def _replay(
    settings: Settings,
    session: aiohttp.ClientSession,
    base: str,
    keys: list[str],
    workspace_id: UUID,
) -> Table:
    """The session, as fast as it goes; what time would have done is done at the recorded second."""
    recorded: list[dict[str, Any]] = orjson.loads(_SESSION.read_bytes())["requests"]
    client = Client(session, base, keys)
    before = _hits((await client.get("/metrics")).decode())
    async with CacheServer.open(settings.redis_url) as server:
        cache = Cache(server)
        await cache.forget(workspace_id)
        async with Database.open(role_url(settings, "convex_worker")) as database:
            # As the flow refresh-statistics has done within the last half hour.
            identity = Identity(workspace_id, Role.SYSTEM)
            today = datetime.now(UTC).date()
            await refresh(cache, workspace_id, lambda: database.read(identity), today)
        minute = 0
        for each in recorded:
            while minute < each["second"] // 60:
                minute += 1
                await cache.forget(workspace_id, Area.HEALTH)
            await client.get(f"/api/v1{each['path']}")
    after = _hits((await client.get("/metrics")).decode())
    table = Table(title=f"A session of {recorded[-1]['second'] // 60} minutes")
    for heading in ("answers", "requests", "hits", "hit rate", "goal"):
        table.add_column(heading)
    total = {"hit": 0.0, "all": 0.0}
    for name in sorted(after):
        asked = {k: v - before.get(name, {}).get(k, 0) for k, v in after[name].items()}
        hits, requests = asked.get("hit", 0.0), sum(asked.values())
        if requests:
            table.add_row(name, f"{requests:.0f}", f"{hits:.0f}", f"{hits / requests:.0%}", "")
            total = {"hit": total["hit"] + hits, "all": total["all"] + requests}
    share = f"{total['hit'] / total['all']:.0%}"
    table.add_row(
        "all that may be kept", f"{total['all']:.0f}", f"{total['hit']:.0f}", share, "> 80 %"
    )
    table.add_row("all requests", f"{len(recorded)}", "", "", "")
    return table


def _hits(exposition: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    pattern = r'^convex_cache_requests_total{cache="([^"]+)",result="([^"]+)"} (\S+)$'
    for cache, result, count in re.findall(pattern, exposition, re.MULTILINE):
        found.setdefault(cache, {})[result] = float(count)
    return found


async def _fill(settings: Settings, triggers: int) -> tuple[UUID, UUID, list[str]]:
    """A workspace with a year behind it, its marts, and keys."""
    now = datetime.now(UTC)
    async with Database.open(role_url(settings, "convex_worker")) as database:
        async with database.transaction(SYSTEM) as connection:
            user = await service.create_user(
                connection, email="bench@example.com", name="Bench", password=None
            )
            workspace_id = await service.create_workspace(
                connection, slug="bench", name="Bench", owner_id=user.id
            )
            keys = [
                (
                    await service.create_api_key(
                        connection, workspace_id, name=f"bench {n}", scopes=["read"]
                    )
                )[1]
                for n in range(_KEYS)
            ]
            await connection.execute(
                "SELECT convex.ensure_point_partitions(%s, %s)", (now - timedelta(days=366), now)
            )
        async with await psycopg.AsyncConnection.connect(
            admin_url(settings), row_factory=dict_row
        ) as admin:
            await admin.execute("SET session_replication_role = replica")
            await write_trigger_history(
                admin,
                workspace_id,
                user.id,
                now=now,
                triggers=triggers,
                frameworks=_FRAMEWORKS,
                days=365,
            )
            await admin.execute('UPDATE convex.metrics SET target = 1, "limit" = 0')
            await admin.execute(
                "INSERT INTO convex.points (workspace_id, series_id, timestamp, value)"
                " SELECT workspace_id, id, %s - make_interval(hours => n), n %% 100 / 100.0"
                " FROM convex.series, generate_series(0, 8759) AS n",
                (now,),
            )
            await admin.commit()
            await admin.set_autocommit(True)
            await admin.execute("VACUUM (ANALYZE)")
        identity = Identity(workspace_id, Role.SYSTEM)
        async with database.transaction(identity) as connection:
            await score_workspace(connection, workspace_id, now=now)
            rows = await connection.execute("SELECT id FROM convex.frameworks LIMIT 1")
            row = await rows.fetchone()
    assert row is not None
    result = await asyncio.to_thread(build.build_marts, settings)
    assert result.succeeded, result.messages
    return workspace_id, row["id"], keys


if __name__ == "__main__":
    uvloop.run(main())
