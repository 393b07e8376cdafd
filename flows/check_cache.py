"""Whether the cache does what it is for: it answers, it tells the truth, it spares work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.tasks import exponential_backoff

from convex.analytics.answers import Refreshed, check
from convex.cache import Cache, read_counts, read_memory
from convex.db import Identity, Role
from convex.errors import Unavailable
from flows.caches import cache_server, workspace_ids
from flows.runtime import job, worker_database

# Below this, over enough requests, keys or lifetimes are probably wrong.
_GOOD_RATE = 0.8
_ENOUGH = 100


@dataclass(frozen=True, slots=True)
class CacheReport:
    """Reports compared with the marts, those that were wrong, hits of a day, memory."""

    compared: int
    wrong: int
    requests: int
    hit_rate: float | None
    bytes_used: int | None


@job(name="check-cache")
async def check_cache() -> CacheReport:
    """Compare what is kept with the marts, and say how well the cache did in the last 24 hours."""
    log = get_run_logger()
    async with worker_database() as database:
        workspaces = await workspace_ids(database)
    async with cache_server() as server:
        if not await server.answers():
            log.warning("The cache server does not answer; every report is computed anew.")
            return CacheReport(0, 0, 0, None, None)
        counts, memory = await read_counts(server), await read_memory(server)
    compared = wrong = 0
    today = datetime.now(UTC).date()
    for workspace_id in workspaces:
        found = await check_workspace(workspace_id, today)
        if found is None:
            log.warning("The marts have not been built yet: nothing to compare with.")
            break
        compared, wrong = compared + found.answers, wrong + found.wrong
    requests = counts.requests if counts else 0
    rate = counts.hit_rate if counts else None
    if wrong:
        log.warning("%d of %d kept reports were not what the marts say; forgotten", wrong, compared)
    if rate is not None and requests >= _ENOUGH and rate < _GOOD_RATE:
        log.warning("Only %.0f %% of %d requests were answered by the cache", 100 * rate, requests)
    if memory is not None and memory.evicted:
        log.warning("%d keys were evicted for want of memory", memory.evicted)
    report = CacheReport(compared, wrong, requests, rate, memory.used if memory else None)
    log.info("%s", report)
    return report


@task(
    name="check-workspace",
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def check_workspace(workspace_id: UUID, today: date) -> Refreshed | None:
    """One workspace's reports; None while there are no marts."""
    identity = Identity(workspace_id, Role.SYSTEM)
    async with worker_database() as database, cache_server() as server:
        try:
            return await check(Cache(server), workspace_id, lambda: database.read(identity), today)
        except Unavailable:  # asking again does not build the marts
            return None
