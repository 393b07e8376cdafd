"""The SQL by which evaluating a batch writes triggers, their transitions and live events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.alerts.joint import Member, Name
from convex.alerts.late import Known, Moved
from convex.alerts.measure import fire_limit
from convex.alerts.model import Reason, Resolution, Rule
from convex.alerts.states import instant, microseconds
from convex.db import Connection
from convex.metrics.model import Labels, to_datetime, to_microseconds


@dataclass(frozen=True, slots=True)
class TriggerChange:
    """What a batch adds to a trigger that exists; None leaves a column as it is."""

    trigger_id: UUID
    last_seen_at: int | None
    repeats: int
    suppressed: int
    historical: bool
    state: str | None
    resolved_at: int | None
    resolution: Resolution | None
    changes: int


@dataclass(frozen=True, slots=True)
class NewTrigger:
    """A trigger to be inserted, with the state that it has at the end of the batch."""

    trigger_id: UUID
    rule: Rule
    series_id: int
    fingerprint: str
    labels: Labels
    value: float | None
    reason: str
    context: dict[str, Any]
    confidence: int | None
    opened_at: int
    last_seen_at: int
    repeats: int
    suppressed: int
    historical: bool
    resolved_at: int | None
    resolution: Resolution | None
    changes: int


@dataclass(frozen=True, slots=True)
class NewTransition:
    """A transition to be appended, and whether somebody may be told."""

    trigger_id: UUID
    kind: str
    from_state: str | None
    to_state: str
    reason: Reason
    value: float | None
    at: int
    planned: bool


async def known_triggers(
    connection: Connection, workspace_id: UUID, ids: Collection[UUID], fingerprints: Collection[str]
) -> tuple[dict[UUID, int], dict[str, UUID]]:
    """Of these: the ids that exist with when they opened, and the open trigger of each fingerprint
    that has one.
    """
    rows = await connection.execute(
        "SELECT id, fingerprint, opened_at, state <> 'resolved' AS open FROM convex.alert_triggers"
        " WHERE workspace_id = %s AND (id = ANY(%s) OR (fingerprint = ANY(%s)"
        " AND state <> 'resolved'))",
        (workspace_id, list(ids), list(fingerprints)),
    )
    found = await rows.fetchall()
    wanted = set(ids)
    return (
        {row["id"]: to_microseconds(row["opened_at"]) for row in found if row["id"] in wanted},
        {row["fingerprint"]: row["id"] for row in found if row["open"]},
    )


async def known_episodes(
    connection: Connection, workspace_id: UUID, fingerprint: str
) -> list[Known]:
    """The triggers of a fingerprint; history that nobody has touched may be moved."""
    rows = await connection.execute(
        "SELECT id, opened_at, resolved_at, NOT historical OR acknowledged_at IS NOT NULL"
        " OR feedback IS NOT NULL OR resolved_by IS NOT NULL OR state <> 'resolved' AS settled"
        " FROM convex.alert_triggers WHERE workspace_id = %s AND fingerprint = %s"
        " ORDER BY opened_at",
        (workspace_id, fingerprint),
    )
    return [
        Known(
            row["id"],
            to_microseconds(row["opened_at"]),
            microseconds(row["resolved_at"]),
            row["settled"],
        )
        for row in await rows.fetchall()
    ]


async def insert_triggers(
    connection: Connection, workspace_id: UUID, triggers: Sequence[NewTrigger]
) -> None:
    """Insert triggers; the unique index on open fingerprints is the last guard."""
    await connection.execute(
        "INSERT INTO convex.alert_triggers (workspace_id, id, rule_id, framework_id, metric_id,"
        " series_id, fingerprint, rule_name, metric_name, type, severity, state, labels, value,"
        " threshold, reason, context, confidence, opened_at, last_seen_at, resolved_at, resolution,"
        " repeat_count, suppressed_count, historical, version)"
        " SELECT %s, w.* FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[],"
        " %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],"
        " %s::jsonb[], %s::float8[], %s::float8[], %s::text[], %s::jsonb[], %s::smallint[],"
        " %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::integer[],"
        " %s::integer[], %s::boolean[], %s::integer[]) AS w",
        (
            workspace_id,
            [one.trigger_id for one in triggers],
            [one.rule.id for one in triggers],
            [one.rule.framework_id for one in triggers],
            [one.rule.metric_id for one in triggers],
            [one.series_id for one in triggers],
            [one.fingerprint for one in triggers],
            [one.rule.name for one in triggers],
            [one.rule.metric for one in triggers],
            [one.rule.type.value for one in triggers],
            [one.rule.severity.value for one in triggers],
            ["firing" if one.resolved_at is None else "resolved" for one in triggers],
            [Jsonb(dict(one.labels)) for one in triggers],
            [one.value for one in triggers],
            [fire_limit(one.rule) for one in triggers],
            [one.reason for one in triggers],
            [Jsonb(one.context) for one in triggers],
            [one.confidence for one in triggers],
            [to_datetime(one.opened_at) for one in triggers],
            [to_datetime(one.last_seen_at) for one in triggers],
            [instant(one.resolved_at) for one in triggers],
            [one.resolution and one.resolution.value for one in triggers],
            [one.repeats for one in triggers],
            [one.suppressed for one in triggers],
            [one.historical for one in triggers],
            [one.changes for one in triggers],
        ),
    )


@dataclass(frozen=True, slots=True)
class Joint:
    """A joint trigger: the name of its framework, since when it is open, and whom it names."""

    framework: str
    opened_at: int
    members: list[Member]


async def known_members(
    connection: Connection, workspace_id: UUID, ids: Collection[UUID]
) -> dict[UUID, Joint]:
    """The joint triggers among these."""
    rows = await connection.execute(
        "SELECT t.id, f.name, t.opened_at, t.context -> 'members' AS members"
        " FROM convex.alert_triggers AS t"
        " INNER JOIN convex.frameworks AS f"
        " ON f.workspace_id = t.workspace_id AND f.id = t.framework_id"
        " WHERE t.workspace_id = %s AND t.id = ANY(%s) AND t.context ? 'members'",
        (workspace_id, list(ids)),
    )
    return {
        row["id"]: Joint(row["name"], to_microseconds(row["opened_at"]), row["members"])
        for row in await rows.fetchall()
    }


async def names_of_series(
    connection: Connection, workspace_id: UUID, series_ids: Collection[int]
) -> dict[int, Name]:
    """What these series are called."""
    rows = await connection.execute(
        "SELECT s.id, s.labels, m.name, m.unit FROM convex.series AS s"
        " INNER JOIN convex.metrics AS m ON m.workspace_id = s.workspace_id AND m.id = s.metric_id"
        " WHERE s.workspace_id = %s AND s.id = ANY(%s)",
        (workspace_id, sorted(series_ids)),
    )
    return {
        row["id"]: Name(row["name"], row["unit"], row["labels"]) for row in await rows.fetchall()
    }


async def tell_members(
    connection: Connection,
    workspace_id: UUID,
    told: Sequence[tuple[UUID, Sequence[Member], str]],
) -> None:
    """Put into triggers whom they name now, and the sentence that does."""
    await connection.execute(
        "UPDATE convex.alert_triggers AS t SET reason = w.reason, updated_at = now(),"
        " context = t.context || jsonb_build_object('members', w.members)"
        " FROM unnest(%s::uuid[], %s::jsonb[], %s::text[]) AS w (id, members, reason)"
        " WHERE t.workspace_id = %s AND t.id = w.id",
        (
            [trigger_id for trigger_id, _, _ in told],
            [Jsonb(list(members)) for _, members, _ in told],
            [reason for _, _, reason in told],
            workspace_id,
        ),
    )


async def change_triggers(
    connection: Connection, workspace_id: UUID, changes: Sequence[TriggerChange]
) -> None:
    """Add to triggers what a batch found. A change of state counts in `version`; repeats do not,
    so that a member who acts on what is shown is not refused because time went on.
    """
    await connection.execute(
        "UPDATE convex.alert_triggers AS t SET"
        " last_seen_at = greatest(t.last_seen_at, w.last_seen_at),"
        " repeat_count = t.repeat_count + w.repeats,"
        " suppressed_count = t.suppressed_count + w.suppressed, historical = w.historical,"
        " state = CASE WHEN w.state = 'firing' AND t.state = 'acknowledged' THEN t.state"
        " ELSE coalesce(w.state, t.state) END,"
        " resolved_at = CASE WHEN w.state IS NULL THEN t.resolved_at ELSE w.resolved_at END,"
        " resolution = CASE WHEN w.state IS NULL THEN t.resolution ELSE w.resolution END,"
        " resolved_by = CASE WHEN w.state IS NULL THEN t.resolved_by END,"
        " version = t.version + w.changes, updated_at = now()"
        " FROM unnest(%s::uuid[], %s::timestamptz[], %s::integer[], %s::integer[], %s::boolean[],"
        " %s::text[], %s::timestamptz[], %s::text[], %s::integer[]) AS w (id, last_seen_at,"
        " repeats, suppressed, historical, state, resolved_at, resolution, changes)"
        " WHERE t.workspace_id = %s AND t.id = w.id",
        (
            [one.trigger_id for one in changes],
            [instant(one.last_seen_at) for one in changes],
            [one.repeats for one in changes],
            [one.suppressed for one in changes],
            [one.historical for one in changes],
            [one.state for one in changes],
            [instant(one.resolved_at) for one in changes],
            [one.resolution and one.resolution.value for one in changes],
            [one.changes for one in changes],
            workspace_id,
        ),
    )


async def append_transitions(
    connection: Connection, workspace_id: UUID, transitions: Sequence[NewTransition]
) -> None:
    """Append to the history of triggers, and hand what somebody may be told to planning."""
    await connection.execute(
        "WITH w AS (SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[],"
        " %s::text[], %s::float8[], %s::timestamptz[], %s::boolean[]) WITH ORDINALITY"
        " AS w (trigger_id, kind, from_state, to_state, reason, value, at, planned, number)),"
        " new AS (INSERT INTO convex.trigger_transitions (workspace_id, trigger_id, kind,"
        " from_state, to_state, reason, value, at) SELECT %s, trigger_id, kind, from_state,"
        " to_state, reason, value, at FROM w ORDER BY number RETURNING id, trigger_id, kind, at)"
        " INSERT INTO convex.planning_queue (transition_id, workspace_id)"
        " SELECT new.id, %s FROM new INNER JOIN w ON w.trigger_id = new.trigger_id"
        " AND w.kind = new.kind AND w.at = new.at WHERE w.planned"
        " ON CONFLICT (transition_id) DO NOTHING",
        (
            [one.trigger_id for one in transitions],
            [one.kind for one in transitions],
            [one.from_state for one in transitions],
            [one.to_state for one in transitions],
            [one.reason.value for one in transitions],
            [one.value for one in transitions],
            [to_datetime(one.at) for one in transitions],
            [one.planned for one in transitions],
            workspace_id,
            workspace_id,
        ),
    )


async def move_ends(connection: Connection, workspace_id: UUID, moved: Sequence[Moved]) -> None:
    """Put imported triggers where they belong, and say so in their history."""
    columns = (
        [one.trigger_id for one in moved],
        [to_datetime(one.opened_at) for one in moved],
        [to_datetime(one.resolved_at) for one in moved],
        [to_datetime(one.last_seen_at) for one in moved],
        [one.repeats for one in moved],
    )
    await connection.execute(
        "WITH w AS (SELECT * FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[],"
        " %s::timestamptz[], %s::integer[])"
        " AS w (id, opened_at, resolved_at, last_seen_at, repeats)),"
        " told AS (INSERT INTO convex.trigger_transitions (workspace_id, trigger_id, kind,"
        " from_state, to_state, reason, at) SELECT %s, id, 'changed', 'resolved', 'resolved',"
        " 'history_completed', resolved_at FROM w)"
        " UPDATE convex.alert_triggers AS t SET opened_at = w.opened_at,"
        " resolved_at = w.resolved_at, last_seen_at = w.last_seen_at,"
        " repeat_count = w.repeats, version = t.version + 1,"
        " updated_at = now() FROM w WHERE t.workspace_id = %s AND t.id = w.id",
        (*columns, workspace_id, workspace_id),
    )


async def plan_promoted(
    connection: Connection, workspace_id: UUID, trigger_ids: Collection[UUID]
) -> None:
    """History opened these triggers, and they turned out to be true now: plan their opening."""
    await connection.execute(
        "INSERT INTO convex.planning_queue (transition_id, workspace_id)"
        " SELECT max(id), %s FROM convex.trigger_transitions WHERE workspace_id = %s"
        " AND trigger_id = ANY(%s) AND kind IN ('opened', 'reopened') GROUP BY trigger_id"
        " ON CONFLICT (transition_id) DO NOTHING",
        (workspace_id, workspace_id, list(trigger_ids)),
    )


async def append_live_events(
    connection: Connection,
    workspace_id: UUID,
    events: Sequence[tuple[UUID, dict[str, Any]]],
) -> int:
    """Append `alert` events of (framework, trigger); returns the last cursor. Call it last."""
    rows = await connection.execute(
        "SELECT convex.append_live_events(%s, %s, array_fill('alert'::text, ARRAY[%s::integer]),"
        " %s) AS cursor",
        (
            workspace_id,
            [framework_id for framework_id, _ in events],
            len(events),
            [Jsonb(data) for _, data in events],
        ),
    )
    row = await rows.fetchone()
    assert row is not None
    return int(row["cursor"])
