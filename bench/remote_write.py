"""Prometheus remote write until it is committed and evaluated, against the insert limit.

    python -m bench.remote_write [--requests 20] [--repeat 5] [--samples 2000]

Requests as a Prometheus sends them, one sample of each of 2,000 series with eight labels, over 4
connections to the real API. Beside it, in the same run and on the same server, one writer that does
nothing but `INSERT … SELECT unnest` of as many rows. The sides alternate. Goal: at least half of
that. A request moves 2,000 series on, which the bare insert does not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import uvloop
from rich.console import Console
from rich.table import Table

from bench.ingest import _CONNECTIONS, Workspace, _insert, _make_workspace, _start
from bench.latency import free_port, process
from convex.db import Database
from convex.db.migrate import migrate
from convex.db.roles import role_url
from convex.embedded.postgres import EmbeddedPostgres
from convex.embedded.valkey import EmbeddedValkey
from convex.settings import Settings
from tests.convex.metrics.wire import write_request

_GOAL = 0.5
_URL = "/api/v1/prometheus/write"


async def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20, help="of each connection and turn")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--samples", type=int, default=2000, help="of each request")
    asked = parser.parse_args()
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="convex-bench-")))
        os.chmod(home, 0o755)
        postgres = EmbeddedPostgres(home)
        await postgres.start()
        stack.push_async_callback(postgres.remove)
        valkey = EmbeddedValkey(home)
        await valkey.start()
        stack.push_async_callback(valkey.stop)
        port = free_port()
        settings = Settings(home=home, redis_url=valkey.url, api_port=port)
        await asyncio.to_thread(migrate, settings)
        environment = {
            "CONVEX_HOME": str(home),
            "CONVEX_REDIS_URL": valkey.url,
            "CONVEX_API_PORT": str(port),
        }
        await stack.enter_async_context(process(["-m", "api"], port, **environment))
        database = await stack.enter_async_context(
            Database.open(role_url(settings, "convex_api"), settings.pool)
        )
        session = await stack.enter_async_context(aiohttp.ClientSession(f"http://127.0.0.1:{port}"))
        workspace = await _make_workspace(settings)
        await _push(session, workspace, 2, asked.samples)
        ours: list[float] = []
        limit: list[float] = []
        batches = asked.requests * asked.samples * _CONNECTIONS // 1000
        await _insert(database, workspace, 3, 100, 1)
        for _ in range(asked.repeat):
            ours.append(await _push(session, workspace, asked.requests, asked.samples))
            limit.append(await _insert(database, workspace, batches, 100, 1))
    ratios = [one / other for one, other in zip(ours, limit, strict=True)]
    table = Table(title=f"Remote write, samples a second ({asked.samples:,} series a request)")
    for column in ("convex", "insert, 1 writer", "ratio", "min–max", "goal"):
        table.add_column(column)
    table.add_row(
        f"{statistics.median(ours):,.0f}",
        f"{statistics.median(limit):,.0f}",
        f"{statistics.median(ratios):.2f}",
        f"{min(ratios):.2f}–{max(ratios):.2f}",
        f"≥ {_GOAL}",
    )
    Console().print(table)


async def _push(
    session: aiohttp.ClientSession, workspace: Workspace, requests: int, samples: int
) -> float:
    begin = _start(workspace, requests, 1)
    headers = {
        "Authorization": f"Bearer {workspace.key}",
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
    }
    bodies = [
        [
            write_request(
                [
                    (
                        {
                            "__name__": "node_cpu_seconds_total",
                            "job": "bench",
                            "instance": f"host-{connection}-{series}:9100",
                            "cpu": str(series % 8),
                            "mode": "idle",
                            "cluster": "eu-west-1",
                            "namespace": "monitoring",
                            "pod": f"node-exporter-{series}",
                        },
                        [(1000.25 + series, (begin + request) * 1000)],
                    )
                    for series in range(samples)
                ]
            )
            for request in range(requests)
        ]
        for connection in range(_CONNECTIONS)
    ]

    async def one(mine: list[bytes]) -> None:
        for body in mine:
            async with session.post(_URL, data=body, headers=headers) as answer:
                if answer.status != 204:
                    raise RuntimeError(f"not taken: {answer.status} {await answer.text()}")

    started = time.perf_counter()
    await asyncio.gather(*map(one, bodies))
    return _CONNECTIONS * requests * samples / (time.perf_counter() - started)


if __name__ == "__main__":
    uvloop.run(main())
