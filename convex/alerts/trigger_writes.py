"""The SQL by which evaluating a batch writes triggers, their transitions and live events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb

from convex.alerts.joint import Member, Name
from convex.alerts.late import Known, Moved
from convex.alerts.measure import fire_limit
from convex.alerts.model import Reason, Resolution, Rule
from convex.alerts.states import instant, microseconds, number, records
from convex.db import Connection, say_last
from convex.live import LiveEvent
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
        " SELECT %s, w.* FROM jsonb_to_recordset(%s) AS w (id uuid, rule_id uuid,"
        " framework_id uuid, metric_id uuid, series_id bigint, fingerprint text, rule_name text,"
        " metric_name text, type text, severity text, state text, labels jsonb, value float8,"
        " threshold float8, reason text, context jsonb, confidence smallint,"
        " opened_at timestamptz, last_seen_at timestamptz, resolved_at timestamptz,"
        " resolution text, repeat_count integer, suppressed_count integer, historical boolean,"
        " version integer)",
        (workspace_id, records([_row(one) for one in triggers])),
    )


def _row(one: NewTrigger) -> dict[str, Any]:
    return {
        "id": one.trigger_id,
        "rule_id": one.rule.id,
        "framework_id": one.rule.framework_id,
        "metric_id": one.rule.metric_id,
        "series_id": one.series_id,
        "fingerprint": one.fingerprint,
        "rule_name": one.rule.name,
        "metric_name": one.rule.metric,
        "type": one.rule.type,
        "severity": one.rule.severity,
        "state": "firing" if one.resolved_at is None else "resolved",
        "labels": dict(one.labels),
        "value": number(one.value),
        "threshold": number(fire_limit(one.rule)),
        "reason": one.reason,
        "context": one.context,
        "confidence": one.confidence,
        "opened_at": to_datetime(one.opened_at),
        "last_seen_at": to_datetime(one.last_seen_at),
        "resolved_at": instant(one.resolved_at),
        "resolution": one.resolution,
        "repeat_count": one.repeats,
        "suppressed_count": one.suppressed,
        "historical": one.historical,
        "version": one.changes,
    }


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
        "WITH w AS (SELECT * FROM jsonb_to_recordset(%s) AS w (number integer,"
        " trigger_id uuid, kind text, from_state text, to_state text, reason text, value float8,"
        " at timestamptz, planned boolean)),"
        " new AS (INSERT INTO convex.trigger_transitions (workspace_id, trigger_id, kind,"
        " from_state, to_state, reason, value, at) SELECT %s, trigger_id, kind, from_state,"
        " to_state, reason, value, at FROM w ORDER BY number RETURNING id, trigger_id, kind, at)"
        " INSERT INTO convex.planning_queue (transition_id, workspace_id)"
        " SELECT new.id, %s FROM new INNER JOIN w ON w.trigger_id = new.trigger_id"
        " AND w.kind = new.kind AND w.at = new.at WHERE w.planned"
        " ON CONFLICT (transition_id) DO NOTHING",
        (
            records(
                [
                    {
                        "number": position,
                        "trigger_id": one.trigger_id,
                        "kind": one.kind,
                        "from_state": one.from_state,
                        "to_state": one.to_state,
                        "reason": one.reason,
                        "value": number(one.value),
                        "at": to_datetime(one.at),
                        "planned": one.planned,
                    }
                    for position, one in enumerate(transitions)
                ]
            ),
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


_APPEND = (
    "SELECT convex.append_live_events(%s, %s, array_fill('alert'::text, ARRAY[%s::integer]),"
    " ARRAY(SELECT jsonb_array_elements(%s))) AS cursor, now() AS at"
)


async def append_live_events(
    connection: Connection,
    workspace_id: UUID,
    events: Sequence[tuple[UUID, dict[str, Any]]],
) -> int:
    """Append `alert` events of (framework, trigger); returns the last cursor. Call it last."""
    frameworks, data = [framework_id for framework_id, _ in events], [one for _, one in events]
    rows = await connection.execute(_APPEND, (workspace_id, frameworks, len(events), records(data)))
    row = await rows.fetchone()
    assert row is not None
    return int(row["cursor"])


def append_events_last(
    connection: Connection,
    workspace_id: UUID,
    events: Sequence[tuple[UUID, dict[str, Any]]],
    take: Callable[[list[LiveEvent]], None],
) -> None:
    """The same, but with the commit: cursors are given out one transaction after the other, so
    nobody shall wait for longer than that. `take` gets what was appended, once it is committed.
    """
    frameworks, data = [framework_id for framework_id, _ in events], [one for _, one in events]

    def appended(row: Mapping[str, Any]) -> None:
        first = row["cursor"] - len(events) + 1
        take(
            [
                LiveEvent(
                    first + number,
                    "alert",
                    one,
                    None,
                    orjson.dumps(data[number]).decode(),
                    row["at"],
                )
                for number, one in enumerate(frameworks)
            ]
        )

    parameters = (workspace_id, frameworks, len(events), records(data))
    say_last(connection, _APPEND, parameters, appended)
