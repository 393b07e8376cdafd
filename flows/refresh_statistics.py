"""Compute what dashboards ask first and keep it, so that nobody waits for it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.tasks import exponential_backoff

from convex.analytics.answers import Refreshed, refresh
from convex.cache import Cache
from convex.db import Identity, Role
from convex.errors import Unavailable
from flows.caches import cache_server, workspace_ids
from flows.fan_out import over_workspaces
from flows.runtime import job, worker_database


@job(name="refresh-statistics")
async def refresh_statistics() -> int:
    """The usual reports of every workspace, from the marts into the cache; how many."""
    async with worker_database() as database:
        workspaces = await workspace_ids(database)
    today = datetime.now(UTC).date()
    work = {each: {"workspace_id": each, "today": today} for each in workspaces}
    done, failed = await over_workspaces(refresh_workspace, work)
    if None in done.values():  # for no workspace
        get_run_logger().warning("The marts have not been built yet: nothing to keep.")
    kept = sum(found.answers for found in done.values() if found is not None)
    get_run_logger().info("%d reports of %d workspaces are in the cache", kept, len(done))
    if failed:
        raise ExceptionGroup("Not every workspace's reports could be computed.", failed)
    return kept


@task(
    name="refresh-workspace",
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def refresh_workspace(workspace_id: UUID, today: date) -> Refreshed | None:
    """One workspace's reports; None while there are no marts."""
    identity = Identity(workspace_id, Role.SYSTEM)
    async with worker_database() as database, cache_server() as server:
        try:
            return await refresh(
                Cache(server), workspace_id, lambda: database.read(identity), today
            )
        except Unavailable:  # asking again does not build the marts
            return None
