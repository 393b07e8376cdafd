"""The real API on a PostgreSQL and a Valkey of its own, durable and empty, for as long as a block
lasts.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.latency import free_port, process
from convex.db import Database
from convex.db.migrate import migrate
from convex.db.roles import role_url
from convex.embedded.postgres import EmbeddedPostgres
from convex.embedded.valkey import EmbeddedValkey
from convex.settings import Settings


@dataclass(frozen=True)
class Served:
    """The API by HTTP, its process, its database as the API reaches it, and what a command of
    Convex needs in its environment to work there.
    """

    settings: Settings
    environment: dict[str, str]
    session: aiohttp.ClientSession
    database: Database
    pid: int


async def home_of_its_own(stack: AsyncExitStack) -> tuple[EmbeddedPostgres, Settings]:
    """PostgreSQL, migrated, and Valkey in a folder that is gone when `stack` ends."""
    home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="convex-bench-")))
    os.chmod(home, 0o755)
    postgres = EmbeddedPostgres(home)
    await postgres.start()
    stack.push_async_callback(postgres.remove)
    valkey = EmbeddedValkey(home)
    await valkey.start()
    stack.push_async_callback(valkey.stop)
    settings = Settings(home=home, redis_url=valkey.url, api_port=free_port())
    await asyncio.to_thread(migrate, settings)
    return postgres, settings


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    """Everything up; gone at the end."""
    async with AsyncExitStack() as stack:
        _, settings = await home_of_its_own(stack)
        port = settings.api_port
        environment = {
            "CONVEX_HOME": str(settings.home),
            "CONVEX_REDIS_URL": settings.redis_url,
            "CONVEX_API_PORT": str(port),
        }
        child = await stack.enter_async_context(process(["-m", "api"], port, **environment))
        database = await stack.enter_async_context(
            Database.open(role_url(settings, "convex_api"), settings.pool)
        )
        session = await stack.enter_async_context(aiohttp.ClientSession(f"http://127.0.0.1:{port}"))
        yield Served(settings, environment, session, database, child.pid)
