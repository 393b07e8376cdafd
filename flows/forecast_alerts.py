"""Predict alerts for every workspace, or for the one that asks for it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.tasks import exponential_backoff

from convex.db import SYSTEM, Identity, Role
from convex.predictions.service import Foretold, foretell
from convex.workspaces.job_requests import Job, finish_requests
from convex.workspaces.store import list_workspaces
from flows.fan_out import over_workspaces
from flows.runtime import announcer, flow_settings, job, worker_database


@job(name="forecast-alerts")
async def forecast_alerts(workspace_id: UUID | None = None) -> int:
    """Each workspace by itself; how many predictions were made.

    One that fails does not keep the others from their turn; the run then fails at the end.
    """
    async with worker_database() as database, database.read(SYSTEM) as connection:
        workspaces = [each.id for each in await list_workspaces(connection)]
    chosen = workspaces if workspace_id is None else [workspace_id]
    done, failed = await over_workspaces(
        forecast_one, {each: {"workspace_id": each} for each in chosen}
    )
    made = sum(0 if told is None else told.predictions for told in done.values())
    get_run_logger().info("%d predictions in %d workspaces", made, len(chosen))
    if failed:
        raise ExceptionGroup("Not every workspace could be predicted.", failed)
    return made


@task(
    retries=2,
    retry_delay_seconds=exponential_backoff(backoff_factor=5),
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def forecast_one(workspace_id: UUID) -> Foretold | None:
    """One workspace: read in a snapshot, train in a thread of this process, write at the end."""
    identity = Identity(workspace_id, Role.SYSTEM)
    email_works = bool(flow_settings().smtp.host)
    async with worker_database() as database:
        try:
            made = await foretell(
                database, workspace_id, now=datetime.now(UTC), email_works=email_works
            )
        except Exception as error:
            async with database.transaction(identity) as connection:
                await finish_requests(
                    connection, workspace_id, Job.FORECAST_ALERTS, error=str(error)
                )
            raise
        async with database.transaction(identity) as connection:
            count = 0 if made is None else made.predictions
            await finish_requests(
                connection, workspace_id, Job.FORECAST_ALERTS, result={"predictions": count}
            )
    if made is not None:
        async with announcer() as wakes:
            for each, cursor in made.cursors.items():
                wakes.announce(each, cursor)
    return made
