"""What every report has in common: a window of days, and marts that may not be there yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta

import psycopg

from convex.db import Connection
from convex.errors import InvalidInput, Unavailable

LONGEST_DAYS = 3660


def first_day(today: date, days: int) -> date:
    """The first of `days` days that end with `today`. Raises `InvalidInput`."""
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput(f"days must be between 1 and {LONGEST_DAYS}, not {days}.")
    return today - timedelta(days=days - 1)


async def are_built(connection: Connection) -> bool:
    """Whether the marts have ever been built."""
    rows = await connection.execute(
        "SELECT to_regclass('analytics.alert_analytics') IS NOT NULL AS built"
    )
    row = await rows.fetchone()
    return bool(row and row["built"])


@asynccontextmanager
async def marts() -> AsyncIterator[None]:
    """Read the marts in the block. Raises `Unavailable` until they have been built."""
    try:
        yield
    except psycopg.errors.UndefinedTable:
        raise Unavailable(
            "The analytics have not been built yet: the first build begins a little after Convex's"
            " first start. Run the deployment build-marts/daily to have it now."
        ) from None
