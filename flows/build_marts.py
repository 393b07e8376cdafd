"""Build the marts with dbt; each of dbt's nodes is a task run of its own.

What failed is tried again by itself (`dbt retry`: failed nodes, and what was skipped after them),
so a mart that cannot be built keeps no other from being fresh.
"""

from __future__ import annotations

import asyncio
import threading
from datetime import date

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.runtime import task_run
from prefect.tasks import exponential_backoff

from convex.analytics import build
from convex.analytics.build import BuildResult, Period
from convex.cache import Area
from convex.errors import InvalidInput
from convex.settings import Settings
from flows.caches import forget_everywhere
from flows.runtime import flow_settings, job


@job(name="build-marts", flow_run_name="build-marts-{period}")
async def build_marts(
    period: Period = "daily",
    backfill_from: date | None = None,
    backfill_to: date | None = None,
) -> dict[str, str]:
    """Build the marts and their documentation; what became of each node, by its name.

    daily takes up what changed, weekly reads eight weeks again, monthly starts from scratch; both
    days of a back-fill together read that range again whatever the period.
    """
    if backfill_from is None and backfill_to is not None:
        raise InvalidInput("A back-fill needs its first day: give backfill_from too.")
    last = backfill_to or backfill_from
    backfill = None if backfill_from is None or last is None else (backfill_from, last)
    try:
        result = await build_nodes(period, backfill)
    finally:
        # Also when a node failed: the other marts are new.
        await forget_everywhere(Area.STATISTICS)
        await write_docs()
        await check_freshness()
    return dict(result.nodes)


@task(
    name="dbt-build",
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def build_nodes(period: Period, backfill: tuple[date, date] | None) -> BuildResult:
    """One `dbt build`, or on a retry what is left of it."""
    settings = flow_settings()
    again = (task_run.run_count or 1) > 1 and build.can_retry(settings)
    result = await asyncio.to_thread(_invoke, settings, period, backfill, again)
    if not result.succeeded:
        raise RuntimeError("dbt could not build " + "; ".join(result.messages))
    return result


@task(name="dbt-docs", retries=3, retry_delay_seconds=2, cache_policy=NO_CACHE)
async def write_docs() -> str:
    """Bring the page below /docs/dbt/ up to date."""
    return str(await asyncio.to_thread(build.write_docs, flow_settings()))


@task(name="source-freshness", retries=3, retry_delay_seconds=2, cache_policy=NO_CACHE)
async def check_freshness() -> list[str]:
    """Say where nothing has arrived for a while. That is no failure of the build."""
    stale = await asyncio.to_thread(build.stale_sources, flow_settings())
    if stale:
        get_run_logger().warning("Nothing has arrived for a while in: %s", ", ".join(stale))
    return stale


def _invoke(
    settings: Settings, period: Period, backfill: tuple[date, date] | None, again: bool
) -> BuildResult:
    with build.exclusive_build(settings), build.dbt_environment(settings):
        from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings

        if again:
            arguments = ["retry"]
        else:
            build.forget_results(settings)
            arguments = build.build_arguments(period, backfill)
        before = set(threading.enumerate())
        runner = PrefectDbtRunner(
            settings=PrefectDbtSettings(
                project_dir=build.PROJECT,
                profiles_dir=build.PROJECT,
                target_path=build.target_folder(settings),
            ),
            raise_on_failure=False,
            disable_assets=True,
        )
        answer = runner.invoke([*arguments, "--log-path", str(settings.home / "dbt" / "logs")])
        # The runner lets each node's task run end in a thread of its own and does not wait for it;
        # a flow that ended first would leave it running for ever in Prefect's eyes.
        for thread in set(threading.enumerate()) - before:
            if thread.name.endswith("(run_task)"):
                thread.join(timeout=60)
    return build.read_result(answer)
