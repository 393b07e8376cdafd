"""Rate limits: fixed windows counted in Redis, shared by all processes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from redis.asyncio import Redis

from convex.cache.server import CacheServer


@dataclass(frozen=True, slots=True)
class Window:
    """What is left of a limit, and in how many seconds it starts afresh."""

    limit: int
    remaining: int
    reset: int
    exceeded: bool


class RateLimiter:
    """Counts by name. While Redis is away every request passes."""

    def __init__(self, server: CacheServer) -> None:
        self._server = server

    async def hit(self, name: str, limit: int, seconds: int, now: datetime) -> Window | None:
        """Count one; None when it could not be counted. Windows are aligned to the epoch."""
        key, reset = _window(name, seconds, now)

        async def count(redis: Redis) -> int:
            async with redis.pipeline(transaction=False) as pipeline:
                pipeline.incr(key)
                pipeline.expire(key, reset + 1, nx=True)
                counted = await pipeline.execute()
            return int(counted[0])

        used = await self._server.ask(count)
        if used is None:
            return None
        return Window(limit, max(0, limit - used), reset, used > limit)

    async def forgive(self, name: str, seconds: int, now: datetime) -> None:
        """Take one back, such as an attempt that turned out to be right."""
        key, _ = _window(name, seconds, now)
        await self._server.ask(lambda redis: redis.decr(key))


def _window(name: str, seconds: int, now: datetime) -> tuple[str, int]:
    at = int(now.timestamp())
    number = at // seconds
    return f"limit:{name}:{seconds}:{number}", (number + 1) * seconds - at
