"""Around the outbox: which holders of leases live, what is stale, how full it is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from convex.db import Connection

# Key of the advisory lock that a shift holds for its lease as long as its session lives.
_SHIFT = 1129270874
_HOLD_LEASE = "SELECT pg_advisory_lock(%s, hashtext(%s))"
_STAND = "SELECT convex.hold_alert_flow()"
_ABANDONED = """
SELECT l.lease_id FROM (
    SELECT DISTINCT lease_id FROM convex.alert_notifications
    WHERE state = 'due' AND leased_until > %(now)s
) AS l
WHERE NOT EXISTS (
    SELECT 1 FROM pg_catalog.pg_locks AS k
    WHERE k.locktype = 'advisory' AND k.granted AND k.classid = %(shift)s AND k.objsubid = 2
        AND k.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
        AND k.objid = (hashtext(l.lease_id::text)::bigint & 4294967295)::oid
)
"""
_RELEASE_ABANDONED = """
UPDATE convex.alert_notifications SET leased_until = NULL, lease_id = NULL
WHERE lease_id = ANY (%s) AND state = 'due'
"""
_EXPIRE = """
UPDATE convex.alert_notifications AS n
SET state = 'withheld', reason = 'expired', leased_until = NULL, lease_id = NULL,
    explanation = 'It was resolved before a further attempt; ' || n.explanation,
    updated_at = %(now)s
FROM convex.alert_triggers AS t
WHERE n.state = 'due' AND n.kind IN ('firing', 'repeat', 'escalation') AND n.attempts > 0
    AND (n.leased_until IS NULL OR n.leased_until <= %(now)s)
    AND t.id = n.trigger_id AND t.state = 'resolved'
    AND t.resolution <> 'milestone' AND t.resolved_at < %(now)s - interval '1 second'
    AND NOT EXISTS (SELECT 1 FROM convex.alert_notifications AS p WHERE p.carried_by = n.id)
"""
_STATUS = """
SELECT count(*) FILTER (WHERE due_at <= %(now)s) AS due,
    count(*) AS waiting,
    coalesce(extract(epoch FROM %(now)s - min(due_at)), 0)::float8 AS oldest
FROM convex.alert_notifications
WHERE state = 'due'
"""


async def hold_lease(connection: Connection, lease: UUID, *, stands: bool) -> None:
    """Say that the holder of the lease is alive, until this session ends.

    `stands`: it is the alert flow, for which /readyz looks.
    """
    await connection.execute(_HOLD_LEASE, (_SHIFT, str(lease)))
    if stands:
        await connection.execute(_STAND)


async def abandoned_leases(connection: Connection, now: datetime) -> set[UUID]:
    """The leases under which something is held although their shift's session is gone."""
    rows = await (await connection.execute(_ABANDONED, {"now": now, "shift": _SHIFT})).fetchall()
    return {row["lease_id"] for row in rows}


async def release_abandoned(connection: Connection, leases: Collection[UUID]) -> int:
    """Free what is held by shifts that are known to be dead, without waiting for their leases."""
    return (await connection.execute(_RELEASE_ABANDONED, (list(leases),))).rowcount


async def expire(connection: Connection, now: datetime) -> int:
    """Stop repeating attempts to tell of what is over; its end is told instead."""
    return (await connection.execute(_EXPIRE, {"now": now})).rowcount


@dataclass(frozen=True, slots=True)
class Status:
    """How full the outbox is. `oldest`: seconds that the oldest due row is late."""

    due: int
    waiting: int
    oldest: float


async def status(connection: Connection, now: datetime) -> Status:
    """The outbox as the identity sees it."""
    row = await (await connection.execute(_STATUS, {"now": now})).fetchone()
    assert row is not None
    return Status(row["due"], row["waiting"], max(float(row["oldest"]), 0.0))
