"""The session that shows that a lease's holder lives.

Its advisory lock goes when the session goes, however that happens, and others then take over what
is held without waiting for the lease to end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from convex.db import Connection
from convex.notifications import upkeep


@asynccontextmanager
async def lease_session(url: str, lease: UUID, *, stands: bool) -> AsyncIterator[Connection]:
    """A connection of its own that holds the lease; `stands`: it is the alert flow's (/readyz)."""
    async with await AsyncConnection.connect(
        url,
        autocommit=True,
        application_name="convex-alert-flow",
        row_factory=dict_row,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    ) as connection:
        await upkeep.hold_lease(connection, lease, stands=stands)
        yield connection
