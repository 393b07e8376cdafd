"""Look for patterns in the triggers of every workspace, or of the one that asks for it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.tasks import exponential_backoff

from convex.cache import Area, Cache, CacheServer
from convex.db import SYSTEM, Identity, Role
from convex.embedded.valkey import redis_url
from convex.patterns import service
from convex.patterns.service import RunReport
from convex.workspaces.job_requests import Job, finish_requests
from convex.workspaces.store import list_workspaces
from flows.fan_out import over_workspaces
from flows.runtime import announcer, flow_settings, job, worker_database


@job(name="detect-patterns")
async def detect_patterns(workspace_id: UUID | None = None) -> int:
    """Every workspace by itself, or one; how many patterns are shown now.

    One that fails does not keep the others from their turn; the run then fails at the end.
    """
    async with worker_database() as database, database.read(SYSTEM) as connection:
        zones = {each.id: each.timezone for each in await list_workspaces(connection)}
    chosen = zones if workspace_id is None else {workspace_id: zones[workspace_id]}
    work = {each: {"workspace_id": each, "zone": zone} for each, zone in chosen.items()}
    done, failed = await over_workspaces(detect_one, work)
    shown = sum(report.shown for report in done.values())
    get_run_logger().info("%d patterns in %d workspaces", shown, len(chosen))
    if failed:
        raise ExceptionGroup("Not every workspace could be looked at.", failed)
    return shown


@task(
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def detect_one(workspace_id: UUID, zone: str) -> RunReport:
    """One workspace: read in a snapshot, look in a thread, write in one transaction."""
    identity = Identity(workspace_id, Role.SYSTEM)
    settings = flow_settings()
    async with worker_database() as database:
        try:
            now = datetime.now(UTC)
            async with database.read(identity) as connection:
                loaded, before = await service.read(connection, workspace_id, zone, now)
            looked = await asyncio.to_thread(service.look, loaded, before=before)
            async with database.transaction(identity) as connection:
                report = await service.save(connection, workspace_id, looked)
                await finish_requests(
                    connection,
                    workspace_id,
                    Job.DETECT_PATTERNS,
                    result={"patterns": report.shown},
                )
        except Exception as error:
            async with database.transaction(identity) as connection:
                await finish_requests(
                    connection, workspace_id, Job.DETECT_PATTERNS, error=str(error)
                )
            raise
    async with CacheServer.open(redis_url(settings)) as server:
        await Cache(server).forget(workspace_id, Area.PATTERNS)
    if report.cursor is not None:
        async with announcer() as wakes:
            wakes.announce(workspace_id, report.cursor)
    return report
