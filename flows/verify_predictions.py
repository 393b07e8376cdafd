"""Look up what came of the predictions whose windows are over, in every workspace."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.tasks import exponential_backoff

from convex.db import SYSTEM, Identity, Role
from convex.predictions.record import publish_quality
from convex.predictions.service import verify_workspace
from convex.workspaces.store import list_workspaces
from flows.runtime import job, worker_database


@job(name="verify-predictions")
async def verify_predictions() -> int:
    """How many were verified."""
    async with worker_database() as database, database.read(SYSTEM) as connection:
        workspaces = [each.id for each in await list_workspaces(connection)]
    verified = 0
    for each in workspaces:
        verified += await verify_one(each)
    async with worker_database() as database, database.read(SYSTEM) as connection:
        await publish_quality(connection, now=datetime.now(UTC))
    get_run_logger().info("%d predictions verified in %d workspaces", verified, len(workspaces))
    return verified


@task(
    retries=2,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def verify_one(workspace_id: UUID) -> int:
    """One workspace, in one transaction; what is verified already stays as it is."""
    async with worker_database() as database:
        identity = Identity(workspace_id, Role.SYSTEM)
        async with database.transaction(identity) as connection:
            return await verify_workspace(connection, workspace_id, now=datetime.now(UTC))
