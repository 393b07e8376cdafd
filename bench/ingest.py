"""Points by HTTP until they are committed and evaluated, against the insert limit of PostgreSQL.

    python -m bench.ingest [--batches 40] [--repeat 5] [--series 100] [--rules 0 100]

JSON batches of 1,000 points (10 instants of each series) over 4 connections to the real API, row
level security on, fsync on. Beside it, in the same run and on the same server, one writer (and, for
scale, four at once) that does nothing but `INSERT … SELECT unnest` of the same rows from numpy
arrays, as the same login under the same policies: no HTTP, no JSON, no rules. It writes as many
rows of as many series in transactions as large (the series of all four connections in turn; it
used to write those of one, which touches fewer pages of the index). The sides alternate.
Goals: at least 0.85 of one such writer without rules, 0.6 with 100 rules that watch every series of
the batch.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import numpy as np
import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from bench.served import served
from convex.db import SYSTEM, Database, Identity, Role
from convex.db.roles import role_url
from convex.metrics.arrays import Bigints, Doubles, Instants, array_cursor
from convex.metrics.model import SECOND, to_microseconds
from convex.settings import Settings
from convex.workspaces import service

CONNECTIONS = 4
POINTS = 1000
_GOALS = {0: 0.85, 100: 0.6}


@dataclass
class Workspace:
    """A tenant with one metric, its key, and where its next points begin."""

    id: UUID
    key: str
    next_second: int = 0


async def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=40, help="of each connection and turn")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--series", type=int, default=100)
    parser.add_argument("--rules", type=int, nargs="+", default=[0, 100])
    asked = parser.parse_args()
    table = Table(title=f"Ingest, rows a second ({asked.series} series a batch of {POINTS})")
    for column in ("rules", "convex", "1 writer", "4 writers", "ratio to 1", "min–max", "goal"):
        table.add_column(column)
    shape = Shape(asked.series, POINTS // asked.series)
    async with served() as here:
        for rules in asked.rules:
            workspace = await make_workspace(here.settings)
            await prepare(here.session, workspace, rules)
            ours: list[float] = []
            limit: list[float] = []
            four: list[float] = []
            await push(here.session, workspace, 3, asked.series)
            await insert(here.database, workspace, 3, shape, CONNECTIONS)
            for _ in range(asked.repeat):
                ours.append(await push(here.session, workspace, asked.batches, asked.series))
                limit.append(await insert(here.database, workspace, asked.batches, shape, 1))
                four.append(
                    await insert(here.database, workspace, asked.batches, shape, CONNECTIONS)
                )
            ratios = [one / other for one, other in zip(ours, limit, strict=True)]
            goal = _GOALS.get(rules)
            table.add_row(
                str(rules),
                f"{statistics.median(ours):,.0f}",
                f"{statistics.median(limit):,.0f}",
                f"{statistics.median(four):,.0f}",
                f"{statistics.median(ratios):.2f}",
                f"{min(ratios):.2f}–{max(ratios):.2f}",
                "" if goal is None else f"≥ {goal}",
            )
    Console().print(table)


async def make_workspace(settings: Settings) -> Workspace:
    """A tenant with a key that may write."""
    name = f"bench-{uuid4().hex[:8]}"
    async with (
        Database.open(role_url(settings, "convex_worker")) as database,
        database.transaction(SYSTEM) as connection,
    ):
        user = await service.create_user(
            connection, email=f"{name}@example.com", name="Bench", password=None
        )
        made = await service.create_workspace(connection, slug=name, name="Bench", owner_id=user.id)
        _, key = await service.create_api_key(connection, made, name="bench", scopes=["write"])
    return Workspace(made, key)


async def prepare(session: aiohttp.ClientSession, workspace: Workspace, rules: int) -> None:
    """A framework, its metric, and so many rules on it."""

    async def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with session.post(
            f"/api/v1{path}", json=body, headers={"Authorization": f"Bearer {workspace.key}"}
        ) as answer:
            answer.raise_for_status()
            made: dict[str, Any] = await answer.json()
            return made

    framework = await post("/frameworks", {"slug": "bench", "name": "Bench"})
    metric = await post("/metrics", {"framework_id": framework["id"], "name": "load"})
    for number in range(rules):
        rule = {
            "name": f"load {number}",
            "framework_id": framework["id"],
            "metric_id": metric["id"],
            "threshold_value": 1000 + number,
            "for": 60,
        }
        await post("/alert-rules", rule)


def start(workspace: Workspace, batches: int, instants: int) -> int:
    """Where this turn's points begin, in seconds: each second is used once."""
    begin = workspace.next_second
    workspace.next_second += batches * instants
    return to_microseconds(datetime.now(UTC) - timedelta(days=20)) // SECOND + begin


async def push(
    session: aiohttp.ClientSession, workspace: Workspace, batches: int, series: int
) -> float:
    """So many batches of each connection, all accepted; points a second."""
    instants = POINTS // series
    begin = start(workspace, batches, instants)
    headers = {
        "Authorization": f"Bearer {workspace.key}",
        "Content-Type": "application/json",
    }
    bodies = [
        [
            orjson.dumps(
                {
                    "points": [
                        {
                            "framework": "bench",
                            "metric": "load",
                            "labels": {"host": f"host-{connection}-{number}"},
                            "timestamp": datetime.fromtimestamp(
                                begin + batch * instants + instant, UTC
                            ).isoformat().replace("+00:00", "Z"),
                            "value": 500.25 + number,
                        }
                        for number in range(series)
                        for instant in range(instants)
                    ]
                }
            )
            for batch in range(batches)
        ]
        for connection in range(CONNECTIONS)
    ]  # fmt: skip

    async def one(mine: list[bytes]) -> None:
        for body in mine:
            async with session.post("/api/v1/points", data=body, headers=headers) as answer:
                counts = orjson.loads(await answer.read())
                if counts.get("accepted") != POINTS:
                    raise RuntimeError(f"not taken: {answer.status} {counts}")

    started = time.perf_counter()
    await asyncio.gather(*map(one, bodies))
    return CONNECTIONS * batches * POINTS / (time.perf_counter() - started)


@dataclass(frozen=True)
class Shape:
    """What a batch holds: each of these series at so many instants."""

    series: int
    instants: int


async def insert(
    database: Database, workspace: Workspace, batches: int, shape: Shape, writers: int
) -> float:
    """As many rows in transactions as large, of as many series, as the connections together send,
    by one writer (who turns from one connection's series to the next) or one for each.
    """
    size = shape.series * shape.instants
    begin = start(workspace, batches, shape.instants)
    identity = Identity(workspace.id, Role.INGEST)
    values = 500.25 + np.arange(shape.series, dtype=np.float64).repeat(shape.instants)
    # Series that nothing else writes: the insert alone, without anybody's locks.
    own = 2**40 + workspace.id.int % 2**40

    async def one(groups: Sequence[int]) -> None:
        for batch in range(batches):
            seconds = (
                begin + batch * shape.instants + np.tile(np.arange(shape.instants), shape.series)
            )
            for group in groups:
                ids = own + group * 100_000 + np.arange(shape.series).repeat(shape.instants)
                async with database.transaction(identity) as connection:
                    await array_cursor(connection).execute(
                        "INSERT INTO convex.points (workspace_id, series_id, timestamp, value)"
                        " SELECT %s, w.s, w.t, w.v FROM unnest(%s, %s, %s) AS w (s, t, v)",
                        (
                            workspace.id,
                            Bigints(ids.astype(np.int64)),
                            Instants(seconds.astype(np.int64) * SECOND),
                            Doubles(values),
                        ),
                    )

    groups = range(CONNECTIONS)
    started = time.perf_counter()
    await asyncio.gather(*(one(groups[number::writers]) for number in range(writers)))
    return CONNECTIONS * batches * size / (time.perf_counter() - started)


if __name__ == "__main__":
    uvloop.run(main())
