"""All SQL of patterns. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from convex.db import Connection
from convex.patterns.lifecycle import Life
from convex.patterns.model import NEVER, Finding, History, State, Subject
from convex.patterns.recommend import Recommendation
from convex.patterns.wall_clock import to_instant

# A row of COPY's binary format: number of fields, then each with its length before it.
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("subject_length", ">i4"),
        ("subject", ">i8"),
        ("opened_length", ">i4"),
        ("opened", ">i8"),
        ("resolved_length", ">i4"),
        ("resolved", ">i8"),
        ("id_length", ">i4"),
        ("id", "V16"),
    ]
)
_HEADER, _TRAILER = 19, 2
_YEAR_2000 = 946_684_800_000_000
MOST_TRIGGERS = 1000  # kept with a pattern: its newest

# A rule, or whatever goes by one name elsewhere.
_KEY = "coalesce(t.rule_id::text, t.source || ':' || t.framework_id || ':' || t.rule_name)"
_WATCHED = (
    "t.workspace_id = %(workspace)s AND t.opened_at > %(since)s AND t.opened_at <= %(until)s"
    " AND t.type <> 'milestone' AND (t.rule_id IS NULL OR r.deleted_at IS NULL)"
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A history, with the id of the trigger of each row as 16 bytes."""

    history: History
    ids: NDArray[np.void]

    def id_of(self, row: int) -> UUID:
        """The trigger of a row."""
        return UUID(bytes=self.ids[row].tobytes())


@dataclass(frozen=True, slots=True)
class Known:
    """A pattern that a run before has found."""

    id: UUID
    fingerprint: str
    life: Life


@dataclass(frozen=True, slots=True)
class Saved:
    """A pattern as it is written: what was found, and the life that follows."""

    finding: Finding
    life: Life
    trigger_ids: Sequence[UUID]


async def load_history(
    connection: Connection, workspace_id: UUID, zone: str, since: datetime, until: datetime
) -> Loaded:
    """Triggers opened in (since, until], by rule; deleted rules and milestones left out."""
    values = {"workspace": workspace_id, "since": since, "until": until}
    rows = await connection.execute(
        f"SELECT {_KEY} AS key, t.rule_id, (array_agg(t.framework_id))[1] AS framework_id,"
        " coalesce(max(r.name), max(t.rule_name)) AS name, max(f.slug) AS framework,"
        " coalesce(max(r.severity), max(t.severity)) AS severity,"
        " coalesce(min(r.created_at), min(t.opened_at)) AS created_at, min(t.opened_at) AS first_at"
        " FROM convex.alert_triggers AS t"
        " INNER JOIN convex.frameworks AS f ON f.id = t.framework_id"
        " LEFT JOIN convex.alert_rules AS r ON r.id = t.rule_id"
        f" WHERE {_WATCHED} GROUP BY 1, 2 ORDER BY 1",
        values,
    )
    subjects = [
        Subject(
            key=row["key"],
            name=row["name"],
            framework=row["framework"],
            framework_id=row["framework_id"],
            rule_id=row["rule_id"],
            severity=row["severity"],
            since=to_instant(
                max(since, min(row["created_at"] or row["first_at"], row["first_at"]))
            ),
        )
        for row in await rows.fetchall()
    ]
    async with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY (SELECT s.position - 1, t.opened_at, coalesce(t.resolved_at, 'infinity'), t.id"
            " FROM convex.alert_triggers AS t"
            " LEFT JOIN convex.alert_rules AS r ON r.id = t.rule_id"
            " INNER JOIN unnest(%(keys)s::text[]) WITH ORDINALITY AS s (key, position)"
            f" ON s.key = {_KEY} WHERE {_WATCHED}) TO STDOUT (FORMAT binary)",
            {**values, "keys": [subject.key for subject in subjects]},
        ) as copy,
    ):
        parts = [bytes(part) async for part in copy]
    table = np.frombuffer(b"".join(parts)[_HEADER:-_TRAILER], _ROW)
    resolved = table["resolved"].astype(np.int64)
    is_open = resolved == NEVER
    history = History(
        subjects,
        table["subject"].astype(np.int64),
        table["opened"].astype(np.int64) + _YEAR_2000,
        np.where(is_open, NEVER, np.where(is_open, 0, resolved) + _YEAR_2000),
        to_instant(until),
        zone,
    )
    return Loaded(history, table["id"])


async def lock(connection: Connection, workspace_id: UUID) -> None:
    """One run writes a workspace's patterns at a time; until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"patterns:{workspace_id}",)
    )


async def list_known(connection: Connection, workspace_id: UUID) -> dict[str, Known]:
    """Every pattern ever found, by fingerprint."""
    rows = await connection.execute(
        "SELECT id, fingerprint, state, runs_seen, first_seen_at, last_seen_at"
        " FROM convex.alert_patterns WHERE workspace_id = %s",
        (workspace_id,),
    )
    return {
        row["fingerprint"]: Known(
            row["id"],
            row["fingerprint"],
            Life(
                State(row["state"]),
                row["runs_seen"],
                row["first_seen_at"],
                row["last_seen_at"],
            ),
        )
        for row in await rows.fetchall()
    }


async def save_found(
    connection: Connection, workspace_id: UUID, saved: Sequence[Saved]
) -> dict[str, UUID]:
    """Write what a run found; the ids by fingerprint."""
    if not saved:
        return {}
    columns = list(zip(*map(_values, saved), strict=True))
    rows = await connection.execute(
        "INSERT INTO convex.alert_patterns (workspace_id, framework_id, rule_id, other_rule_id,"
        " type, fingerprint, title, frequency, period_seconds, confidence, support, p_value,"
        " evidence, state, runs_seen, first_seen_at, last_seen_at, last_occurrence_at,"
        " next_expected_at, trigger_ids)"
        " SELECT %s, n.framework_id, n.rule_id, n.other_rule_id, n.type, n.fingerprint, n.title,"
        " n.frequency, n.period_seconds, n.confidence, n.support, n.p_value, n.evidence, n.state,"
        " n.runs_seen, n.first_seen_at, n.last_seen_at, n.last_occurrence_at, n.next_expected_at,"
        " n.trigger_ids::uuid[] FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[],"
        " %s::text[], %s::text[], %s::text[], %s::float8[], %s::smallint[], %s::integer[],"
        " %s::float8[], %s::jsonb[], %s::text[], %s::integer[], %s::timestamptz[],"
        " %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::text[])"
        " AS n (framework_id, rule_id, other_rule_id, type, fingerprint, title, frequency,"
        " period_seconds, confidence, support, p_value, evidence, state, runs_seen, first_seen_at,"
        " last_seen_at, last_occurrence_at, next_expected_at, trigger_ids)"
        " ON CONFLICT (workspace_id, fingerprint) DO UPDATE SET"
        " framework_id = excluded.framework_id, title = excluded.title,"
        " frequency = excluded.frequency, period_seconds = excluded.period_seconds,"
        " confidence = excluded.confidence, support = excluded.support,"
        " p_value = excluded.p_value, evidence = excluded.evidence, state = excluded.state,"
        " runs_seen = excluded.runs_seen, first_seen_at = excluded.first_seen_at,"
        " last_seen_at = excluded.last_seen_at, last_occurrence_at = excluded.last_occurrence_at,"
        " next_expected_at = excluded.next_expected_at, trigger_ids = excluded.trigger_ids,"
        " updated_at = now()"
        " RETURNING id, fingerprint",
        (workspace_id, *map(list, columns)),
    )
    return {row["fingerprint"]: row["id"] for row in await rows.fetchall()}


async def save_missed(connection: Connection, lives: Mapping[UUID, Life]) -> None:
    """Patterns that this run did not find: their lives go on, their evidence stays as it was."""
    await connection.execute(
        "UPDATE convex.alert_patterns AS p SET state = n.state, runs_seen = n.runs_seen,"
        " next_expected_at = CASE WHEN n.state = 'gone' THEN NULL ELSE p.next_expected_at END,"
        " updated_at = now()"
        " FROM unnest(%s::uuid[], %s::text[], %s::integer[]) AS n (id, state, runs_seen)"
        " WHERE p.id = n.id AND (p.state, p.runs_seen) IS DISTINCT FROM (n.state, n.runs_seen)",
        (
            list(lives),
            [life.state.value for life in lives.values()],
            [life.runs_seen for life in lives.values()],
        ),
    )


async def save_recommendations(
    connection: Connection, workspace_id: UUID, found: Sequence[tuple[Recommendation, Finding]]
) -> int:
    """Write what follows from patterns, once each; how many are new or say something new.

    What somebody has decided about stays as it is.
    """
    if not found:
        return 0
    rows = await connection.execute(
        "INSERT INTO convex.recommendations (workspace_id, framework_id, rule_id, origin, title,"
        " action, actionability, evidence, effect, fingerprint)"
        " SELECT %s, n.framework_id, n.rule_id, 'pattern', n.title, n.action, n.actionability,"
        " n.evidence, n.effect, n.fingerprint FROM unnest(%s::uuid[], %s::uuid[], %s::text[],"
        " %s::jsonb[], %s::smallint[], %s::jsonb[], %s::jsonb[], %s::text[]) AS n (framework_id,"
        " rule_id, title, action, actionability, evidence, effect, fingerprint)"
        " ON CONFLICT (workspace_id, fingerprint) DO UPDATE SET title = excluded.title,"
        " action = excluded.action, actionability = excluded.actionability,"
        " evidence = excluded.evidence, effect = excluded.effect, state = 'open', note = '',"
        " decided_at = NULL, version = recommendations.version + 1, updated_at = now()"
        " WHERE (recommendations.state = 'open' AND (recommendations.title, recommendations.action)"
        " IS DISTINCT FROM (excluded.title, excluded.action))"
        " OR (recommendations.state = 'dismissed' AND recommendations.decided_by IS NULL)",
        (
            workspace_id,
            [finding.subject.framework_id for _, finding in found],
            [finding.subject.rule_id for _, finding in found],
            [one.title for one, _ in found],
            [_json(one.action) for one, _ in found],
            [one.actionability for one, _ in found],
            [_json(one.evidence) for one, _ in found],
            [_json(one.effect) for one, _ in found],
            [one.fingerprint for one, _ in found],
        ),
    )
    return rows.rowcount


async def withdraw_recommendations(
    connection: Connection, workspace_id: UUID, fingerprints: Sequence[str], now: datetime
) -> None:
    """The patterns behind these are gone: what is still open is dismissed by nobody."""
    await connection.execute(
        "UPDATE convex.recommendations SET state = 'dismissed', decided_at = %s,"
        " note = 'The pattern behind it is gone.', version = version + 1, updated_at = now()"
        " WHERE workspace_id = %s AND state = 'open' AND fingerprint = ANY(%s)",
        (now, workspace_id, list(fingerprints)),
    )


async def append_events(
    connection: Connection, workspace_id: UUID, events: Sequence[tuple[UUID | None, str]]
) -> int | None:
    """Live events of new patterns; the newest cursor. Call this last in a transaction."""
    if not events:
        return None
    rows = await connection.execute(
        "SELECT convex.append_live_events(%s, %s::uuid[], %s::text[], %s::jsonb[]) AS cursor",
        (
            workspace_id,
            [framework for framework, _ in events],
            ["pattern"] * len(events),
            [data for _, data in events],
        ),
    )
    row = await rows.fetchone()
    return None if row is None else int(row["cursor"])


def _values(saved: Saved) -> tuple[Any, ...]:
    finding, life = saved.finding, saved.life
    return (
        finding.subject.framework_id,
        finding.subject.rule_id,
        finding.other.rule_id if finding.other else None,
        finding.type.value,
        finding.fingerprint,
        finding.title,
        finding.frequency.value,
        finding.period_seconds,
        finding.confidence,
        finding.support,
        finding.p_value,
        _json(finding.evidence),
        life.state.value,
        life.runs_seen,
        life.first_seen_at,
        life.last_seen_at,
        finding.last_occurrence_at,
        finding.next_expected_at,
        "{" + ",".join(str(one) for one in saved.trigger_ids) + "}",
    )


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
