"""Make what is needed soon and delete what has had its time, in the database and in Prefect."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger
from prefect.tasks import exponential_backoff

from convex.db import SYSTEM, Database
from convex.db.housekeeping import BATCH, Expiring, delete_expired, make_partitions
from convex.db.roles import role_url
from convex.metrics.retention import Resolution, expire, list_ended
from convex.settings import PoolSettings
from convex.telemetry.folding import folded
from convex.workspaces import deletion, exports
from flows.runtime import flow_settings, job, worker_database
from flows.setup import runs

KEPT_RUNS = timedelta(days=14)
_KEPT = {Expiring.REJECTED_POINTS: timedelta(days=30), Expiring.QUALITY_RUNS: timedelta(days=180)}

_again = task(
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    retry_jitter_factor=0.2,
    cache_policy=NO_CACHE,
    persist_result=False,
)


@job(name="clean-up")
async def clean_up() -> dict[str, int]:
    """Partitions ahead, retention, what expired, workspaces to be deleted; the counts of each."""
    now = datetime.now(UTC)
    counts = {"partitions": await prepare_partitions(now)}
    for table in Expiring:
        kept = _KEPT.get(table, timedelta())
        if table is Expiring.LIVE_EVENTS:
            kept = flow_settings().live.retention
        counts[table.value] = await drop_expired(table, now - kept)
    for resolution in Resolution:
        counts[f"{resolution.value} partitions"] = await drop_partitions(resolution, now)
    counts["runs"] = await drop_old_runs(now - KEPT_RUNS)
    await asyncio.to_thread(_fold_metrics)
    counts["exports"] = exports.drop_expired(flow_settings().home, now - exports.KEPT)
    counts["workspaces"] = await purge_workspaces(now)
    get_run_logger().info("Cleaned up: %s", counts)
    return counts


def _fold_metrics() -> None:
    """Every scrape does; where nobody scrapes, the files of ended runs would pile up."""
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        with folded(Path(folder)):
            pass


@_again
async def prepare_partitions(now: datetime) -> int:
    """The months of points around now; how many were made."""
    async with worker_database() as database, database.transaction(SYSTEM) as connection:
        return await make_partitions(connection, now)


@_again
async def drop_expired(table: Expiring, before: datetime) -> int:
    """Rows of a table whose time is over, a batch in each transaction; how many."""
    dropped = 0
    async with worker_database() as database:
        while True:
            async with database.transaction(SYSTEM) as connection:
                count = await delete_expired(connection, table, before)
            dropped += count
            if count < BATCH:
                return dropped


@_again
async def drop_partitions(resolution: Resolution, now: datetime) -> int:
    """Partitions whose time is over for every workspace, each in a transaction; how many."""
    dropped = 0
    async with worker_database() as database:
        async with database.read(SYSTEM) as connection:
            ended = await list_ended(connection, resolution, now)
        for partition in ended:
            async with database.transaction(SYSTEM) as connection:
                dropped += await expire(connection, resolution, partition, now)
    return dropped


@_again
async def drop_old_runs(before: datetime) -> int:
    """Runs that ended long ago, with their logs; how many."""
    async with get_client() as client:
        return await runs.delete_old_runs(client, before)


@_again
async def purge_workspaces(now: datetime) -> int:
    """Workspaces whose deletion nobody has undone in time; how many are gone."""
    settings = flow_settings()
    pool, url = PoolSettings(minimum=1, maximum=1), role_url(settings, "convex_dbt")
    async with worker_database(settings) as worker:
        async with worker.read(SYSTEM) as connection:
            due = await deletion.list_due(connection, now)
        if not due:
            return 0
        async with Database.open(url, pool, application="convex-flow") as builder:
            purged = [await deletion.purge(worker, builder, settings.home, one, now) for one in due]
    for one in purged:
        if one is not None:
            get_run_logger().info("Purged %s: %s, %d accounts", *_told(one))
    return sum(one is not None for one in purged)


def _told(purged: deletion.Purged) -> tuple[str, dict[str, int], int]:
    rows = {table: count for table, count in purged.rows.items() if count}
    return str(purged.workspace_id), rows, purged.accounts
