"""The connection to Redis, and not asking a server that does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Self, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from convex.telemetry import get_log

_PATIENCE = 0.25  # seconds for one command
_REST = 1.0  # seconds without a command after a failure

_log = get_log(__name__)
T = TypeVar("T")


class CacheServer:
    """Redis for things that may fail: a lost server costs one short wait a second, no error."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._asleep_until = 0.0

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        """Connects when first asked; the server need not be there."""
        redis = Redis.from_url(
            url,
            socket_timeout=_PATIENCE,
            socket_connect_timeout=_PATIENCE,
            retry=Retry(NoBackoff(), 1),
            max_connections=50,
        )
        try:
            yield cls(redis)
        finally:
            with suppress(RedisError, OSError):
                await redis.aclose()

    async def ask(self, command: Callable[[Redis], Awaitable[T]]) -> T | None:
        """The answer, or None when there is none to be had now."""
        now = asyncio.get_running_loop().time()
        if now < self._asleep_until:
            return None
        try:
            return await command(self._redis)
        except (RedisError, OSError, TimeoutError) as error:
            self._asleep_until = now + _REST
            _log.warning("cache server does not answer", error=type(error).__name__)
            return None

    async def answers(self) -> bool:
        """Whether it answers now, whatever happened before."""
        try:
            return bool(await self._redis.ping())
        except (RedisError, OSError, TimeoutError):
            return False
