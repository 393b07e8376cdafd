"""What every flow needs: the settings of its process and the database as convex_worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from convex.db import Database
from convex.db.roles import role_url
from convex.embedded.valkey import redis_url
from convex.live import Announcer
from convex.settings import PoolSettings, Settings, load_settings


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
    pool = PoolSettings(minimum=1, maximum=settings.pool.maximum)
    url = role_url(settings, "convex_worker")
    async with Database.open(url, pool, application="convex-flow") as database:
        yield database


@asynccontextmanager
async def announcer(settings: Settings | None = None) -> AsyncIterator[Announcer]:
    """Wakes WebSockets and the alert flow after this flow's commits; see `Announcer`."""
    settings = settings or flow_settings()
    url = role_url(settings, "convex_worker")
    async with Announcer.open(url, redis_url(settings)) as wakes:
        yield wakes
