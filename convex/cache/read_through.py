"""Answers that are dear to compute, kept for a while, per workspace.

Each workspace has a generation in its keys; raising it forgets everything of that workspace at
once. One computation per key and process runs at a time, and one per key among processes as long
as Redis answers: the others wait for its answer, then compute themselves.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

from redis.asyncio import Redis

from convex.cache.server import CacheServer
from convex.telemetry import metrics

_LOCK_SECONDS = 10
_WAIT_SECONDS = 2.0
_SPREAD = 0.1  # lifetimes differ by this share, so that keys made together do not end together

Load = Callable[[], Awaitable[bytes]]


class Cache:
    """Read-through, with single flight. Values are bytes: encoded answers."""

    def __init__(self, server: CacheServer) -> None:
        self._server = server
        self._flights: dict[str, asyncio.Task[bytes]] = {}

    async def get(
        self, cache: str, workspace_id: UUID, key: str, load: Load, *, seconds: int
    ) -> bytes:
        """The kept value, or that of `load`, which is then kept for about `seconds`.

        `cache` names the kind of answer (also in metrics). What `load` raises reaches everybody
        who waits for it, and nothing is kept.
        """
        flight_key = f"{cache}:{workspace_id}:{key}"
        flight = self._flights.get(flight_key)
        if flight is None:
            flight = asyncio.create_task(self._fly(cache, workspace_id, key, load, seconds))
            self._flights[flight_key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(flight_key, None))
        else:
            metrics.cache_requests.labels(cache, "shared").inc()
        return await asyncio.shield(flight)

    async def forget(self, workspace_id: UUID) -> None:
        """The workspace has changed: nothing kept for it is given out any more."""
        await self._server.ask(lambda redis: redis.incr(_generation_key(workspace_id)))

    async def _fly(
        self, cache: str, workspace_id: UUID, key: str, load: Load, seconds: int
    ) -> bytes:
        generation = await self._server.ask(lambda redis: redis.get(_generation_key(workspace_id)))
        number = generation.decode() if isinstance(generation, bytes) else "0"
        full_key = f"cache:{workspace_id}:{number}:{cache}:{key}"
        kept = await self._read(full_key)
        if kept is not None:
            metrics.cache_requests.labels(cache, "hit").inc()
            return kept
        ticket = uuid4().hex
        lock = f"{full_key}:lock"
        mine = await self._server.ask(
            lambda redis: redis.set(lock, ticket, nx=True, ex=_LOCK_SECONDS, get=True)
        )
        if mine is not None:  # another process is computing it
            kept = await self._wait(full_key)
            if kept is not None:
                metrics.cache_requests.labels(cache, "waited").inc()
                return kept
        metrics.cache_requests.labels(cache, "miss").inc()
        value = await load()
        lifetime = max(1, round(seconds * random.uniform(1 - _SPREAD, 1 + _SPREAD)))

        async def keep(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as pipeline:
                pipeline.set(full_key, value, ex=lifetime)
                pipeline.delete(lock)
                await pipeline.execute()

        await self._server.ask(keep)
        return value

    async def _wait(self, full_key: str) -> bytes | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _WAIT_SECONDS
        while loop.time() < deadline:
            await asyncio.sleep(0.02)
            kept = await self._read(full_key)
            if kept is not None:
                return kept
        return None

    async def _read(self, full_key: str) -> bytes | None:
        kept = await self._server.ask(lambda redis: redis.get(full_key))
        return kept if isinstance(kept, bytes) else None


def _generation_key(workspace_id: UUID) -> str:
    return f"cache:{workspace_id}:generation"
