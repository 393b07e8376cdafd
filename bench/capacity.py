"""What a row costs, what a core carries, and what that makes of a large installation.

    python -m bench.capacity [--points 1000000] [--batches 40] [--jobs 4000] [--write]

Sizes are read from a real database after rows have come in by the ways that they take in use:
points in the order of time, triggers planned and delivered by a shift, health scored by the flow's
own code, hours and days made by expiring a month. Rates are counted in processor seconds of the
processes at work (API or shift, and PostgreSQL), so that they hold for a core however many there
are and whatever else runs. Then the simulation, on paper: 100,000 frameworks, 1,000,000,000 points.
With --write, docs/capacity.md gets the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import psycopg
import uvloop

from bench import ingest
from bench.__main__ import machine
from bench.latency import process
from bench.served import home_of_its_own
from bench.shift_side import Side
from convex.db import SYSTEM, Database, Identity, Role
from convex.db.housekeeping import make_partitions
from convex.db.roles import admin_url, role_url
from convex.scoring.service import score_workspace
from convex.secrets import load_secrets
from convex.settings import Settings

_DOCUMENT = Path(__file__).parents[1] / "docs" / "capacity.md"
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"
_TICKS = os.sysconf("SC_CLK_TCK")
_FRAMEWORKS, _SERIES_EACH, _POINTS = 100_000, 2, 1_000_000_000
_SCORED = 100  # frameworks whose health is scored
_PLANT = """
WITH f AS (
    INSERT INTO convex.frameworks (workspace_id, slug, name)
    SELECT %(w)s, 'f' || n, 'Framework ' || n FROM generate_series(1, %(n)s::integer) AS n
    RETURNING id
), m AS (
    INSERT INTO convex.metrics (workspace_id, framework_id, name, category, target, "limit")
    SELECT %(w)s, f.id, k, k, 1, 0 FROM f, unnest(ARRAY['performance', 'availability']) AS k
    RETURNING id, framework_id
)
INSERT INTO convex.series (workspace_id, framework_id, metric_id, labels, labels_hash)
SELECT %(w)s, framework_id, id, '{"region": "eu-west-1"}', sha256(id::text::bytea) FROM m
"""
_FILL = """
INSERT INTO convex.points (workspace_id, series_id, timestamp, value)
SELECT %(w)s, s.id, %(begin)s + make_interval(secs => 60 * t), random() * 100
FROM generate_series(%(first)s::integer, %(last)s::integer) AS t, convex.series AS s
WHERE s.workspace_id = %(w)s
"""
_SIZES = """
SELECT coalesce(p.relname, c.relname) AS name, sum(pg_table_size(c.oid))::bigint AS heap,
    sum(pg_indexes_size(c.oid))::bigint AS indexes
FROM pg_class AS c
LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid LEFT JOIN pg_class AS p ON p.oid = i.inhparent
WHERE c.relnamespace = 'convex'::regnamespace AND c.relkind = 'r' GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Row:
    """Bytes of one row of a table, in the table and in its indexes, and of how many it is known."""

    heap: float
    index: float
    rows: int

    @property
    def total(self) -> float:
        """Both."""
        return self.heap + self.index


@dataclass(frozen=True, slots=True)
class Rate:
    """How many a core carries: of the process that does it, and of PostgreSQL."""

    process: float
    postgres: float

    @property
    def both(self) -> float:
        """On one core that does all of it."""
        return 1 / (1 / self.process + 1 / self.postgres)


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that the document is made from."""

    rows: Mapping[str, Row]
    rates: Mapping[str, Rate]


async def measure(points: int, batches: int, jobs: int) -> Measured:
    """Fill a database of its own and read what that took."""
    async with AsyncExitStack() as stack:
        postgres, settings = await home_of_its_own(stack)
        settings = settings.model_copy(update={"secrets": load_secrets(settings)})
        worker = await stack.enter_async_context(
            Database.open(role_url(settings, "convex_worker"), settings.pool)
        )
        assert postgres.child is not None
        server = postgres.child.pid
        sizes = await _stored(settings, worker, points)
        rates = {
            "points": await _points_rate(stack, settings, server, batches),
            "deliveries": await _delivery_rate(settings, worker, server, jobs),
        }
        sizes |= await asyncio.to_thread(
            _row_sizes, settings, ("alert_triggers", "trigger_transitions", "alert_notifications",
            "notification_deliveries", "live_events", "rule_states")
        )  # fmt: skip
    return Measured(sizes, rates)


async def _stored(settings: Settings, worker: Database, points: int) -> dict[str, Row]:
    """Points, what becomes of them, and health, by the ways that they come in."""
    side = Side(settings, worker)
    workspace = await side.plant(["in_app"])
    frameworks = max(points // 2000, 100)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    # A month that is over, so that it can become hours and days.
    begin = (now.replace(day=1) - timedelta(days=40)).replace(day=1, hour=0)
    identity = Identity(workspace, Role.SYSTEM)
    async with worker.transaction(SYSTEM) as connection:
        await make_partitions(connection, begin + timedelta(days=31))
    async with worker.transaction(identity) as connection:
        await connection.execute(_PLANT, {"w": workspace, "n": frameworks})
    each = max(points // (2 * frameworks), 60)
    for first in range(0, each, 60):
        last = min(first + 59, each - 1)
        async with worker.transaction(identity) as connection:
            await connection.execute(
                _FILL, {"w": workspace, "begin": begin, "first": first, "last": last}
            )
    tables = ("points", "series", "frameworks", "metrics")
    sizes = await asyncio.to_thread(_row_sizes, settings, tables)
    async with worker.transaction(SYSTEM) as connection:
        await connection.execute(
            "UPDATE convex.workspaces SET settings = settings || '{\"raw_days\": 1}' WHERE id = %s",
            (workspace,),
        )
        rows = await connection.execute(
            "SELECT name FROM convex.list_partitions('points') WHERE begins <= %s AND ends > %s",
            (begin, begin),
        )
        (partition,) = [row["name"] for row in await rows.fetchall()]
        gone = await connection.execute(
            "SELECT convex.expire_partition('points', %s, %s) AS gone", (partition, now)
        )
        row = await gone.fetchone()
        assert row is not None, "the month was not over"
        assert row["gone"], "the month was not over"
    sizes |= await asyncio.to_thread(_row_sizes, settings, ("hourly_points", "daily_points"))
    scored = await side.plant(["in_app"])
    async with worker.transaction(Identity(scored, Role.SYSTEM)) as connection:
        await connection.execute(_PLANT, {"w": scored, "n": _SCORED})
        for first in range(0, 48 * 60, 60):
            await connection.execute(
                _FILL,
                {"w": scored, "begin": now - timedelta(days=2), "first": first, "last": first},
            )
        await score_workspace(connection, scored, now=now, again=True)
    return sizes | await asyncio.to_thread(_row_sizes, settings, ("health_metrics",))


def _row_sizes(settings: Settings, tables: tuple[str, ...]) -> dict[str, Row]:
    """Bytes a row of tables, all their partitions together; tables without rows are left out."""
    found = {}
    with psycopg.connect(admin_url(settings), autocommit=True) as connection:
        sizes = {name: (heap, index) for name, heap, index in connection.execute(_SIZES)}
        for table in tables:
            counted = connection.execute(f"SELECT count(*) FROM convex.{table}".encode()).fetchone()
            assert counted is not None
            if rows := int(counted[0]):
                heap, index = sizes[table]
                found[table] = Row(heap / rows, index / rows, rows)
    return found


async def _points_rate(
    stack: AsyncExitStack, settings: Settings, server: int, batches: int
) -> Rate:
    environment = {
        "CONVEX_HOME": str(settings.home),
        "CONVEX_REDIS_URL": settings.redis_url,
        "CONVEX_API_PORT": str(settings.api_port),
    }
    api = await stack.enter_async_context(process(["-m", "api"], settings.api_port, **environment))
    session = await stack.enter_async_context(
        aiohttp.ClientSession(f"http://127.0.0.1:{settings.api_port}")
    )
    workspace = await ingest.make_workspace(settings)
    await ingest.prepare(session, workspace, 1)
    await ingest.push(session, workspace, 3, 100)

    async def work() -> int:
        await ingest.push(session, workspace, batches, 100)
        return ingest.CONNECTIONS * batches * ingest.POINTS

    return await _rate(work, lambda: _processor(api.pid), server)


async def _delivery_rate(settings: Settings, worker: Database, server: int, jobs: int) -> Rate:
    side = Side(settings, worker)
    workspace = await side.plant(["in_app"])
    await side.rate(workspace, "in_app", side.fire, 200)

    async def work() -> int:
        await side.rate(workspace, "in_app", side.fire, jobs)
        return jobs

    return await _rate(work, time.process_time, server)


async def _rate(work: Callable[[], Awaitable[int]], own: Callable[[], float], server: int) -> Rate:
    before, database = own(), _tree(server)
    done = await work()
    await asyncio.sleep(0.5)  # until the server's processes have told what they used
    return Rate(done / (own() - before), done / (_tree(server) - database))


def _processor(pid: int) -> float:
    """Processor seconds of a process, with those of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[at]) for at in (11, 12, 13, 14)) / _TICKS


def _tree(pid: int) -> float:
    """The same of a process and its children: PostgreSQL has one for each connection."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = _processor(pid)
    for child in children:
        try:
            found += _processor(int(child))
        except FileNotFoundError:
            continue  # it has ended, and its parent has its time
    return found


def describe(measured: Measured) -> str:
    """The part of docs/capacity.md that is measured and computed, in Markdown."""
    rows, rates = measured.rows, measured.rates
    lines = [machine().strip(), "", "| a row of | table | indexes | together | seen |"]
    lines.append("|---|---:|---:|---:|---:|")
    lines += [
        f"| `{name}` | {row.heap:,.0f} B | {row.index:,.0f} B | **{row.total:,.0f} B** |"
        f" {row.rows:,} |"
        for name, row in sorted(rows.items(), key=lambda item: -item[1].rows)
    ]
    lines += ["", "| a core carries a second | of the process | of PostgreSQL | of both |"]
    lines.append("|---|---:|---:|---:|")
    for name, what in (
        ("points", "points by HTTP, a rule on each series"),
        ("deliveries", "alerts planned and told in the inbox"),
    ):
        rate = rates[name]
        lines.append(
            f"| {what} | {rate.process:,.0f} | {rate.postgres:,.0f} | **{rate.both:,.0f}** |"
        )
    return "\n".join([*lines, "", *_simulate(rows, rates)])


def _simulate(rows: Mapping[str, Row], rates: Mapping[str, Rate]) -> list[str]:
    """100,000 frameworks and 1,000,000,000 points, from the figures above."""
    series = _FRAMEWORKS * _SERIES_EACH
    triggers = series // 100 * 365  # a series in a hundred fires once a day, for a year
    held = {
        "points": (_POINTS, f"{_POINTS // series:,} of each of {series:,} series"),
        "hourly_points": (series * 24 * 365, "a year of hours"),
        "daily_points": (series * 365 * 3, "three years of days"),
        "series": (series, f"{_SERIES_EACH} a framework"),
        "frameworks": (_FRAMEWORKS, ""),
        "metrics": (series, "one a series"),
        "rule_states": (series, "one rule on each series"),
        "alert_triggers": (triggers, "a year; one series in a hundred fires once a day"),
        "trigger_transitions": (3 * triggers, "opened, acknowledged, resolved"),
        "alert_notifications": (2 * triggers, "two people are told"),
        "notification_deliveries": (2 * triggers, "one attempt each"),
        "live_events": (3 * triggers // 365, "a day"),
        "health_metrics": (_FRAMEWORKS * 4 * 24 * 90, "90 days of hours; two categories each"),
    }
    lines = [
        f"### On paper: {_FRAMEWORKS:,} frameworks, {_POINTS:,} points",
        "",
        "| table | rows | which | size |",
        "|---|---:|---|---:|",
    ]
    whole = 0.0
    for name, (count, why) in held.items():
        if name not in rows:
            continue
        size = count * rows[name].total / 1e9
        whole += size
        lines.append(f"| `{name}` | {count:,} | {why} | {size:,.1f} GB |")
    lines.append(f"| **together** | | | **{whole:,.0f} GB** |")
    month = 30 * 24 * 3600
    lines += [
        "",
        "| points of a series come | points/s | API cores | PostgreSQL cores | a month on disk |",
        "|---|---:|---:|---:|---:|",
    ]
    rate, point = rates["points"], rows["points"]
    for name, seconds in (("hourly", 3600), ("every 5 minutes", 300), ("every minute", 60)):
        arriving = series / seconds
        lines.append(
            f"| {name} | {arriving:,.0f} | {arriving / rate.process:.2f} |"
            f" {arriving / rate.postgres:.2f} | {arriving * month * point.total / 1e9:,.0f} GB |"
        )
    told = 2 * triggers / 365 / 86400
    burst = 2 * series / 100
    seconds_of_one = burst / rates["deliveries"].both
    said = (
        f"Deliveries are {told:.2f} a second on average. The worst hour is a cause that all share:"
        f" {burst:,.0f} messages at once are {seconds_of_one:,.0f} s of one core."
    )
    return [*lines, "", said]


def write(text: str) -> None:
    """Put the measured part into docs/capacity.md. Raises `ValueError` without its marks."""
    document = _DOCUMENT.read_text()
    pattern = re.compile(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)
    if not pattern.search(document):
        raise ValueError(f"{_DOCUMENT} has no place for what is measured.")
    _DOCUMENT.write_text(pattern.sub(lambda _: f"{_BEGIN}\n{text}\n{_END}", document))


async def main() -> None:
    """Measure, print, and write if that is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--batches", type=int, default=40, help="of 1,000 points, 4 times at once")
    parser.add_argument("--jobs", type=int, default=4_000, help="alerts that are told")
    parser.add_argument("--write", action="store_true", help="into docs/capacity.md")
    asked = parser.parse_args()
    text = describe(await measure(asked.points, asked.batches, asked.jobs))
    print(text)
    if asked.write:
        write(text)


if __name__ == "__main__":
    uvloop.run(main())
