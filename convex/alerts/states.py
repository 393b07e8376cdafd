"""The SQL of the engine: which rules apply, where they stand, and what a batch has changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.alerts.late import Known, Moved
from convex.alerts.measure import fire_limit
from convex.alerts.model import Reason, Resolution, Rule, RuleState, Status
from convex.alerts.rule_store import RULE_COLUMNS, RULE_FROM, read_rule
from convex.db import Connection
from convex.metrics.arrays import Uuids, array_cursor
from convex.metrics.model import IntArray, Labels, to_datetime, to_microseconds

StateKey = tuple[UUID, int]  # rule, series

_rules: dict[UUID, tuple[tuple[int, int], Rule]] = {}  # by id, with the versions they were read at
_MOST_RULES = 50_000


@dataclass(frozen=True, slots=True)
class StoredState:
    """A state to be saved, of one rule (in this version) on one series."""

    rule: Rule
    series_id: int
    state: RuleState


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


def instant(microseconds: int | None) -> datetime | None:
    """None stays None."""
    return None if microseconds is None else to_datetime(microseconds)


def microseconds(moment: datetime | None) -> int | None:
    """None stays None."""
    return None if moment is None else to_microseconds(moment)


async def active_rules(
    connection: Connection, workspace_id: UUID, metric_ids: Collection[UUID]
) -> dict[UUID, list[Rule]]:
    """The enabled rules of each metric, in the order of their ids.

    A process keeps rules as it read them; each change of a rule or of its metric has another
    version, which is asked for every time, so that what is kept is never out of date.
    """
    cursor = array_cursor(connection)
    await cursor.execute(
        "SELECT r.id, r.version, m.version FROM convex.alert_rules AS r"
        " INNER JOIN convex.metrics AS m ON m.workspace_id = r.workspace_id AND m.id = r.metric_id"
        " WHERE r.workspace_id = %s AND r.metric_id = ANY(%s) AND r.enabled"
        " AND r.deleted_at IS NULL ORDER BY r.id",
        (workspace_id, Uuids(list(metric_ids))),
    )
    found = {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}
    unknown = [
        rule_id
        for rule_id, versions in found.items()
        if (kept := _rules.get(rule_id)) is None or kept[0] != versions
    ]
    if unknown:
        if len(_rules) > _MOST_RULES:
            _rules.clear()
        rows = await connection.execute(
            f"SELECT {RULE_COLUMNS} {RULE_FROM} WHERE r.id = ANY(%s)", (unknown,)
        )
        for row in await rows.fetchall():
            _rules[row["id"]] = (found[row["id"]], read_rule(row))
    rules: dict[UUID, list[Rule]] = {}
    for rule_id in found:
        rule = _rules[rule_id][1]
        rules.setdefault(rule.metric_id, []).append(rule)
    return rules


_STATE_COLUMNS = (
    "s.rule_id, s.series_id, s.rule_version, s.state, s.since, s.pending_since,"
    " s.keep_firing_since, s.evaluated_at, s.value, s.reason, s.trigger_id, s.resolved_at,"
    " s.milestone_reached, s.running_total, s.recent_changes, s.flapping_since, s.no_data_at,"
    " t.state AS trigger_state, t.historical, t.resolution"
)
_STATE_FROM = (
    "FROM convex.rule_states AS s LEFT JOIN convex.alert_triggers AS t"
    " ON t.workspace_id = s.workspace_id AND t.id = s.trigger_id"
)


def read_state(row: dict[str, Any], version: int) -> RuleState:
    """A row as a state for the rule's `version`: of another version, it is outdated."""
    return RuleState(
        status=Status(row["state"]),
        since=microseconds(row["since"]),
        pending_since=microseconds(row["pending_since"]),
        keep_firing_since=microseconds(row["keep_firing_since"]),
        evaluated_at=microseconds(row["evaluated_at"]),
        value=row["value"],
        reason=Reason(row["reason"]) if row["reason"] else None,
        trigger_id=row["trigger_id"],
        trigger_open=row["trigger_state"] in ("firing", "acknowledged"),
        acknowledged=row["trigger_state"] == "acknowledged",
        historical=bool(row["historical"]),
        resolved_at=microseconds(row["resolved_at"]),
        resolved_by_hand=row["resolution"] == Resolution.BY_HAND,
        milestone_reached=row["milestone_reached"],
        running_total=row["running_total"],
        recent_changes=row["recent_changes"],
        flapping_since=microseconds(row["flapping_since"]),
        no_data_at=microseconds(row["no_data_at"]),
        outdated=row["rule_version"] != version,
    )


async def load_states(
    connection: Connection, workspace_id: UUID, rules: Collection[Rule], series_ids: IntArray
) -> dict[StateKey, RuleState]:
    """Where these rules stand on these series, whose rows the caller has locked."""
    versions = {rule.id: rule.version for rule in rules}
    rows = await connection.execute(
        f"SELECT {_STATE_COLUMNS} {_STATE_FROM} WHERE s.workspace_id = %s"
        " AND s.series_id = ANY(%s)",
        (workspace_id, series_ids.tolist()),
    )
    return {
        (row["rule_id"], row["series_id"]): read_state(row, versions[row["rule_id"]])
        for row in await rows.fetchall()
        if row["rule_id"] in versions
    }


async def lock_fingerprints(connection: Connection, fingerprints: Sequence[str]) -> None:
    """Until the end of the transaction nobody else acts on what these alerts are about.

    Taken after the locks on series, in one order.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(f, 0))"
        " FROM (SELECT f FROM unnest(%s::text[]) AS f ORDER BY f) AS ordered",
        (sorted(fingerprints),),
    )


async def overdue(
    connection: Connection, workspace_id: UUID, now: datetime, *, limit: int
) -> dict[StateKey, Labels]:
    """The rules that watch for silence, on series silent for longer than they allow."""
    rows = await connection.execute(
        "SELECT s.rule_id, s.series_id, e.labels FROM convex.rule_states AS s"
        " INNER JOIN convex.alert_rules AS r"
        " ON r.workspace_id = s.workspace_id AND r.id = s.rule_id"
        " INNER JOIN convex.series AS e ON e.workspace_id = s.workspace_id AND e.id = s.series_id"
        " WHERE s.workspace_id = %s AND s.no_data_at IS NULL AND s.evaluated_at IS NOT NULL"
        " AND s.rule_version = r.version AND r.enabled AND r.deleted_at IS NULL"
        " AND r.no_data <> 'keep' AND r.no_data_after_seconds > 0 AND e.ended_at IS NULL"
        " AND e.newest_at < %s - make_interval(secs => r.no_data_after_seconds)"
        " ORDER BY e.newest_at LIMIT %s",
        (workspace_id, now, limit),
    )
    return {(row["rule_id"], row["series_id"]): row["labels"] for row in await rows.fetchall()}


async def orphans(connection: Connection, workspace_id: UUID) -> list[StateKey]:
    """States whose trigger is open although their rule is disabled or deleted."""
    rows = await connection.execute(
        "SELECT s.rule_id, s.series_id FROM convex.alert_triggers AS t"
        " INNER JOIN convex.rule_states AS s"
        " ON s.workspace_id = t.workspace_id AND s.rule_id = t.rule_id AND s.trigger_id = t.id"
        " INNER JOIN convex.alert_rules AS r"
        " ON r.workspace_id = s.workspace_id AND r.id = s.rule_id"
        " WHERE t.workspace_id = %s AND t.state <> 'resolved'"
        " AND (NOT r.enabled OR r.deleted_at IS NOT NULL)",
        (workspace_id,),
    )
    return [(row["rule_id"], row["series_id"]) for row in await rows.fetchall()]


async def rules_by_id(
    connection: Connection, workspace_id: UUID, rule_ids: Collection[UUID]
) -> dict[UUID, Rule]:
    """These rules as they are now, deleted ones too."""
    rows = await connection.execute(
        f"SELECT {RULE_COLUMNS} {RULE_FROM} WHERE r.workspace_id = %s AND r.id = ANY(%s)",
        (workspace_id, list(rule_ids)),
    )
    return {row["id"]: read_rule(row) for row in await rows.fetchall()}


async def load_groups(
    connection: Connection, workspace_id: UUID, rules: Collection[Rule]
) -> dict[StateKey, tuple[RuleState, Labels]]:
    """Where these rules stand on all their series, with the series' labels."""
    versions = {rule.id: rule.version for rule in rules}
    rows = await connection.execute(
        f"SELECT {_STATE_COLUMNS}, e.labels {_STATE_FROM} INNER JOIN convex.series AS e"
        " ON e.workspace_id = s.workspace_id AND e.id = s.series_id"
        " WHERE s.workspace_id = %s AND s.rule_id = ANY(%s)",
        (workspace_id, list(versions)),
    )
    return {
        (row["rule_id"], row["series_id"]): (
            read_state(row, versions[row["rule_id"]]),
            row["labels"],
        )
        for row in await rows.fetchall()
    }


async def save_states(
    connection: Connection, workspace_id: UUID, states: Sequence[StoredState]
) -> None:
    """Write where rules stand now."""
    columns: list[list[Any]] = [
        [one.rule.id for one in states],
        [one.series_id for one in states],
        [one.rule.version for one in states],
        [one.state.status.value for one in states],
        [instant(one.state.since) for one in states],
        [instant(one.state.pending_since) for one in states],
        [instant(one.state.keep_firing_since) for one in states],
        [instant(one.state.evaluated_at) for one in states],
        [one.state.value for one in states],
        ["" if one.state.reason is None else one.state.reason.value for one in states],
        [one.state.trigger_id for one in states],
        [instant(one.state.resolved_at) for one in states],
        [one.state.milestone_reached for one in states],
        [one.state.running_total for one in states],
        [one.state.recent_changes for one in states],
        [instant(one.state.flapping_since) for one in states],
        [instant(one.state.no_data_at) for one in states],
    ]
    await connection.execute(
        "INSERT INTO convex.rule_states AS s (workspace_id, rule_id, series_id, rule_version,"
        " state, since, pending_since, keep_firing_since, evaluated_at, value, reason, trigger_id,"
        " resolved_at, milestone_reached, running_total, recent_changes, flapping_since,"
        " no_data_at)"
        " SELECT %s, w.* FROM unnest(%s::uuid[], %s::bigint[], %s::integer[], %s::text[],"
        " %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],"
        " %s::float8[], %s::text[], %s::uuid[], %s::timestamptz[], %s::float8[], %s::float8[],"
        " %s::integer[], %s::timestamptz[], %s::timestamptz[]) AS w"
        " ON CONFLICT (rule_id, series_id) DO UPDATE SET rule_version = excluded.rule_version,"
        " state = excluded.state, since = excluded.since, pending_since = excluded.pending_since,"
        " keep_firing_since = excluded.keep_firing_since, evaluated_at = excluded.evaluated_at,"
        " value = excluded.value, reason = excluded.reason, trigger_id = excluded.trigger_id,"
        " resolved_at = excluded.resolved_at, milestone_reached = excluded.milestone_reached,"
        " running_total = excluded.running_total, recent_changes = excluded.recent_changes,"
        " flapping_since = excluded.flapping_since, no_data_at = excluded.no_data_at,"
        " updated_at = now()",
        (workspace_id, *columns),
    )


async def known_triggers(
    connection: Connection, workspace_id: UUID, ids: Collection[UUID], fingerprints: Collection[str]
) -> tuple[set[UUID], dict[str, UUID]]:
    """Of these: the ids that exist, and the open trigger of each fingerprint that has one."""
    rows = await connection.execute(
        "SELECT id, fingerprint, state <> 'resolved' AS open FROM convex.alert_triggers"
        " WHERE workspace_id = %s AND (id = ANY(%s) OR (fingerprint = ANY(%s)"
        " AND state <> 'resolved'))",
        (workspace_id, list(ids), list(fingerprints)),
    )
    found = await rows.fetchall()
    wanted = set(ids)
    return (
        {row["id"] for row in found if row["id"] in wanted},
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


async def insert_triggers(
    connection: Connection, workspace_id: UUID, triggers: Sequence[NewTrigger]
) -> None:
    """Insert triggers; the unique index on open fingerprints is the last guard."""
    await connection.execute(
        "INSERT INTO convex.alert_triggers (workspace_id, id, rule_id, framework_id, metric_id,"
        " series_id, fingerprint, rule_name, metric_name, type, severity, state, labels, value,"
        " threshold, reason, context, opened_at, last_seen_at, resolved_at, resolution,"
        " repeat_count, suppressed_count, historical, version)"
        " SELECT %s, w.* FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[],"
        " %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],"
        " %s::jsonb[], %s::float8[], %s::float8[], %s::text[], %s::jsonb[], %s::timestamptz[],"
        " %s::timestamptz[], %s::timestamptz[], %s::text[], %s::integer[], %s::integer[],"
        " %s::boolean[], %s::integer[]) AS w",
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


async def carry_states(
    connection: Connection, workspace_id: UUID, rule_id: UUID, version: int
) -> None:
    """The rule got another version that decides the same: its states go on as they are."""
    await connection.execute(
        "UPDATE convex.rule_states SET rule_version = %s + 1"
        " WHERE workspace_id = %s AND rule_id = %s AND rule_version = %s",
        (version, workspace_id, rule_id, version),
    )


async def series_of_rule(
    connection: Connection, workspace_id: UUID, rule_id: UUID
) -> dict[int, Labels]:
    """The series on which the rule stands somewhere, with their labels."""
    rows = await connection.execute(
        "SELECT e.id, e.labels FROM convex.rule_states AS s INNER JOIN convex.series AS e"
        " ON e.workspace_id = s.workspace_id AND e.id = s.series_id"
        " WHERE s.workspace_id = %s AND s.rule_id = %s",
        (workspace_id, rule_id),
    )
    return {row["id"]: row["labels"] for row in await rows.fetchall()}
