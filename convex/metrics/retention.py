"""How long points are kept, and in which resolution: whole partitions go, no rows are deleted.

A month of points becomes one row for each hour and one for each day when its last point is older
than every workspace with points in it keeps them (`IngestionPolicy.raw_days`); the years of those
summaries go the same way. Points older than a workspace keeps them are not taken any more.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from convex.db import Connection


class Resolution(StrEnum):
    """The tables, from fine to coarse."""

    RAW = "points"
    HOURLY = "hourly_points"
    DAILY = "daily_points"


async def list_ended(connection: Connection, resolution: Resolution, now: datetime) -> list[str]:
    """The partitions that lie in the past, oldest first."""
    rows = await connection.execute(
        "SELECT name FROM convex.list_partitions(%s) WHERE ends <= %s ORDER BY begins",
        (resolution.value, now - timedelta(days=1)),
    )
    return [row["name"] for row in await rows.fetchall()]


async def expire(
    connection: Connection, resolution: Resolution, partition: str, now: datetime
) -> bool:
    """Drop the partition if its time is over for all; whether it was. Needs `SYSTEM`."""
    rows = await connection.execute(
        "SELECT convex.expire_partition(%s, %s, %s) AS gone", (resolution.value, partition, now)
    )
    row = await rows.fetchone()
    return row is not None and bool(row["gone"])
