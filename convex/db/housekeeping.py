"""What must be made ahead of time and what has had its time, whichever concept it belongs to.

Works as convex_worker with `SYSTEM`, over all workspaces. Rows go a few thousand at a time, so that
no transaction is long and none holds up those who write.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from convex.db.engine import Connection

BATCH = 5_000
_AHEAD, _BEHIND = timedelta(days=62), timedelta(days=31)


class Expiring(StrEnum):
    """Tables whose rows end by themselves."""

    LIVE_EVENTS = "live_events"
    IDEMPOTENCY_KEYS = "idempotency_keys"
    REFRESH_TOKENS = "refresh_tokens"
    REJECTED_POINTS = "rejected_points"
    QUALITY_RUNS = "quality_runs"


# Used and revoked refresh tokens stay until they expire: by them a stolen one is noticed.
_INSTANT = {
    Expiring.LIVE_EVENTS: "created_at",
    Expiring.IDEMPOTENCY_KEYS: "expires_at",
    Expiring.REFRESH_TOKENS: "expires_at",
    Expiring.REJECTED_POINTS: "received_at",
    Expiring.QUALITY_RUNS: "started_at",
}


async def make_partitions(connection: Connection, now: datetime) -> int:
    """Make the months of `points` around now, two ahead; how many there were not."""
    row = await (
        await connection.execute(
            "SELECT convex.ensure_point_partitions(%s, %s) AS made", (now - _BEHIND, now + _AHEAD)
        )
    ).fetchone()
    return 0 if row is None else int(row["made"])


async def delete_expired(
    connection: Connection, table: Expiring, before: datetime, limit: int = BATCH
) -> int:
    """Delete at most `limit` rows whose time ended before that instant; how many.

    Call it again, in another transaction, while it returns `limit`.
    """
    done = await connection.execute(
        f"DELETE FROM convex.{table} WHERE ctid = ANY (ARRAY("
        f"SELECT ctid FROM convex.{table} WHERE {_INSTANT[table]} < %s"
        " LIMIT %s FOR UPDATE SKIP LOCKED))",
        (before, limit),
    )
    return done.rowcount
