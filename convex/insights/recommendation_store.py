"""The SQL of recommendations. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import NotFound
from convex.insights.recommendation import Origin, Proposal, Recommendation, State, priority

_COLUMNS = (
    "r.id, r.framework_id, r.rule_id, r.origin, r.title, r.action, r.actionability, r.evidence,"
    " r.effect, r.state, r.fingerprint, r.note, r.decided_by, u.name AS decided_by_name,"
    " r.decided_at, r.measured_effect, r.applied, r.priority, r.version, r.created_at,"
    " r.updated_at"
)
_FROM = "FROM convex.recommendations AS r LEFT JOIN convex.users AS u ON u.id = r.decided_by"
_NEXT = "version = version + 1, updated_at = now()"


def _read(row: Mapping[str, Any]) -> Recommendation:
    return Recommendation(**{**row, "origin": Origin(row["origin"]), "state": State(row["state"])})


def _json(value: object) -> Jsonb:
    # ids and instants in evidence become text, numpy's numbers plain ones
    return Jsonb(orjson.loads(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)))


async def list_recommendations(
    connection: Connection,
    workspace_id: UUID,
    *,
    framework_id: UUID | None = None,
    states: Sequence[str] = (),
    origins: Sequence[str] = (),
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Recommendation]:
    """The most worthwhile first."""
    after = decode_cursor(cursor, float, UUID)
    rank, last_id = after if after is not None else (None, None)
    rows = await connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE r.workspace_id = %(w)s"
        " AND (%(f)s::uuid IS NULL OR r.framework_id = %(f)s)"
        " AND (%(states)s::text[] = '{}' OR r.state = ANY(%(states)s))"
        " AND (%(origins)s::text[] = '{}' OR r.origin = ANY(%(origins)s))"
        " AND (%(rank)s::float8 IS NULL OR (-r.priority, r.id) > (-%(rank)s::float8, %(id)s::uuid))"
        " ORDER BY -r.priority, r.id LIMIT %(limit)s",
        {
            "w": workspace_id,
            "f": framework_id,
            "states": list(states),
            "origins": list(origins),
            "rank": rank,
            "id": last_id,
            "limit": limit + 1,
        },
    )
    found = [_read(row) for row in await rows.fetchall()]
    page, more = found[:limit], len(found) > limit
    return Page(page, encode_cursor(page[-1].priority, page[-1].id) if more else None)


async def get_recommendation(
    connection: Connection, workspace_id: UUID, recommendation_id: UUID, *, lock: bool = False
) -> Recommendation:
    """Raises `NotFound`."""
    rows = await connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE r.workspace_id = %s AND r.id = %s"
        + (" FOR UPDATE OF r" if lock else ""),
        (workspace_id, recommendation_id),
    )
    row = await rows.fetchone()
    if row is None:
        raise NotFound(f"There is no recommendation {recommendation_id} in this workspace.")
    return _read(row)


async def save_proposal(
    connection: Connection, workspace_id: UUID, proposal: Proposal, *, again_before: datetime
) -> None:
    """Propose it: new, or brought up to date while it is open.

    What was decided stays decided, unless that was before `again_before`: then it is open again.
    Nothing is written where nothing differs.
    """
    await connection.execute(
        "INSERT INTO convex.recommendations AS r (workspace_id, framework_id, rule_id, origin,"
        " title, action, actionability, evidence, effect, fingerprint, priority)"
        " VALUES (%(w)s, %(f)s, %(r)s, %(origin)s, %(title)s, %(action)s, %(actionability)s,"
        " %(evidence)s, %(effect)s, %(fingerprint)s, %(priority)s)"
        " ON CONFLICT (workspace_id, fingerprint) DO UPDATE SET origin = excluded.origin,"
        " title = excluded.title, action = excluded.action, evidence = excluded.evidence,"
        " actionability = excluded.actionability, effect = excluded.effect,"
        " priority = excluded.priority, state = 'open', note = '', decided_by = NULL,"
        " decided_at = NULL, measured_effect = NULL, applied = NULL,"
        " version = r.version + 1, updated_at = now()"
        " WHERE (r.state = 'open' AND (r.title, r.action, r.actionability, r.effect, r.priority)"
        " IS DISTINCT FROM (excluded.title, excluded.action, excluded.actionability,"
        " excluded.effect, excluded.priority))"
        " OR (r.state <> 'open' AND r.decided_at < %(again)s)",
        {
            "w": workspace_id,
            "f": proposal.framework_id,
            "r": proposal.rule_id,
            "origin": proposal.origin.value,
            "title": proposal.title[:1000],
            "action": _json(proposal.action),
            "actionability": proposal.actionability,
            "evidence": _json(proposal.evidence),
            "effect": _json(proposal.effect),
            "fingerprint": proposal.fingerprint,
            "priority": priority(proposal.effect, proposal.actionability),
            "again": again_before,
        },
    )


async def drop_outdated(
    connection: Connection, workspace_id: UUID, origins: Sequence[str], kept: Sequence[str]
) -> int:
    """Take away open ones of these origins that nothing proposes any more; how many."""
    gone = await connection.execute(
        "DELETE FROM convex.recommendations WHERE workspace_id = %s AND state = 'open'"
        " AND origin = ANY(%s) AND fingerprint <> ALL(%s)",
        (workspace_id, list(origins), list(kept)),
    )
    return gone.rowcount


async def drop_old_advice(connection: Connection, workspace_id: UUID, before: datetime) -> None:
    """Take away what Claude advised long ago and nobody took up."""
    await connection.execute(
        "DELETE FROM convex.recommendations WHERE workspace_id = %s AND state = 'open'"
        " AND origin = 'claude' AND updated_at < %s",
        (workspace_id, before),
    )


async def rank_again(connection: Connection, workspace_id: UUID) -> None:
    """Give a place to those that other packages wrote."""
    rows = await connection.execute(
        "SELECT id, effect, actionability, priority FROM convex.recommendations"
        " WHERE workspace_id = %s AND state = 'open'",
        (workspace_id,),
    )
    for row in await rows.fetchall():
        place = priority(row["effect"], row["actionability"])
        if place != row["priority"]:
            await connection.execute(
                "UPDATE convex.recommendations SET priority = %s WHERE id = %s",
                (place, row["id"]),
            )


async def decide(
    connection: Connection,
    recommendation_id: UUID,
    *,
    state: State,
    note: str,
    by: UUID | None,
    at: datetime | None,
    applied: Mapping[str, Any] | None,
) -> None:
    """Its new state. `at` None: it is open again, and nobody has decided."""
    await connection.execute(
        "UPDATE convex.recommendations SET state = %s, note = %s, decided_by = %s,"
        f" decided_at = %s, applied = %s, measured_effect = NULL, {_NEXT} WHERE id = %s",
        (
            state.value,
            note,
            by,
            at,
            None if applied is None else _json(applied),
            recommendation_id,
        ),
    )


async def list_applied(
    connection: Connection, workspace_id: UUID, since: datetime, until: datetime
) -> list[Recommendation]:
    """Those about a rule that were accepted in that time."""
    rows = await connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE r.workspace_id = %s AND r.state IN ('accepted', 'done')"
        " AND r.rule_id IS NOT NULL AND r.applied IS NOT NULL AND r.decided_at BETWEEN %s AND %s",
        (workspace_id, since, until),
    )
    return [_read(row) for row in await rows.fetchall()]


async def count_triggers(
    connection: Connection, workspace_id: UUID, rule_id: UUID, start: datetime, end: datetime
) -> int:
    """Triggers of a rule that opened in [start, end)."""
    return await _count(
        connection,
        "SELECT count(*) AS n FROM convex.alert_triggers WHERE workspace_id = %s AND rule_id = %s"
        " AND opened_at >= %s AND opened_at < %s",
        (workspace_id, rule_id, start, end),
    )


async def count_pages(
    connection: Connection, workspace_id: UUID, rule_id: UUID, start: datetime, end: datetime
) -> int:
    """Messages about a rule's triggers that were delivered by other ways than the inbox."""
    return await _count(
        connection,
        "SELECT count(*) AS n FROM convex.alert_notifications AS n"
        " INNER JOIN convex.alert_triggers AS t ON t.id = n.trigger_id"
        " WHERE n.workspace_id = %s AND t.rule_id = %s AND n.state = 'delivered'"
        " AND n.channel_kind <> 'in_app' AND n.delivered_at >= %s AND n.delivered_at < %s",
        (workspace_id, rule_id, start, end),
    )


async def save_measured(
    connection: Connection, recommendation_id: UUID, measured: Mapping[str, Any]
) -> None:
    """What came of it so far."""
    await connection.execute(
        "UPDATE convex.recommendations SET measured_effect = %s WHERE id = %s",
        (_json(measured), recommendation_id),
    )


async def busiest_rules(
    connection: Connection, workspace_id: UUID, since: datetime, *, least: int, limit: int
) -> list[UUID]:
    """Rules in use with at least so many triggers since then, the busiest first."""
    rows = await connection.execute(
        "SELECT t.rule_id FROM convex.alert_triggers AS t"
        " INNER JOIN convex.alert_rules AS r ON r.id = t.rule_id"
        " WHERE t.workspace_id = %s AND t.opened_at >= %s AND r.enabled AND r.deleted_at IS NULL"
        " AND r.type <> 'milestone' GROUP BY t.rule_id HAVING count(*) >= %s"
        " ORDER BY count(*) DESC, t.rule_id LIMIT %s",
        (workspace_id, since, least, limit),
    )
    return [row["rule_id"] for row in await rows.fetchall()]


async def failing_checks(connection: Connection, workspace_id: UUID) -> list[dict[str, Any]]:
    """The newest run of each suite with what failed in it."""
    rows = await connection.execute(
        "SELECT DISTINCT ON (suite) suite, finished_at, ("
        "SELECT coalesce(jsonb_agg(x - 'examples'), '[]') FROM jsonb_array_elements(results) AS x"
        " WHERE NOT (x ->> 'succeeded')::boolean) AS failures"
        " FROM convex.quality_runs WHERE workspace_id = %s ORDER BY suite, started_at DESC",
        (workspace_id,),
    )
    return await rows.fetchall()


async def _count(connection: Connection, statement: str, values: Sequence[object]) -> int:
    row = await (await connection.execute(statement, values)).fetchone()
    return 0 if row is None else int(row["n"])
