"""The SQL of triggers that no rule of ours evaluates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.alerts.model import Reason, Resolution
from convex.db import Connection


@dataclass(frozen=True, slots=True)
class Known:
    """The newest trigger of a fingerprint."""

    id: UUID
    fingerprint: str
    framework_id: UUID
    state: str
    severity: str
    reason: str
    opened_at: datetime
    resolved_at: datetime | None
    by_hand: bool

    @property
    def is_open(self) -> bool:
        """Firing or acknowledged."""
        return self.state != "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A trigger as it is to stand. A resolved one keeps what it said; `kind`: its transition.

    `shown`: whether anything changed that a member sees.
    """

    id: UUID
    framework_id: UUID
    fingerprint: str
    state: str
    from_state: str | None
    kind: str | None
    why: Reason
    shown: bool
    at: datetime
    source: str = ""
    name: str = ""
    type: str = ""
    severity: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    value: float | None = None
    threshold: float | None = None
    reason: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    opened_at: datetime | None = None
    last_seen_at: datetime | None = None
    is_new: bool = False
    resolution: str | None = None


_KNOWN = """
SELECT DISTINCT ON (fingerprint) id, fingerprint, framework_id, state, severity, reason, opened_at,
    resolved_at, coalesce(resolution = %(by_hand)s, false) AS by_hand
FROM convex.alert_triggers
WHERE workspace_id = %(workspace)s AND fingerprint = ANY (%(fingerprints)s)
ORDER BY fingerprint, (state <> 'resolved') DESC, opened_at DESC, created_at DESC
"""
# Not by the statement's own clock: what is overdue is decided at the caller's `now`.
_OVERDUE = """
SELECT id, fingerprint, framework_id, state, severity, reason, opened_at, resolved_at,
    false AS by_hand
FROM convex.alert_triggers
WHERE workspace_id = %(workspace)s AND state <> 'resolved' AND source <> 'rule'
    AND (context ->> 'expires_at')::timestamptz <= %(now)s
ORDER BY opened_at
"""
_INSERT = """
INSERT INTO convex.alert_triggers (
    workspace_id, id, framework_id, fingerprint, source, rule_name, type, severity, state, labels,
    value, threshold, reason, context, opened_at, last_seen_at
)
SELECT %s, w.*
FROM unnest(
    %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::jsonb[], %s::float8[], %s::float8[], %s::text[], %s::jsonb[], %s::timestamptz[],
    %s::timestamptz[]
) AS w
"""
_REFRESH = """
UPDATE convex.alert_triggers AS t
SET rule_name = w.name, severity = w.severity, state = w.state, labels = w.labels, value = w.value,
    threshold = w.threshold, reason = w.reason, context = w.context, last_seen_at = w.last_seen_at,
    resolved_at = NULL, resolution = NULL, resolved_by = NULL,
    acknowledged_at = CASE w.state WHEN 'acknowledged' THEN t.acknowledged_at END,
    acknowledged_by = CASE w.state WHEN 'acknowledged' THEN t.acknowledged_by END,
    repeat_count = t.repeat_count + 1, version = t.version + w.shown::integer, updated_at = now()
FROM unnest(
    %s::uuid[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::float8[], %s::float8[],
    %s::text[], %s::jsonb[], %s::timestamptz[], %s::boolean[]
) AS w (id, name, severity, state, labels, value, threshold, reason, context, last_seen_at, shown)
WHERE t.workspace_id = %s AND t.id = w.id
"""
_RESOLVE = """
UPDATE convex.alert_triggers AS t
SET state = 'resolved', resolved_at = w.at, resolution = w.resolution, resolved_by = NULL,
    version = t.version + 1, updated_at = now()
FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[]) AS w (id, at, resolution)
WHERE t.workspace_id = %s AND t.id = w.id
"""


async def newest_of(
    connection: Connection, workspace_id: UUID, fingerprints: Sequence[str]
) -> dict[str, Known]:
    """The open trigger of each fingerprint, else the last one, where there is any."""
    cursor = await connection.execute(
        _KNOWN,
        {
            "workspace": workspace_id,
            "fingerprints": list(fingerprints),
            "by_hand": Resolution.BY_HAND.value,
        },
    )
    return {row["fingerprint"]: Known(**row) for row in await cursor.fetchall()}


async def overdue(connection: Connection, workspace_id: UUID, now: datetime) -> list[Known]:
    """Open triggers whose last report holds no longer."""
    cursor = await connection.execute(_OVERDUE, {"workspace": workspace_id, "now": now})
    return [Known(**row) for row in await cursor.fetchall()]


async def own_framework(connection: Connection, workspace_id: UUID) -> UUID:
    """The workspace's own framework (slug `convex`), made when it is not there."""
    cursor = await connection.execute("SELECT convex.own_framework(%s) AS id", (workspace_id,))
    row = await cursor.fetchone()
    assert row is not None
    found: UUID = row["id"]
    return found


async def save(connection: Connection, workspace_id: UUID, triggers: Sequence[Written]) -> None:
    """Insert, refresh or resolve them. What ends comes first."""
    ended = [one for one in triggers if one.state == "resolved"]
    firing = [one for one in triggers if one.state != "resolved"]
    new = [one for one in firing if one.is_new]
    old = [one for one in firing if not one.is_new]
    if ended:
        await connection.execute(
            _RESOLVE,
            (
                [one.id for one in ended],
                [one.at for one in ended],
                [one.resolution for one in ended],
                workspace_id,
            ),
        )
    if old:
        await connection.execute(_REFRESH, (*_refreshed(old), workspace_id))
    if new:
        await connection.execute(_INSERT, (workspace_id, *_inserted(new)))


def _refreshed(rows: Sequence[Written]) -> tuple[list[Any], ...]:
    return (
        [one.id for one in rows],
        [one.name for one in rows],
        [one.severity for one in rows],
        [one.state for one in rows],
        [Jsonb(dict(one.labels)) for one in rows],
        [one.value for one in rows],
        [one.threshold for one in rows],
        [one.reason for one in rows],
        [Jsonb(dict(one.context)) for one in rows],
        [one.last_seen_at for one in rows],
        [one.shown for one in rows],
    )


def _inserted(rows: Sequence[Written]) -> tuple[list[Any], ...]:
    return (
        [one.id for one in rows],
        [one.framework_id for one in rows],
        [one.fingerprint for one in rows],
        [one.source for one in rows],
        [one.name for one in rows],
        [one.type for one in rows],
        [one.severity for one in rows],
        [one.state for one in rows],
        [Jsonb(dict(one.labels)) for one in rows],
        [one.value for one in rows],
        [one.threshold for one in rows],
        [one.reason for one in rows],
        [Jsonb(dict(one.context)) for one in rows],
        [one.opened_at for one in rows],
        [one.last_seen_at for one in rows],
    )
