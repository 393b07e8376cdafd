"""How often the cache had an answer: counted by all processes together, hour by hour, in Redis."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from redis.asyncio import Redis

from convex.cache.server import CacheServer

_HOUR = 3600
_KEPT_HOURS = 26
# Answers that nobody had to compute for this request.
_SPARED = frozenset({"hit", "shared", "waited"})


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """Requests by kind of answer and by result (hit, shared, waited, miss)."""

    by_cache: Mapping[str, Mapping[str, int]]

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(sum(results.values()) for results in self.by_cache.values())

    @property
    def hit_rate(self) -> float | None:
        """The share that was spared the computation; None without a request."""
        spared = sum(
            count
            for results in self.by_cache.values()
            for result, count in results.items()
            if result in _SPARED
        )
        return spared / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class CacheMemory:
    """What the server says of itself, in bytes (`limit` 0: none); `evicted` since its start."""

    used: int
    limit: int
    evicted: int


async def add_counts(server: CacheServer, counted: Mapping[str, int]) -> None:
    """Add to the running hour; keys are "cache:result". Lost while Redis is away."""
    key = _key(int(time.time()) // _HOUR)

    async def add(redis: Redis) -> None:
        async with redis.pipeline(transaction=False) as pipeline:
            for name, count in counted.items():
                pipeline.hincrby(key, name, count)
            pipeline.expire(key, _KEPT_HOURS * _HOUR)
            await pipeline.execute()

    await server.ask(add)


async def read_counts(server: CacheServer, hours: int = 24) -> CacheCounts | None:
    """Of the last hours, the running one included; None while Redis is away."""
    hour = int(time.time()) // _HOUR

    async def read(redis: Redis) -> list[dict[bytes, bytes]]:
        async with redis.pipeline(transaction=False) as pipeline:
            for back in range(hours):
                pipeline.hgetall(_key(hour - back))
            found: list[dict[bytes, bytes]] = await pipeline.execute()
        return found

    found = await server.ask(read)
    if found is None:
        return None
    summed: dict[str, Counter[str]] = {}
    for counted in found:
        for name, count in counted.items():
            cache, _, result = name.decode().rpartition(":")
            summed.setdefault(cache, Counter())[result] += int(count)
    return CacheCounts(summed)


async def read_memory(server: CacheServer) -> CacheMemory | None:
    """None while Redis is away."""

    async def read(redis: Redis) -> CacheMemory:
        memory, stats = await redis.info("memory"), await redis.info("stats")
        return CacheMemory(
            int(memory["used_memory"]), int(memory["maxmemory"]), int(stats["evicted_keys"])
        )

    return await server.ask(read)


def _key(hour: int) -> str:
    return f"cache:counts:{hour}"
