"""Partitions of the points table: made before a batch that needs a month which does not exist."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from convex.db import Connection
from convex.metrics.model import PointBatch, to_datetime, to_microseconds

FUTURE = timedelta(minutes=10)  # how far ahead of the clock a point may be

_recent: dict[str, set[int]] = {}  # months since 1970 that are known to exist, by database


def oldest_allowed() -> int:
    """Points before this instant (microseconds) are rejected as too old."""
    return 0  # 1970-01-01: the months are counted from there


def months_of(batch: PointBatch, now: datetime) -> list[int]:
    """The months (counted from January 1970) of those points that are not rejected anyway."""
    newest = to_microseconds(now + FUTURE)
    timestamps = batch.timestamps
    usable = timestamps[(timestamps >= oldest_allowed()) & (timestamps <= newest)]
    months = usable.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    return [int(month) for month in np.unique(months)]


async def ensure_partitions(
    connection: Connection, batch: PointBatch, *, now: datetime | None = None
) -> int:
    """Make the months that the batch needs; returns how many were made.

    Call it in a transaction of its own before the one that ingests the batch: creating a partition
    takes a lock that ingestion should not hold. `partitions_known` tells when it can be left out.
    Only recent months are remembered: older ones go again with their retention.
    """
    moment = now or datetime.now(UTC)
    info = connection.info
    known = _recent.setdefault(f"{info.host}:{info.port}/{info.dbname}", set())
    newest = (moment.year - 1970) * 12 + moment.month - 1
    made = 0
    for month in months_of(batch, moment):
        if month in known:
            continue
        start = np.datetime64(month, "M").astype("datetime64[us]").astype(np.int64)
        begin = to_datetime(int(start))
        cursor = await connection.execute(
            "SELECT convex.ensure_point_partitions(%s, %s) AS made", (begin, begin)
        )
        row = await cursor.fetchone()
        made += 0 if row is None else int(row["made"])
        if month >= newest - 1:
            known.add(month)
    return made


def partitions_known(database: str, batch: PointBatch, *, now: datetime | None = None) -> bool:
    """Whether every month of the batch is known to exist in `database` (host:port/name)."""
    known = _recent.get(database, set())
    return all(month in known for month in months_of(batch, now or datetime.now(UTC)))
