"""After a commit: wake the WebSockets of every API process, and the alert flow.

Both wake-ups are hints. Whoever misses one finds the same facts in PostgreSQL within a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Self
from uuid import UUID

from psycopg import AsyncConnection, Error
from redis.asyncio import Redis
from redis.exceptions import RedisError

from convex.telemetry import get_log

LIVE_CHANNEL = "convex:live"
ALERT_FLOW_CHANNEL = "convex_alert_flow"
_PATIENCE = 2.0  # seconds for one wake-up to be handed over

_log = get_log(__name__)

Wake = Callable[[UUID, int], None]


class Announcer:
    """Sends wake-ups in the background, many commits in one: `announce` itself never waits.

    Use it as `async with Announcer.open(database_url, redis_url) as announcer`, once per process;
    leaving the block sends what is still to be sent.
    """

    def __init__(self, database_url: str, redis: Redis, wake: Wake | None) -> None:
        self._database_url = database_url
        self._redis = redis
        self._wake = wake
        self._cursors: dict[UUID, int] = {}
        self._flow = False
        self._due = asyncio.Event()
        self._closing = False
        self._connection: AsyncConnection | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, database_url: str, redis_url: str, *, wake: Wake | None = None
    ) -> AsyncIterator[Self]:
        """`database_url` is of any role that may connect; `wake` is called at once, in-process.

        Neither server needs to be there: a wake-up that cannot be sent is dropped and logged.
        """
        redis = Redis.from_url(
            redis_url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE
        )
        announcer = cls(database_url, redis, wake)
        sender = asyncio.create_task(announcer._send_all(), name="announcer")
        try:
            yield announcer
        finally:
            announcer._closing = True
            announcer._due.set()
            await sender
            await announcer._drop_connection()
            with suppress(RedisError, OSError):
                await redis.aclose()

    def announce(self, workspace_id: UUID, cursor: int | None, *, alert_flow: bool = True) -> None:
        """A transaction of the workspace has been committed; `cursor` is its newest live event.

        `cursor` None: there are no new events (then only the alert flow is woken). `alert_flow`
        False: there is nothing to plan or deliver. Call it after the commit, never before.
        """
        if cursor is not None:
            if self._wake is not None:
                self._wake(workspace_id, cursor)
            self._cursors[workspace_id] = max(cursor, self._cursors.get(workspace_id, 0))
        self._flow = self._flow or alert_flow
        self._due.set()

    async def _send_all(self) -> None:
        while not (self._closing and not self._cursors and not self._flow):
            await self._due.wait()
            self._due.clear()
            cursors, self._cursors = self._cursors, {}
            flow, self._flow = self._flow, False
            if flow:
                await self._notify()
            if cursors:
                await self._publish(cursors)

    async def _publish(self, cursors: dict[UUID, int]) -> None:
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for workspace_id, cursor in cursors.items():
                pipeline.publish(LIVE_CHANNEL, f"{workspace_id} {cursor}")
            await pipeline.execute()
        except (RedisError, OSError) as error:
            _log.warning("live wake-up not published", error=type(error).__name__)

    async def _notify(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                if self._connection is None or self._connection.closed:
                    self._connection = await AsyncConnection.connect(
                        self._database_url, autocommit=True, application_name="convex-announcer"
                    )
                await self._connection.execute(f"NOTIFY {ALERT_FLOW_CHANNEL}")
        except (Error, OSError, TimeoutError) as error:
            _log.warning("alert flow not notified", error=type(error).__name__)
            await self._drop_connection()

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Error, OSError):
                await connection.close()
