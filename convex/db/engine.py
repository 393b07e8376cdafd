"""Pool and transaction. `Database.transaction` is the only place that commits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Self
from urllib.parse import quote, urlsplit, urlunsplit
from weakref import WeakKeyDictionary

import orjson
from psycopg import AsyncConnection, AsyncCursor, InternalError, OperationalError
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool

from convex.db.identity import Identity
from convex.settings import PoolSettings
from convex.telemetry.traces import are_recorded, current_trace, span

Connection = AsyncConnection[DictRow]

set_json_loads(orjson.loads)  # several times as fast as json's, and there is JSON in most rows


def connection_string(url: str, *, user: str, password: str) -> str:
    """The same server and database as `url`, reached as another role."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))


# What a transaction says last: statement, parameters, and who takes the row it gives.
_Last = tuple[str, Sequence[Any], Callable[[DictRow], None]]
_last: WeakKeyDictionary[Connection, list[_Last]] = WeakKeyDictionary()


def say_last(
    connection: Connection,
    statement: str,
    parameters: Sequence[Any],
    take: Callable[[DictRow], None],
) -> None:
    """Run a statement that gives one row right before the commit, and in one message with it.

    What it locks is locked for the commit alone, however long the event loop takes to come back to
    the transaction. `take` gets the row once that is committed; an error rolls everything back. For
    transactions of `Database.transaction`.
    """
    _last.setdefault(connection, []).append((statement, parameters, take))


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
                "autocommit": True,  # BEGIN and COMMIT are said below
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
        if are_recorded() and current_trace():
            with span("transaction", db__system__name="postgresql"):
                async with self._begun("BEGIN", identity) as connection:
                    yield connection
            return
        async with self._begun("BEGIN", identity) as connection:
            yield connection

    @asynccontextmanager
    async def read(self, identity: Identity) -> AsyncIterator[Connection]:
        """A read-only snapshot (repeatable read) as `identity`."""
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        async with self._begun(begin, identity) as connection:
            yield connection

    @asynccontextmanager
    async def _begun(self, begin: str, identity: Identity) -> AsyncIterator[Connection]:
        connection, _ = await self._begin(begin + "; " + _identify(identity))
        try:
            try:
                yield connection
                status = await _commit(connection)
            except BaseException:
                _last.pop(connection, None)
                # a connection that is lost has rolled back by itself
                with suppress(OperationalError):
                    await connection.execute("ROLLBACK")
                raise
            if status != "COMMIT":
                raise InternalError(
                    "an error inside the transaction was swallowed; nothing is kept"
                )
        finally:
            await self._pool.putconn(connection)

    async def read_at_once(self, identity: Identity, statement: str) -> list[DictRow]:
        """The rows of one statement as `identity`, in one round trip and its own transaction.

        For what is read most often. The statement takes no parameters: whoever writes it puts in
        numbers and UUIDs only.
        """
        connection, cursor = await self._begin(f"{_identify(identity)}; {statement}")
        try:
            cursor.nextset()
            return await cursor.fetchall()
        finally:
            await self._pool.putconn(connection)

    async def write_at_once(
        self, identity: Identity, statement: str, parameters: Mapping[str, Any]
    ) -> list[DictRow]:
        """The rows of one statement as `identity`, in one round trip and its own transaction.

        Committed when it returns. What is sent in a pipeline up to its end is one transaction.
        """
        async with self._pool.connection() as connection:
            async with connection.pipeline():
                await connection.execute(_identify(identity))
                cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall()

    async def _begin(self, statements: str) -> tuple[Connection, AsyncCursor[DictRow]]:
        """A connection on which these statements were the first, sent in one round trip.

        A server that was restarted leaves dead connections in the pool: they are passed over here,
        where nothing has happened yet, so that nobody sees them.
        """
        passed_over = 0
        while True:
            connection = await self._pool.getconn()
            try:
                cursor = await connection.execute(statements)
            except BaseException as error:
                await self._pool.putconn(connection)
                if not isinstance(error, OperationalError) or passed_over == self._pool.max_size:
                    raise
                passed_over += 1
            else:
                return connection, cursor

    def statistics(self) -> dict[str, Any]:
        """Counters of the pool, by psycopg's names."""
        return dict(self._pool.get_stats())


async def _commit(connection: Connection) -> str | None:
    """What the server says to COMMIT."""
    said = _last.pop(connection, None)
    if said is None:
        return (await connection.execute("COMMIT")).statusmessage
    async with connection.pipeline():
        cursors = [await connection.execute(text, values) for text, values, _ in said]
        ended = await connection.execute("COMMIT")
    for cursor, (_, _, take) in zip(cursors, said, strict=True):
        row = await cursor.fetchone()
        assert row is not None
        take(row)
    return ended.statusmessage


def _identify(identity: Identity) -> str:
    # Sent with BEGIN in one message, which takes no parameters; hex digits need no quoting.
    workspace, user, key = (
        value.hex if value else ""
        for value in (identity.workspace_id, identity.user_id, identity.api_key_id)
    )
    statement = (
        f"SELECT set_config('convex.workspace_id', '{workspace}', true),"
        f" set_config('convex.user_id', '{user}', true),"
        f" set_config('convex.role', '{identity.role.value}', true),"
        f" set_config('convex.api_key_id', '{key}', true)"
    )
    if trace := current_trace():  # of hex digits and hyphens, whoever sent it
        statement += f", set_config('convex.traceparent', '{trace}', true)"
    return statement
