"""Answers that are dear to compute, kept for a while, per workspace and area.

Each area of a workspace has a generation, and each kept answer says of which it is. Raising the
generation (`forget`) makes every answer of before worthless at once, those that are being computed
among them. One computation per key and process runs at a time, and one per key among processes as
long as Redis answers: the others wait for its answer, then compute themselves.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

from redis.asyncio import Redis

from convex.cache.areas import LONGEST, Area
from convex.cache.counts import add_counts
from convex.cache.server import CacheServer
from convex.telemetry import metrics

_LOCK_SECONDS = 10
_WAIT_SECONDS = 2.0
_SPREAD = 0.1  # lifetimes are shorter by up to this share: keys made together do not end together
_COUNT_SECONDS = 5.0

Load = Callable[[], Awaitable[bytes]]


class Cache:
    """Read-through, with single flight. Values are bytes: encoded answers."""

    def __init__(self, server: CacheServer) -> None:
        self._server = server
        self._flights: dict[str, asyncio.Task[bytes]] = {}
        self._counts: Counter[str] = Counter()
        self._counted_at = 0.0

    async def get(
        self,
        cache: str,
        workspace_id: UUID,
        key: str,
        load: Load,
        *,
        area: Area = Area.STATISTICS,
        seconds: int | None = None,
    ) -> bytes:
        """The kept value, or that of `load`, which is then kept for `seconds` (the area's longest).

        `cache` names the kind of answer (also in metrics). What `load` raises reaches everybody
        who waits for it, and nothing is kept.
        """
        flight_key = f"{cache}:{workspace_id}:{key}"
        flight = self._flights.get(flight_key)
        if flight is None:
            lifetime = _lifetime(area, seconds)
            flight = asyncio.create_task(self._fly(cache, workspace_id, key, load, area, lifetime))
            self._flights[flight_key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(flight_key, None))
        else:
            self._count(cache, "shared")
        value = await asyncio.shield(flight)
        await self._write_counts()
        return value

    async def peek(
        self, cache: str, workspace_id: UUID, key: str, *, area: Area = Area.STATISTICS
    ) -> bytes | None:
        """The kept value, if there is one that still counts. Is not counted as a request."""
        return (await self._read(_value_key(cache, workspace_id, key), workspace_id, area))[1]

    async def put(
        self,
        cache: str,
        workspace_id: UUID,
        key: str,
        value: bytes,
        *,
        area: Area = Area.STATISTICS,
        seconds: int | None = None,
    ) -> None:
        """Keep a value that nobody has asked for yet."""
        value_key = _value_key(cache, workspace_id, key)
        generation = (await self._read(value_key, workspace_id, area))[0]
        await self._keep(value_key, generation, value, _lifetime(area, seconds))

    async def forget(self, workspace_id: UUID, *areas: Area) -> None:
        """These areas of the workspace (all, when none is named) have changed."""
        chosen = areas or tuple(Area)

        async def raise_generations(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as pipeline:
                for area in chosen:
                    pipeline.incr(_generation_key(workspace_id, area))
                await pipeline.execute()

        await self._server.ask(raise_generations)

    async def _fly(
        self, cache: str, workspace_id: UUID, key: str, load: Load, area: Area, seconds: int
    ) -> bytes:
        value_key = _value_key(cache, workspace_id, key)
        generation, kept = await self._read(value_key, workspace_id, area)
        if kept is not None:
            self._count(cache, "hit")
            return kept
        ticket = uuid4().hex
        lock = f"{value_key}:lock:{generation.decode()}"
        mine = await self._server.ask(
            lambda redis: redis.set(lock, ticket, nx=True, ex=_LOCK_SECONDS, get=True)
        )
        if mine is not None:  # another process is computing it
            kept = await self._wait(value_key, workspace_id, area)
            if kept is not None:
                self._count(cache, "waited")
                return kept
        self._count(cache, "miss")
        try:
            value = await load()
        except BaseException:
            await self._server.ask(lambda redis: redis.delete(lock))
            raise
        await self._keep(value_key, generation, value, seconds)
        await self._server.ask(lambda redis: redis.delete(lock))
        return value

    async def _keep(self, value_key: str, generation: bytes, value: bytes, seconds: int) -> None:
        kept = generation + b"\n" + value
        await self._server.ask(lambda redis: redis.set(value_key, kept, ex=seconds))

    async def _wait(self, value_key: str, workspace_id: UUID, area: Area) -> bytes | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _WAIT_SECONDS
        while loop.time() < deadline:
            await asyncio.sleep(0.02)
            kept = (await self._read(value_key, workspace_id, area))[1]
            if kept is not None:
                return kept
        return None

    async def _read(
        self, value_key: str, workspace_id: UUID, area: Area
    ) -> tuple[bytes, bytes | None]:
        """The generation that counts now, and the value if it is of that one; one round trip."""
        keys = [_generation_key(workspace_id, area), value_key]

        async def read(redis: Redis) -> list[bytes | None]:
            found: list[bytes | None] = await redis.mget(keys)  # type: ignore[assignment]
            return found

        found = await self._server.ask(read) or [None, None]
        generation, kept = found[0] or b"0", found[1]
        if kept is None:
            return generation, None
        made_in, _, value = kept.partition(b"\n")
        return generation, value if made_in == generation else None

    def _count(self, cache: str, result: str) -> None:
        metrics.cache_requests.labels(cache, result).inc()
        self._counts[f"{cache}:{result}"] += 1

    async def _write_counts(self) -> None:
        """Add what was counted here to what all processes have counted, every few seconds."""
        now = asyncio.get_running_loop().time()
        if now - self._counted_at < _COUNT_SECONDS:
            return
        self._counted_at = now
        await self.flush()

    async def flush(self) -> None:
        """Write what was counted now; see `counts`."""
        counted, self._counts = self._counts, Counter()
        if counted:
            await add_counts(self._server, counted)


def _lifetime(area: Area, seconds: int | None) -> int:
    longest = LONGEST[area] if seconds is None else min(seconds, LONGEST[area])
    return max(1, round(longest * random.uniform(1 - _SPREAD, 1)))


def _value_key(cache: str, workspace_id: UUID, key: str) -> str:
    return f"cache:{workspace_id}:{cache}:{key}"


def _generation_key(workspace_id: UUID, area: Area) -> str:
    return f"cache:{workspace_id}:generation:{area}"
