"""Prometheus remote write until it is committed and evaluated, against the insert limit.

    python -m bench.remote_write [--requests 20] [--repeat 5] [--samples 2000]

Requests as a Prometheus sends them, one sample of each of 2,000 series with eight labels, over 4
connections to the real API. Beside it, in the same run and on the same server, one writer that does
nothing but `INSERT … SELECT unnest` of as many rows of as many series, 2,000 in a transaction. (It
used to write 10 rows of each of 100 series in a transaction: rows that lie together in the index,
as those of a remote write never do.) The sides alternate.
Goal: at least half of that. A request moves 2,000 series on, which the bare insert does not.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

import aiohttp
import uvloop
from rich.console import Console
from rich.table import Table

from bench.ingest import CONNECTIONS, Shape, Workspace, insert, make_workspace, start
from bench.served import served
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
    async with served() as here:
        workspace = await make_workspace(here.settings)
        await _push(here.session, workspace, 2, asked.samples)
        ours: list[float] = []
        limit: list[float] = []
        shape = Shape(asked.samples, 1)
        await insert(here.database, workspace, 2, shape, 1)
        for _ in range(asked.repeat):
            ours.append(await _push(here.session, workspace, asked.requests, asked.samples))
            limit.append(await insert(here.database, workspace, asked.requests, shape, 1))
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
    begin = start(workspace, requests, 1)
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
        for connection in range(CONNECTIONS)
    ]

    async def one(mine: list[bytes]) -> None:
        for body in mine:
            async with session.post(_URL, data=body, headers=headers) as answer:
                if answer.status != 204:
                    raise RuntimeError(f"not taken: {answer.status} {await answer.text()}")

    started = time.perf_counter()
    await asyncio.gather(*map(one, bodies))
    return CONNECTIONS * requests * samples / (time.perf_counter() - started)


if __name__ == "__main__":
    uvloop.run(main())
