"""The cache, as flows use it: they say what they changed, and fill it before somebody asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from convex.cache import Area, Cache, CacheServer
from convex.db import SYSTEM, Database
from convex.embedded.valkey import redis_url
from convex.settings import Settings
from convex.workspaces.store import list_workspaces
from flows.runtime import flow_settings, worker_database


@asynccontextmanager
async def cache_server(settings: Settings | None = None) -> AsyncIterator[CacheServer]:
    """Redis while the block lasts; it need not be there."""
    async with CacheServer.open(redis_url(settings or flow_settings())) as server:
        yield server


async def workspace_ids(database: Database) -> list[UUID]:
    """Of all workspaces."""
    async with database.read(SYSTEM) as connection:
        return [workspace.id for workspace in await list_workspaces(connection)]


async def forget_everywhere(*areas: Area, workspaces: Sequence[UUID] | None = None) -> None:
    """These areas have changed in all workspaces (or in those that are named)."""
    if workspaces is None:
        async with worker_database() as database:
            workspaces = await workspace_ids(database)
    async with cache_server() as server:
        cache = Cache(server)
        for workspace_id in workspaces:
            await cache.forget(workspace_id, *areas)
