"""The SQL of the engine: where rules stand, and what a batch has changed."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg import AsyncCursor
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from convex.alerts.model import Reason, Resolution, Rule, RuleState, Status
from convex.alerts.rule_store import RULE_COLUMNS, RULE_FROM, read_rule
from convex.db import Connection
from convex.metrics.arrays import Bigints, binding_cursor
from convex.metrics.model import IntArray, Labels, to_datetime, to_microseconds

StateKey = tuple[UUID, int]  # rule, series


@dataclass(frozen=True, slots=True)
class StoredState:
    """A state to be saved, of one rule (in this version) on one series."""

    rule: Rule
    series_id: int
    state: RuleState


def instant(microseconds: int | None) -> datetime | None:
    """None stays None."""
    return None if microseconds is None else to_datetime(microseconds)


def microseconds(moment: datetime | None) -> int | None:
    """None stays None."""
    return None if moment is None else to_microseconds(moment)


def number(value: float | None) -> float | str | None:
    """As JSON can hold it: PostgreSQL reads an infinity from text."""
    return value if value is None or math.isfinite(value) else str(value)


def records(rows: Sequence[Mapping[str, Any]]) -> Jsonb:
    """Rows as one parameter, for `jsonb_to_recordset`: an array for each column would cost most of
    what writing a few rows costs.
    """
    return Jsonb(rows, dumps=orjson.dumps)


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
    return await read_states(await ask_states(connection, workspace_id, series_ids), rules)


async def ask_states(
    connection: Connection, workspace_id: UUID, series_ids: IntArray
) -> AsyncCursor[DictRow]:
    """The first half of `load_states`; in a pipeline, the answer comes with it."""
    cursor = binding_cursor(connection)
    await cursor.execute(
        f"SELECT {_STATE_COLUMNS} {_STATE_FROM} WHERE s.workspace_id = %s"
        " AND s.series_id = ANY(%s)",
        (workspace_id, Bigints(series_ids)),
    )
    return cursor


async def read_states(
    asked: AsyncCursor[DictRow], rules: Collection[Rule]
) -> dict[StateKey, RuleState]:
    """The second half of `load_states`: where these rules stand."""
    versions = {rule.id: rule.version for rule in rules}
    return {
        (row["rule_id"], row["series_id"]): read_state(row, versions[row["rule_id"]])
        for row in await asked.fetchall()
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
    rows = [
        {
            "rule_id": one.rule.id,
            "series_id": one.series_id,
            "rule_version": one.rule.version,
            "state": one.state.status,
            "since": instant(one.state.since),
            "pending_since": instant(one.state.pending_since),
            "keep_firing_since": instant(one.state.keep_firing_since),
            "evaluated_at": instant(one.state.evaluated_at),
            "value": number(one.state.value),
            "reason": "" if one.state.reason is None else one.state.reason,
            "trigger_id": one.state.trigger_id,
            "resolved_at": instant(one.state.resolved_at),
            "milestone_reached": number(one.state.milestone_reached),
            "running_total": number(one.state.running_total),
            "recent_changes": one.state.recent_changes,
            "flapping_since": instant(one.state.flapping_since),
            "no_data_at": instant(one.state.no_data_at),
        }
        for one in states
    ]
    await connection.execute(
        "INSERT INTO convex.rule_states AS s (workspace_id, rule_id, series_id, rule_version,"
        " state, since, pending_since, keep_firing_since, evaluated_at, value, reason, trigger_id,"
        " resolved_at, milestone_reached, running_total, recent_changes, flapping_since,"
        " no_data_at)"
        " SELECT %s, w.* FROM jsonb_to_recordset(%s) AS w (rule_id uuid, series_id bigint,"
        " rule_version integer, state text, since timestamptz, pending_since timestamptz,"
        " keep_firing_since timestamptz, evaluated_at timestamptz, value float8, reason text,"
        " trigger_id uuid, resolved_at timestamptz, milestone_reached float8,"
        " running_total float8, recent_changes integer, flapping_since timestamptz,"
        " no_data_at timestamptz)"
        " ON CONFLICT (rule_id, series_id) DO UPDATE SET rule_version = excluded.rule_version,"
        " state = excluded.state, since = excluded.since, pending_since = excluded.pending_since,"
        " keep_firing_since = excluded.keep_firing_since, evaluated_at = excluded.evaluated_at,"
        " value = excluded.value, reason = excluded.reason, trigger_id = excluded.trigger_id,"
        " resolved_at = excluded.resolved_at, milestone_reached = excluded.milestone_reached,"
        " running_total = excluded.running_total, recent_changes = excluded.recent_changes,"
        " flapping_since = excluded.flapping_since, no_data_at = excluded.no_data_at,"
        " updated_at = now()",
        (workspace_id, records(rows)),
    )


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


async def series_of_rules(
    connection: Connection, workspace_id: UUID, rule_ids: Collection[UUID]
) -> list[int]:
    """The series on which any of these rules stands somewhere, in order."""
    rows = await connection.execute(
        "SELECT DISTINCT series_id FROM convex.rule_states"
        " WHERE workspace_id = %s AND rule_id = ANY(%s) ORDER BY series_id",
        (workspace_id, list(rule_ids)),
    )
    return [row["series_id"] for row in await rows.fetchall()]
