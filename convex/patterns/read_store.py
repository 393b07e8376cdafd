"""The SQL that reads patterns and runs for people. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import NotFound
from convex.patterns.model import State

_COLUMNS = (
    "p.id, p.framework_id, f.slug AS framework, p.rule_id, p.other_rule_id, p.type, p.fingerprint,"
    " p.title, p.frequency, p.period_seconds, p.confidence, p.support, p.p_value, p.evidence,"
    " p.state, p.runs_seen, p.first_seen_at, p.last_seen_at, p.last_occurrence_at,"
    " p.next_expected_at, cardinality(p.trigger_ids) AS triggers, p.updated_at"
)
_FROM = "FROM convex.alert_patterns AS p LEFT JOIN convex.frameworks AS f ON f.id = p.framework_id"


Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PatternFilters:
    """Which patterns; without `states`, those that are shown."""

    states: Sequence[str] = field(default=(State.NEW, State.ACTIVE, State.FADING))
    types: Sequence[str] = ()
    framework_id: UUID | None = None
    rule_id: UUID | None = None


async def list_patterns(
    connection: Connection,
    workspace_id: UUID,
    filters: PatternFilters,
    *,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Row]:
    """The most certain first. Raises `InvalidInput` for a cursor that is none."""
    after = decode_cursor(cursor, int, UUID)
    confidence, pattern_id = after if after is not None else (None, None)
    rows = await connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE p.workspace_id = %(workspace)s"
        " AND p.state = ANY(%(states)s) AND (p.state <> 'gone' OR p.runs_seen > 0)"
        " AND (%(types)s::text[] = '{}' OR p.type = ANY(%(types)s))"
        " AND (%(framework)s::uuid IS NULL OR p.framework_id = %(framework)s"
        " OR (SELECT o.framework_id FROM convex.alert_rules AS o WHERE o.id = p.other_rule_id)"
        " = %(framework)s)"
        " AND (%(rule)s::uuid IS NULL OR p.rule_id = %(rule)s OR p.other_rule_id = %(rule)s)"
        " AND (%(confidence)s::integer IS NULL"
        " OR (p.confidence, p.id) < (%(confidence)s::integer, %(id)s::uuid))"
        " ORDER BY p.confidence DESC, p.id DESC LIMIT %(limit)s",
        {
            "workspace": workspace_id,
            "states": list(filters.states),
            "types": list(filters.types),
            "framework": filters.framework_id,
            "rule": filters.rule_id,
            "confidence": confidence,
            "id": pattern_id,
            "limit": limit + 1,
        },
    )
    found: list[Row] = await rows.fetchall()
    more, found = len(found) > limit, found[:limit]
    last = found[-1] if more else None
    return Page(found, encode_cursor(last["confidence"], last["id"]) if last else None)


async def get_pattern(connection: Connection, workspace_id: UUID, pattern_id: UUID) -> Row:
    """One that was shown at some time. Raises `NotFound`."""
    rows = await connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE p.workspace_id = %s AND p.id = %s"
        " AND p.state <> 'candidate'",
        (workspace_id, pattern_id),
    )
    row = await rows.fetchone()
    if row is None:
        raise NotFound("There is no pattern with that id.")
    return row


async def list_trigger_ids(
    connection: Connection,
    workspace_id: UUID,
    pattern_id: UUID,
    *,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[UUID]:
    """The triggers behind a pattern, newest first; those that retention has taken are passed over.

    Raises `InvalidInput` for a cursor that is none.
    """
    after = decode_cursor(cursor, datetime, UUID)
    opened_at, trigger_id = after if after is not None else (None, None)
    rows = await connection.execute(
        "SELECT t.id, t.opened_at FROM convex.alert_patterns AS p"
        " INNER JOIN convex.alert_triggers AS t"
        " ON t.workspace_id = p.workspace_id AND t.id = ANY(p.trigger_ids)"
        " WHERE p.workspace_id = %s AND p.id = %s AND (%s::timestamptz IS NULL"
        " OR (t.opened_at, t.id) < (%s::timestamptz, %s::uuid))"
        " ORDER BY t.opened_at DESC, t.id DESC LIMIT %s",
        (workspace_id, pattern_id, opened_at, opened_at, trigger_id, limit + 1),
    )
    found = await rows.fetchall()
    more, found = len(found) > limit, found[:limit]
    last = found[-1] if more else None
    return Page(
        [row["id"] for row in found],
        encode_cursor(last["opened_at"].isoformat(), last["id"]) if last else None,
    )


async def find_advice(connection: Connection, workspace_id: UUID, fingerprint: str) -> Row | None:
    """The recommendation that follows from a pattern."""
    rows = await connection.execute(
        "SELECT id, title, action, actionability, effect, state FROM convex.recommendations"
        " WHERE workspace_id = %s AND fingerprint = %s",
        (workspace_id, f"pattern:{fingerprint}"),
    )
    return await rows.fetchone()


async def count_rule(
    connection: Connection, workspace_id: UUID, rule_id: UUID
) -> tuple[int, datetime] | None:
    """How many triggers a rule has, and since when it is known; None for no such rule."""
    rows = await connection.execute(
        "SELECT count(t.id) AS triggers, least(r.created_at, min(t.opened_at)) AS since"
        " FROM convex.alert_rules AS r LEFT JOIN convex.alert_triggers AS t ON t.rule_id = r.id"
        " WHERE r.workspace_id = %s AND r.id = %s AND r.deleted_at IS NULL GROUP BY r.created_at",
        (workspace_id, rule_id),
    )
    row = await rows.fetchone()
    return None if row is None else (row["triggers"], row["since"])


async def newest_run(connection: Connection, workspace_id: UUID) -> Row | None:
    """The last look at the workspace's history."""
    rows = await connection.execute(
        "SELECT id, as_of, triggers, episodes, rules, shown, tested, seconds, created_at"
        " FROM convex.pattern_runs WHERE workspace_id = %s ORDER BY as_of DESC LIMIT 1",
        (workspace_id,),
    )
    return await rows.fetchone()


async def save_run(
    connection: Connection,
    workspace_id: UUID,
    *,
    as_of: datetime,
    triggers: int,
    episodes: int,
    rules: int,
    shown: int,
    tested: Sequence[object],
    seconds: float,
) -> None:
    """Remember a run; those of more than 90 days ago go."""
    await connection.execute(
        "DELETE FROM convex.pattern_runs WHERE workspace_id = %s AND as_of < %s - interval '90 d'",
        (workspace_id, as_of),
    )
    await connection.execute(
        "INSERT INTO convex.pattern_runs"
        " (workspace_id, as_of, triggers, episodes, rules, shown, tested, seconds)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (workspace_id, as_of, triggers, episodes, rules, shown, Jsonb(list(tested)), seconds),
    )
