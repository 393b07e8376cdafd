"""What every flow needs: the settings of its process, the database as convex_worker, and being
counted by how its runs end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

from prefect import Flow, flow
from prefect.client.schemas.objects import FlowRun, State

from convex.db import Database
from convex.db.roles import role_url
from convex.embedded.valkey import redis_url
from convex.live import Announcer
from convex.settings import PoolSettings, Settings, load_settings
from convex.telemetry.metrics import job_runs
from convex.telemetry.traces import configure_traces, flush_traces

P = ParamSpec("P")
R = TypeVar("R")
_Run = Callable[P, Coroutine[Any, Any, R]]


def job(
    *, name: str, flow_run_name: str | Callable[[], str] | None = None
) -> Callable[[_Run[P, R]], Flow[P, Coroutine[Any, Any, R]]]:
    """Prefect's `flow`, each run of which is counted in convex_job_runs_total when it ends."""
    hooks: list[Any] = [_count]
    return flow(
        name=name,
        flow_run_name=flow_run_name,
        on_completion=hooks,
        on_failure=hooks,
        on_crashed=hooks,
        on_cancellation=hooks,
    )


async def _count(ended: Flow[Any, Any], _: FlowRun, state: State[Any]) -> None:
    job_runs.labels(ended.name, state.type.value.lower()).inc()


def flow_settings() -> Settings:
    """The settings of this flow run, from the environment that its worker handed on."""
    return load_settings()


@asynccontextmanager
async def worker_database(settings: Settings | None = None) -> AsyncIterator[Database]:
    """Convex's database as convex_worker, with a pool of its own while the block lasts.

    Identities decide what is seen: `SYSTEM` for every workspace, or one workspace's with
    `Role.SYSTEM`. Raises `psycopg_pool.PoolTimeout` when the server does not answer within 30 s.
    """
    settings = settings or flow_settings()
    configure_traces(settings.traces, service="flows")
    pool = PoolSettings(minimum=1, maximum=settings.pool.maximum)
    url = role_url(settings, "convex_worker")
    try:
        async with Database.open(url, pool, application="convex-flow") as database:
            yield database
    finally:
        if settings.traces.endpoint:
            await asyncio.to_thread(flush_traces)


@asynccontextmanager
async def announcer(settings: Settings | None = None) -> AsyncIterator[Announcer]:
    """Wakes WebSockets and the alert flow after this flow's commits; see `Announcer`."""
    settings = settings or flow_settings()
    url = role_url(settings, "convex_worker")
    async with Announcer.open(url, redis_url(settings)) as wakes:
        yield wakes
