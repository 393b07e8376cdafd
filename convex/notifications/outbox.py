"""The outbox: claims under a lease, and what came of them. All its SQL; no network.

A claim counts as an attempt when it is made, so that a process that dies in mid-delivery has used
one. Recording what is done and claiming what is next are one statement.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import orjson
from psycopg.rows import DictRow

from convex.db import Connection
from convex.notifications.channels.message import Part
from convex.notifications.channels.port import Outcome
from convex.notifications.model import ChannelKind, Kind

# Failures in a row after which a destination is left alone for a while, and for how long at most.
CIRCUIT_OPENS_AFTER = 5
_CIRCUIT_LONGEST = timedelta(minutes=10)
_CIRCUIT_FIRST = timedelta(seconds=30)

# A row that must not overtake another waits for it. A destination whose circuit is open is passed
# over, so that what is due for it costs no attempt.
_FREE = """
    n.state = 'due' AND n.due_at <= %(now)s AND n.channel_kind <> 'in_app'
    AND (n.leased_until IS NULL OR n.leased_until <= %(now)s)
    AND (n.payload -> 'after' IS NULL OR NOT EXISTS (
        SELECT 1 FROM convex.alert_notifications AS e
        WHERE e.id = (n.payload ->> 'after')::uuid AND e.state = 'due'
    ))
    AND (n.channel_id IS NULL OR NOT EXISTS (
        SELECT 1 FROM convex.channels AS c
        WHERE c.id = n.channel_id AND c.circuit_open_until > %(now)s
    ))
"""
_OUTCOMES = """
outcomes AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(outcomes)s::jsonb) AS o (
        id uuid, workspace_id uuid, attempt smallint, started_at timestamptz,
        finished_at timestamptz, outcome text, status integer, error text, again_at timestamptz
    )
),
logged AS (
    INSERT INTO convex.notification_deliveries (
        workspace_id, notification_id, attempt, started_at, finished_at, outcome, status_code, error
    )
    SELECT workspace_id, id, attempt, started_at, finished_at, outcome, status, error FROM outcomes
),
recorded AS (
    UPDATE convex.alert_notifications AS n
    SET state = CASE o.outcome WHEN 'retry' THEN 'due' ELSE o.outcome END,
        delivered_at = CASE o.outcome WHEN 'delivered' THEN o.finished_at END,
        due_at = coalesce(o.again_at, n.due_at),
        leased_until = NULL, lease_id = NULL, last_error = o.error, updated_at = o.finished_at
    FROM outcomes AS o
    WHERE n.id = o.id AND n.state = 'due'
        AND (n.lease_id = %(lease)s OR o.outcome = 'delivered')
)
"""
_RETURNED = """
    n.id, n.workspace_id, n.trigger_id, n.kind, n.recipient_id, n.channel_id, n.channel_kind,
    n.step, n.severity, n.group_key, n.payload, n.attempts, n.due_at, n.created_at, n.transition_id
"""
_WITH_DESTINATION = """
SELECT claimed.*, u.email, u.name AS recipient_name, c.config, c.secret,
    coalesce(c.version, 0) AS channel_version, x.traceparent
FROM claimed
LEFT JOIN convex.trigger_transitions AS x ON x.id = claimed.transition_id
LEFT JOIN convex.users AS u ON u.id = claimed.recipient_id
LEFT JOIN convex.channels AS c ON c.id = claimed.channel_id
ORDER BY claimed.due_at
"""
_CLAIMED = f"""
claimed AS (
    UPDATE convex.alert_notifications AS n
    SET leased_until = %(until)s, lease_id = %(lease)s, attempts = n.attempts + 1
    WHERE n.id = ANY (ARRAY(
        SELECT n.id FROM convex.alert_notifications AS n
        WHERE {_FREE}
        ORDER BY n.due_at
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING {_RETURNED}
)
{_WITH_DESTINATION}
"""
_CLAIM = f"WITH {_CLAIMED}"
_RECORD_AND_CLAIM = f"WITH {_OUTCOMES}, {_CLAIMED}"
_RECORD = f"WITH {_OUTCOMES} SELECT 1 WHERE false"
_CARRIED = """
SELECT carried_by, kind, severity, payload FROM convex.alert_notifications
WHERE carried_by = ANY (%s) ORDER BY created_at, transition_id, id
"""
_CHANNEL_RESULTS = """
UPDATE convex.channels AS c
SET consecutive_failures = CASE WHEN o.worked THEN o.failures
        ELSE c.consecutive_failures + o.failures END,
    circuit_open_until = CASE
        WHEN o.worked THEN NULL
        WHEN c.consecutive_failures + o.failures < %(opens_after)s THEN c.circuit_open_until
        ELSE %(now)s + least(
            %(first)s * power(
                2, least(c.consecutive_failures + o.failures - %(opens_after)s, 10)
            ), %(longest)s
        )
    END,
    last_delivered_at = CASE WHEN o.worked THEN %(now)s ELSE c.last_delivered_at END,
    last_failed_at = CASE WHEN o.failures > 0 THEN %(now)s ELSE c.last_failed_at END,
    last_error = coalesce(o.error, CASE WHEN o.worked THEN NULL ELSE c.last_error END),
    enabled = c.enabled AND NOT o.gone,
    disabled_reason = CASE WHEN o.gone AND c.enabled THEN o.error ELSE c.disabled_reason END,
    version = c.version + CASE WHEN o.gone AND c.enabled THEN 1 ELSE 0 END
FROM unnest(
    %(id)s::uuid[], %(worked)s::boolean[], %(failures)s::integer[], %(gone)s::boolean[],
    %(error)s::text[]
) AS o (id, worked, failures, gone, error)
WHERE c.id = o.id
    AND (
        o.failures > 0 OR c.consecutive_failures > 0 OR c.last_delivered_at IS NULL
        OR c.last_delivered_at < %(now)s - interval '10 seconds'
    )
"""
_RECLAIM = f"""
WITH wanted AS (
    SELECT n.id FROM convex.alert_notifications AS n
    LEFT JOIN convex.alert_triggers AS t ON t.id = n.trigger_id
    WHERE n.id = ANY (%(ids)s) AND n.state = 'failed'
        AND (n.kind NOT IN ('firing', 'repeat', 'escalation') OR t.state <> 'resolved')
    FOR UPDATE OF n SKIP LOCKED
),
claimed AS (
    UPDATE convex.alert_notifications AS n
    SET state = 'due', leased_until = %(until)s, lease_id = %(lease)s, attempts = n.attempts + 1
    FROM wanted WHERE n.id = wanted.id
    RETURNING {_RETURNED}
)
{_WITH_DESTINATION}
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A notification in the hands of a sender until its lease ends."""

    id: UUID
    workspace_id: UUID
    trigger_id: UUID | None
    kind: Kind
    recipient_id: UUID | None
    channel_id: UUID | None
    channel_kind: ChannelKind
    step: int
    severity: str
    group_key: str
    payload: Mapping[str, Any]
    attempt: int
    due_at: datetime
    created_at: datetime
    email: str
    recipient_name: str
    config: Mapping[str, Any]
    sealed: bytes | None = field(repr=False)
    channel_version: int = 0
    carried: Sequence[Part] = ()
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One finished attempt. `again_at`: when the next is due, for an outcome of retry.

    `exhausted`: it failed because it was the last of its attempts, not for good reasons.
    """

    claim: Claim
    outcome: Outcome
    started_at: datetime
    finished_at: datetime
    status: int | None = None
    error: str | None = None
    again_at: datetime | None = None
    gone: bool = False
    blames_channel: bool = True
    exhausted: bool = False


async def record_and_claim(
    connection: Connection,
    attempts: Sequence[Attempt],
    *,
    lease: UUID,
    until: datetime,
    limit: int,
    now: datetime,
) -> list[Claim]:
    """Write down finished attempts and take up to `limit` that are due, in one round trip.

    Either part may be empty. An outcome of a lease that was lost is logged, and counts if it was
    delivered.
    """
    parameters: dict[str, Any] = {"lease": lease, "until": until, "limit": limit, "now": now}
    rows: list[DictRow] = []
    if attempts:
        parameters["outcomes"] = _as_json(attempts)
        statement = _RECORD_AND_CLAIM if limit > 0 else _RECORD
        rows = await _fetch(connection, statement, parameters)
        await _record_channels(connection, attempts, now)
    elif limit > 0:
        rows = await _fetch(connection, _CLAIM, parameters)
    # Read after the claim, by a statement that sees what joined the message until then; a claimed
    # message takes nothing more.
    carried = await carried_parts(connection, [row["id"] for row in rows if may_carry(row)])
    return [_claim(row, carried.get(row["id"], ())) for row in rows]


async def reclaim(
    connection: Connection, ids: Sequence[UUID], *, lease: UUID, until: datetime
) -> list[Claim]:
    """Take up what has failed once more; firings of triggers that are over are left alone."""
    parameters = {"ids": list(ids), "lease": lease, "until": until}
    rows = await _fetch(connection, _RECLAIM, parameters)
    carried = await carried_parts(connection, [row["id"] for row in rows if may_carry(row)])
    return [_claim(row, carried.get(row["id"], ())) for row in rows]


async def _record_channels(
    connection: Connection, attempts: Sequence[Attempt], now: datetime
) -> None:
    """Health and circuit of each destination; nothing is written while all goes well."""
    by_channel: dict[UUID, list[Attempt]] = defaultdict(list)
    for attempt in sorted(attempts, key=lambda one: one.finished_at):
        if attempt.claim.channel_id is not None:
            by_channel[attempt.claim.channel_id].append(attempt)
    columns: dict[str, list[Any]] = {
        name: [] for name in ("id", "worked", "failures", "gone", "error")
    }
    for channel_id, several in sorted(by_channel.items()):
        failures, worked = 0, False
        for attempt in several:
            if attempt.outcome is Outcome.DELIVERED:
                failures, worked = 0, True
            elif attempt.blames_channel:
                failures += 1
        errors = [one.error for one in several if one.error and one.blames_channel]
        columns["id"].append(channel_id)
        columns["worked"].append(worked)
        columns["failures"].append(failures)
        columns["gone"].append(any(one.gone for one in several))
        columns["error"].append(errors[-1] if errors and failures else None)
    if columns["id"]:
        await connection.execute(
            _CHANNEL_RESULTS,
            {
                **columns,
                "now": now,
                "opens_after": CIRCUIT_OPENS_AFTER,
                "first": _CIRCUIT_FIRST,
                "longest": _CIRCUIT_LONGEST,
            },
        )


def _as_json(attempts: Sequence[Attempt]) -> str:
    """Quicker to write than arrays, for which Python looks at every value several times."""
    return orjson.dumps(
        [
            {
                "id": one.claim.id,
                "workspace_id": one.claim.workspace_id,
                "attempt": one.claim.attempt,
                "started_at": one.started_at,
                "finished_at": one.finished_at,
                "outcome": one.outcome.value,
                "status": one.status,
                "error": one.error,
                "again_at": one.again_at,
            }
            for one in attempts
        ]
    ).decode()


def _claim(row: DictRow, carried: Sequence[Part]) -> Claim:
    return Claim(
        id=row["id"],
        workspace_id=row["workspace_id"],
        trigger_id=row["trigger_id"],
        kind=Kind(row["kind"]),
        recipient_id=row["recipient_id"],
        channel_id=row["channel_id"],
        channel_kind=ChannelKind(row["channel_kind"]),
        step=row["step"],
        severity=row["severity"],
        group_key=row["group_key"],
        payload=row["payload"],
        attempt=row["attempts"],
        due_at=row["due_at"],
        created_at=row["created_at"],
        email=row["email"] or "",
        recipient_name=row["recipient_name"] or "",
        config=row["config"] or {},
        sealed=None if row["secret"] is None else bytes(row["secret"]),
        channel_version=row["channel_version"],
        carried=carried,
        traceparent=row["traceparent"],
    )


def may_carry(row: DictRow) -> bool:
    """Whether others may be said by this one: it has a group, or is a digest."""
    return bool(row["group_key"]) or row["kind"] == Kind.DIGEST


async def carried_parts(connection: Connection, carriers: Sequence[UUID]) -> dict[UUID, list[Part]]:
    """What these messages say besides their own, by their ids."""
    found: dict[UUID, list[Part]] = defaultdict(list)
    if carriers:
        for row in await _fetch(connection, _CARRIED, (list(carriers),)):
            part = Part(Kind(row["kind"]), row["severity"], row["payload"])
            found[row["carried_by"]].append(part)
    return found


async def _fetch(
    connection: Connection, statement: str, parameters: Mapping[str, Any] | Sequence[Any]
) -> list[DictRow]:
    cursor = await connection.execute(cast("Any", statement), parameters)
    return await cursor.fetchall()
