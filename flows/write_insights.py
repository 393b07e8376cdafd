"""Write the night's insights of every workspace, and bring its recommendations up to date.

With a key the insights of a workspace go to Claude as one batch. The run waits for it a while; what
has not come back by then is taken in by a later run, from what the database says is out. Without a
key they are written from templates at once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.tasks import exponential_backoff

from convex.db import SYSTEM, Identity, Role
from convex.insights import nightly, recommendations
from convex.insights.claude import Claude
from convex.insights.model import Insight
from convex.workspaces.store import list_workspaces
from flows.runtime import flow_settings, job, worker_database

_POLL_SECONDS = 20.0

_again = task(
    retries=2,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    cache_policy=NO_CACHE,
    persist_result=False,
)
_once = task(cache_policy=NO_CACHE, persist_result=False)  # a second try would pay twice


@job(name="write-insights")
async def write_insights(collect_only: bool = False) -> dict[str, int]:
    """What was written, by who wrote it: {"claude": n, "template": n, "waiting": n}.

    With `collect_only` nothing new is written: batches that have ended are taken in. A workspace
    that fails keeps no other from having its insights.
    """
    now = datetime.now(UTC)
    async with worker_database() as database, database.read(SYSTEM) as connection:
        workspaces = [workspace.id for workspace in await list_workspaces(connection)]
    counts: Counter[str] = Counter(claude=0, template=0, waiting=0)
    failures: list[Exception] = []
    waiting: list[UUID] = []
    for workspace_id in workspaces:
        try:
            earlier, left = await collect_batches(workspace_id)
            counts.update(earlier)
            counts["waiting"] += left if collect_only else 0
            if collect_only:
                continue
            await refresh_recommendations(workspace_id, now)
            written, submitted = await write_workspace(workspace_id, now)
        except Exception as failure:
            failures.append(failure)
            continue
        counts.update(written)
        if submitted:
            waiting.append(workspace_id)
    deadline = now + flow_settings().insights.batch_wait
    while waiting and datetime.now(UTC) < deadline:
        await asyncio.sleep(_POLL_SECONDS)
        for workspace_id in list(waiting):
            collected, left = await collect_batches(workspace_id)
            counts.update(collected)
            if not left:
                waiting.remove(workspace_id)
    counts["waiting"] += len(waiting)
    get_run_logger().info("Insights: %s", dict(counts))
    if failures:
        raise ExceptionGroup(f"{len(failures)} workspaces have no insights", failures)
    return dict(counts)


@_again
async def refresh_recommendations(workspace_id: UUID, now: datetime) -> int:
    """Look for what could be done, and measure what was; how many are proposed."""
    identity = Identity(workspace_id, Role.SYSTEM)
    async with worker_database() as database:
        async with database.read(identity) as connection:
            found = await recommendations.propose(connection, workspace_id, now=now)
        async with database.transaction(identity) as connection:
            proposed = await recommendations.save(connection, workspace_id, found, now=now)
            await recommendations.measure_effects(connection, workspace_id, now=now)
    return proposed


@_once
async def write_workspace(workspace_id: UUID, now: datetime) -> tuple[list[str], int]:
    """The insights of one workspace: who wrote which, and how many are in a batch."""
    settings = flow_settings()
    identity = Identity(workspace_id, Role.SYSTEM)
    async with (
        worker_database(settings) as database,
        Claude.open(settings.anthropic_api_key, settings.insights) as claude,
    ):
        night = await nightly.run(
            lambda: database.transaction(identity), claude, settings.insights, workspace_id, now=now
        )
    return _writers(night.insights), night.submitted


@_again
async def collect_batches(workspace_id: UUID) -> tuple[list[str], int]:
    """Take in the batches that have ended: who wrote what, and how many insights still wait."""
    settings = flow_settings()
    identity = Identity(workspace_id, Role.SYSTEM)
    async with (
        worker_database(settings) as database,
        Claude.open(settings.anthropic_api_key, settings.insights) as claude,
    ):
        if claude is None:
            return [], 0
        written, waiting = await nightly.collect(
            lambda: database.transaction(identity),
            claude,
            settings.insights,
            workspace_id,
            now=datetime.now(UTC),
        )
    return _writers(written), waiting


def _writers(insights: list[Insight]) -> list[str]:
    return [insight.source.value for insight in insights]
