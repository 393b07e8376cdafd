"""Score every workspace's frameworks, hour by hour, from where the last run left off."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.tasks import exponential_backoff

from convex.cache import Area
from convex.db import SYSTEM, Identity, Role
from convex.scoring.service import ScoreReport, score_workspace
from convex.workspaces.store import list_workspaces
from flows.caches import forget_everywhere
from flows.fan_out import over_workspaces
from flows.runtime import announcer, job, worker_database


@job(name="score-frameworks")
async def score_frameworks(again: bool = False) -> int:
    """Health and risk of all frameworks; how many snapshots were written.

    With `again` the last 30 days are scored once more, for points that came late.
    """
    now = datetime.now(UTC)
    async with worker_database() as database, database.read(SYSTEM) as connection:
        workspaces = [workspace.id for workspace in await list_workspaces(connection)]
    work = {each: {"workspace_id": each, "now": now, "again": again} for each in workspaces}
    done, failed = await over_workspaces(score_one, work)
    written = sum(report.snapshots for report in done.values())
    await forget_everywhere(Area.HEALTH, workspaces=list(done))
    get_run_logger().info("%d snapshots in %d workspaces", written, len(done))
    if failed:
        raise ExceptionGroup("Not every workspace could be scored.", failed)
    return written


@task(
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def score_one(workspace_id: UUID, now: datetime, again: bool) -> ScoreReport:
    """One workspace, in one transaction; whoever watches is told of a changed status."""
    async with worker_database() as database:
        identity = Identity(workspace_id, Role.SYSTEM)
        async with database.transaction(identity) as connection:
            report = await score_workspace(connection, workspace_id, now=now, again=again)
    if report.cursor is not None:
        async with announcer() as wakes:
            wakes.announce(workspace_id, report.cursor)
    return report
