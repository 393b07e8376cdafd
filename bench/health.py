"""Thirty days of health of 1,000 frameworks, recomputed in one pass.

    python -m bench.health [--frameworks 1000] [--days 30] [--repeat 5]

Every framework has two scored metrics with a point an hour. The pass reads all points of all
frameworks at once, aggregates the 24 hours before each of the 720 hours, scores metrics, categories
and the whole, and writes three snapshots per framework and hour. Its limit is writing those rows
alone, by one `INSERT … SELECT unnest` from ready arrays; a loop over the frameworks, one at a time,
is what it replaces (measured on a tenth of them and scaled).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from rich.console import Console
from rich.table import Table

from convex.db import SYSTEM, Connection, Database, Identity, Role
from convex.db.migrate import migrate
from convex.db.roles import admin_url, role_url
from convex.embedded.postgres import throwaway_postgres
from convex.scoring.service import score_workspace
from convex.settings import Settings

_NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

_FRAMEWORKS = """
INSERT INTO convex.frameworks (workspace_id, slug, name)
SELECT %(w)s, 'f' || n, 'F' || n FROM generate_series(1, %(n)s) AS n
"""
_METRICS = """
INSERT INTO convex.metrics (workspace_id, framework_id, name, category, target, "limit")
SELECT %(w)s, f.id, k, k, 1, 0
FROM convex.frameworks AS f, unnest(ARRAY['performance', 'availability']) AS k
"""
_SERIES = """
INSERT INTO convex.series (workspace_id, framework_id, metric_id, labels_hash)
SELECT %(w)s, framework_id, id, '\\x00' FROM convex.metrics
"""
_POINTS = """
INSERT INTO convex.points (workspace_id, series_id, timestamp, value)
SELECT %(w)s, s.id, %(now)s - make_interval(hours => h), (s.id * 7 + h) %% 100 / 100.0
FROM convex.series AS s, generate_series(0, %(hours)s - 1) AS h
"""


async def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frameworks", type=int, default=1000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    async with throwaway_postgres() as server:
        settings = Settings(home=server.home)
        await asyncio.to_thread(migrate, settings)
        workspace_id = await _fill(settings, options.frameworks, options.days)
        async with Database.open(role_url(settings, "convex_worker")) as database:
            rows = await _run(settings, database, workspace_id, options)
    Console().print(rows)


async def _fill(settings: Settings, frameworks: int, days: int) -> UUID:
    """Frameworks, two metrics each, a point an hour; as superuser, which is not measured."""
    async with await psycopg.AsyncConnection.connect(admin_url(settings)) as connection:
        await connection.execute("SELECT set_config('convex.role', 'system', false)")
        await connection.execute(
            "SELECT convex.ensure_point_partitions(%s, %s)",
            (_NOW - timedelta(days=days + 2), _NOW),
        )
        found = await connection.execute(
            "SELECT convex.create_workspace('bench', 'Bench',"
            " convex.create_user('bench@example.com', 'Bench', 'x'))"
        )
        row = await found.fetchone()
        assert row is not None
        workspace_id = UUID(str(row[0]))
        await connection.execute("SET session_replication_role = replica")
        values = {"w": workspace_id, "n": frameworks, "now": _NOW, "hours": (days + 1) * 24}
        for statement in (_FRAMEWORKS, _METRICS, _SERIES, _POINTS):
            await connection.execute(statement, values)
        await connection.commit()
        await connection.set_autocommit(True)
        await connection.execute("VACUUM (ANALYZE)")
    return workspace_id


async def _run(
    settings: Settings, database: Database, workspace_id: UUID, options: argparse.Namespace
) -> Table:
    identity = Identity(workspace_id, Role.SYSTEM)
    times: dict[str, list[float]] = {"pass": [], "rows": [], "loop": []}
    snapshots = 0

    async def one_pass(connection: Connection) -> None:
        nonlocal snapshots
        report = await score_workspace(connection, workspace_id, now=_NOW, again=True)
        snapshots = report.snapshots

    async def rows_alone(connection: Connection) -> None:
        await connection.execute(
            "CREATE TEMPORARY TABLE ready ON COMMIT DROP AS"
            " SELECT array_agg(framework_id) AS f, array_agg(at) AS a, array_agg(category) AS c,"
            " array_agg(score) AS s, array_agg(status) AS t, array_agg(coverage) AS v"
            " FROM convex.health_metrics WHERE workspace_id = %s",
            (workspace_id,),
        )
        await connection.execute(
            "DELETE FROM convex.health_metrics WHERE workspace_id = %s", (workspace_id,)
        )
        start = time.perf_counter()
        await connection.execute(
            "INSERT INTO convex.health_metrics (workspace_id, framework_id, at, category, score,"
            " status, coverage, detail) SELECT %s, u.*, '{}' FROM ready,"
            " unnest(f, a, c, s, t, v) AS u",
            (workspace_id,),
        )
        times["rows"].append(time.perf_counter() - start)

    for _ in range(options.repeat):
        await _empty(settings)
        times["pass"].append(await _timed(database, identity, one_pass))
        async with database.transaction(identity) as connection:
            await rows_alone(connection)
        times["loop"].append(await _loop(settings, database, workspace_id, options.frameworks))
    return _table(times, snapshots, options)


async def _loop(
    settings: Settings, database: Database, workspace_id: UUID, frameworks: int
) -> float:
    """One framework after the other, each by the same code."""
    some = max(1, frameworks // 10)
    await _empty(settings)
    async with database.read(SYSTEM) as connection:
        rows = await connection.execute("SELECT id FROM convex.frameworks LIMIT %s", (some,))
        ids = [row["id"] for row in await rows.fetchall()]
    start = time.perf_counter()
    for framework_id in ids:
        async with database.transaction(Identity(workspace_id, Role.SYSTEM)) as connection:
            await score_workspace(
                connection, workspace_id, now=_NOW, again=True, framework_id=framework_id
            )
    return (time.perf_counter() - start) * frameworks / len(ids)


async def _empty(settings: Settings) -> None:
    async with await psycopg.AsyncConnection.connect(
        admin_url(settings), autocommit=True
    ) as connection:
        await connection.execute("TRUNCATE convex.health_metrics")


async def _timed(
    database: Database, identity: Identity, work: Callable[[Connection], Awaitable[None]]
) -> float:
    start = time.perf_counter()
    async with database.transaction(identity) as connection:
        await work(connection)
    return time.perf_counter() - start


def _table(times: dict[str, list[float]], snapshots: int, options: argparse.Namespace) -> Table:
    middle = {name: statistics.median(values) for name, values in times.items()}
    table = Table(
        title=f"{options.days} days of {options.frameworks:,} frameworks: {snapshots:,} snapshots"
    )
    for column in ("what", "median s", "min–max s", "ratio to the pass"):
        table.add_column(column)
    for label, name in (
        ("one set-based pass, read to commit", "pass"),
        ("limit: writing its rows alone", "rows"),
        ("framework after framework", "loop"),
    ):
        spread = f"{min(times[name]):.2f}–{max(times[name]):.2f}"
        table.add_row(label, f"{middle[name]:.2f}", spread, f"{middle[name] / middle['pass']:.2f}")
    return table


if __name__ == "__main__":
    asyncio.run(main())
