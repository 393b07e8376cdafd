"""Check the data of each workspace with Great Expectations and publish what was found.

A check that fails is a finding, not a failed run: it is kept in quality_runs and shown in the
reports, and a critical one is an alert and may mark series as not to be trusted. A workspace that
cannot be checked keeps no other from being checked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.tasks import exponential_backoff

from convex.db import SYSTEM, Identity, Role
from convex.quality import check, report, store, trust
from convex.quality.model import State, SuiteRun, Window
from convex.quality.suites import SERIES
from flows.runtime import announcer, flow_settings, job, worker_database


@job(name="check-quality")
async def check_quality(days: int = 8, everything: bool = False) -> dict[str, int]:
    """Check the points of the last `days`; all of them where none were checked before, or if told.

    Returns the expectations that held and did not: {"passed": n, "failed": n}.
    """
    async with worker_database() as database, database.read(SYSTEM) as connection:
        workspaces = await store.list_workspaces(connection)
    since = None if everything else datetime.now(UTC) - timedelta(days=days)
    counts: Counter[str] = Counter(passed=0, failed=0)
    failures: list[Exception] = []
    for workspace_id, name in workspaces:
        try:
            runs = await check_workspace(workspace_id, name, since)
        except Exception as failure:
            failures.append(failure)
            continue
        counts.update(passed=sum(r.passed for r in runs), failed=sum(r.failed for r in runs))
    await publish_index()
    if failures:
        raise ExceptionGroup(f"{len(failures)} workspaces could not be checked", failures)
    return dict(counts)


@task(
    name="check-workspace",
    task_run_name="check-workspace {name}",
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def check_workspace(workspace_id: UUID, name: str, since: datetime | None) -> list[SuiteRun]:
    """Run the suites on one workspace, keep the results, and rebuild its pages."""
    settings = flow_settings()
    identity = Identity(workspace_id, Role.SYSTEM)
    async with worker_database(settings) as database:
        marked = trusted = 0
        async with database.read(identity) as connection:
            if not await store.has_run(connection, workspace_id, "points"):
                since = None
        window = Window(now=datetime.now(UTC), since=since)
        async with database.transaction(identity) as connection:
            await trust.learn_ranges(connection, workspace_id, window.now)
        runs = await asyncio.to_thread(check.check_workspace, settings, workspace_id, window)
        async with database.transaction(identity) as connection:
            await store.save_runs(connection, runs)
            for run in runs:
                if run.suite == SERIES.name:
                    marked, trusted = await trust.mark_series(
                        connection, workspace_id, run, window.now
                    )
            reported = await trust.tell(connection, workspace_id, runs, datetime.now(UTC))
    if reported.cursor is not None:
        async with announcer(settings) as wakes:
            wakes.announce(workspace_id, reported.cursor)
    if marked or trusted:
        get_run_logger().warning(
            "%s: %d series are not trusted, %d are again", name, marked, trusted
        )
    for run in runs:
        if run.state is not State.PASSED:
            wrong = "; ".join(r.error or r.says for r in run.results if not r.succeeded)
            get_run_logger().warning("%s, suite %s: does not hold: %s", name, run.suite, wrong)
    return runs


@task(name="publish-index", cache_policy=NO_CACHE, persist_result=False)
async def publish_index() -> None:
    """Write the page that leads to those of the workspaces."""
    settings = flow_settings()
    async with worker_database(settings) as database, database.read(SYSTEM) as connection:
        outcomes = await store.latest_outcomes(connection)
    report.write_index(
        check.docs_folder(settings), [(str(id_), name, said) for id_, name, said in outcomes]
    )
