"""Pool and transaction. `Database.transaction` is the only place that commits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import quote, urlsplit, urlunsplit

from psycopg import AsyncConnection, IsolationLevel
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from convex.db.identity import Identity
from convex.settings import PoolSettings

Connection = AsyncConnection[DictRow]

_IDENTIFY = (
    "SELECT set_config('convex.workspace_id', %s, true), set_config('convex.user_id', %s, true),"
    " set_config('convex.role', %s, true), set_config('convex.api_key_id', %s, true)"
)


def connection_string(url: str, *, user: str, password: str) -> str:
    """The same server and database as `url`, reached as another role."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))


class Database:
    """A pool of connections as one database role."""

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, pool: PoolSettings | None = None, *, application: str = "convex"
    ) -> AsyncIterator[Self]:
        """Connect, yield, close. Waits up to 30 s for the server.

        Raises `psycopg_pool.PoolTimeout` when the server does not answer.
        """
        sizes = pool or PoolSettings()
        connections: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            min_size=min(sizes.minimum, sizes.maximum),
            max_size=sizes.maximum,
            open=False,
            kwargs={
                "row_factory": dict_row,
                "application_name": application,
                "prepare_threshold": 2,
            },
        )
        await connections.open(wait=True, timeout=30)
        try:
            yield cls(connections)
        finally:
            await connections.close()

    @asynccontextmanager
    async def transaction(self, identity: Identity) -> AsyncIterator[Connection]:
        """One transaction as `identity`: committed at the end, rolled back on any exception."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_IDENTIFY, _parameters(identity))
            yield connection

    @asynccontextmanager
    async def read(self, identity: Identity) -> AsyncIterator[Connection]:
        """A read-only snapshot (repeatable read) as `identity`."""
        async with self._pool.connection() as connection:
            await connection.set_read_only(True)
            await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
            try:
                async with connection.transaction():
                    await connection.execute(_IDENTIFY, _parameters(identity))
                    yield connection
            finally:
                await connection.set_read_only(None)
                await connection.set_isolation_level(None)

    def statistics(self) -> dict[str, Any]:
        """Counters of the pool, by psycopg's names."""
        return dict(self._pool.get_stats())


def _parameters(identity: Identity) -> tuple[str, str, str, str]:
    return (
        str(identity.workspace_id or ""),
        str(identity.user_id or ""),
        identity.role.value,
        str(identity.api_key_id or ""),
    )
