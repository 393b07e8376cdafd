"""The SQL of planning: what is taken from the queue, and the triggers that it is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from psycopg.rows import DictRow

from convex.db import Connection
from convex.notifications.model import (
    Transition,
    Trigger,
)

# Second key of the advisory lock that lets one transaction at a time plan for a workspace: the
# end of a trigger must not be planned by one while another still plans its beginning.
_PLANNING = 1129270873
Query = tuple[str, Mapping[str, Any] | Sequence[Any]]

_TRIGGER_COLUMNS = """
    t.id, t.workspace_id, t.fingerprint, t.rule_id, t.rule_name, t.framework_id, t.metric_name,
    t.type, t.severity, t.state, t.value, t.threshold, t.reason, t.labels, t.opened_at,
    t.acknowledged_at, t.resolved_at, t.resolution,
    f.slug AS framework, f.name AS framework_name, coalesce(m.unit, '') AS unit,
    coalesce(r.description, '') AS description, coalesce(r.runbook_url, '') AS runbook_url,
    coalesce(r.tags, '{}') AS tags, coalesce(r.channels, '{}') AS channels,
    coalesce(r.templates, '{}') AS templates
"""
_TRIGGER_JOINS = """
INNER JOIN convex.frameworks AS f ON f.id = t.framework_id
LEFT JOIN convex.metrics AS m ON m.id = t.metric_id
LEFT JOIN convex.alert_rules AS r ON r.id = t.rule_id
"""
_TRANSITION_ROWS = f"""
SELECT {_TRIGGER_COLUMNS}, x.id AS transition_id, x.kind, x.at, x.reason AS transition_reason,
    x.note, x.author_id, x.to_state, x.value AS transition_value, x.traceparent,
    u.name AS author
FROM convex.trigger_transitions AS x
INNER JOIN convex.alert_triggers AS t ON t.id = x.trigger_id AND NOT t.historical
{_TRIGGER_JOINS}
LEFT JOIN convex.users AS u ON u.id = x.author_id
"""
# One planner at a time for a workspace; what is taken, with all that is known about it.
_TAKE = f"""
WITH mine AS MATERIALIZED (
    SELECT w.workspace_id FROM (SELECT DISTINCT workspace_id FROM convex.planning_queue) AS w
    WHERE pg_try_advisory_xact_lock(%(lock)s, hashtext(w.workspace_id::text))
),
taken AS (
    DELETE FROM convex.planning_queue
    WHERE transition_id = ANY (ARRAY(
        SELECT q.transition_id FROM convex.planning_queue AS q
        WHERE q.workspace_id IN (SELECT mine.workspace_id FROM mine)
        ORDER BY q.transition_id
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING transition_id AS taken_id, created_at AS queued_at
)
SELECT * FROM taken LEFT JOIN ({_TRANSITION_ROWS}) AS known ON known.transition_id = taken_id
ORDER BY taken_id
"""
_LOCK = "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s)) AS locked"
_RECENT_TRANSITIONS = f"""
{_TRANSITION_ROWS}
WHERE x.workspace_id = %s AND x.created_at > %s
    AND x.kind IN ('opened', 'reopened', 'resolved', 'acknowledged', 'flapping')
ORDER BY x.id DESC
LIMIT %s
"""
_TRIGGERS = f"""
SELECT {_TRIGGER_COLUMNS} FROM convex.alert_triggers AS t {_TRIGGER_JOINS} WHERE t.id = ANY (%s)
"""
_OPEN_TRIGGERS = f"""
SELECT {_TRIGGER_COLUMNS}
FROM convex.alert_triggers AS t {_TRIGGER_JOINS}
WHERE t.workspace_id = ANY (%s) AND t.state <> 'resolved' AND NOT t.historical
"""


async def take_transitions(
    connection: Connection, limit: int
) -> tuple[int, dict[UUID, list[Transition]]]:
    """Take up to `limit` from the queue, of workspaces that nobody else plans for now.

    How many were taken, and those to plan by workspace, in order; history is left out.
    """
    rows = await _fetch(connection, _TAKE, {"lock": _PLANNING, "limit": limit})
    found: dict[UUID, list[Transition]] = defaultdict(list)
    for row in rows:
        if row["transition_id"] is not None:
            found[row["workspace_id"]].append(_transition(row, row["queued_at"]))
    return len(rows), found


async def lock_workspaces(connection: Connection, workspaces: Iterable[UUID]) -> set[UUID]:
    """Become the planner of these workspaces until the transaction ends, where nobody is it."""
    mine: set[UUID] = set()
    for workspace_id in workspaces:
        rows = await _fetch(connection, _LOCK, (_PLANNING, str(workspace_id)))
        if rows[0]["locked"]:
            mine.add(workspace_id)
    return mine


async def load_recent_transitions(
    connection: Connection, workspace_id: UUID, since: datetime, limit: int
) -> list[Transition]:
    """The newest transitions of live triggers since then, oldest first."""
    rows = await _fetch(connection, _RECENT_TRANSITIONS, (workspace_id, since, limit))
    return [_transition(row, row["at"]) for row in reversed(rows)]


async def load_triggers(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, Trigger]:
    """Triggers as they stand, by id."""
    rows = await _fetch(connection, _TRIGGERS, (list(ids),))
    return {row["id"]: _trigger(row, row["state"]) for row in rows}


async def load_open_triggers(
    connection: Connection, workspaces: Sequence[UUID]
) -> dict[UUID, list[Trigger]]:
    """Triggers that are not resolved, by workspace."""
    found: dict[UUID, list[Trigger]] = defaultdict(list)
    for row in await _fetch(connection, _OPEN_TRIGGERS, (list(workspaces),)):
        found[row["workspace_id"]].append(_trigger(row, row["state"]))
    return found


async def fetch_together(connection: Connection, queries: Sequence[Query]) -> list[list[DictRow]]:
    """Ask all in one round trip; the answers in order."""
    async with connection.pipeline():
        cursors = [
            await connection.execute(cast("Any", statement), parameters)
            for statement, parameters in queries
        ]
    return [await cursor.fetchall() for cursor in cursors]


async def send_together(
    connection: Connection, writes: Sequence[Query], questions: Sequence[Query]
) -> list[list[DictRow]]:
    """Write, then ask, in one round trip; the answers in order."""
    async with connection.pipeline():
        for statement, parameters in writes:
            await connection.execute(cast("Any", statement), parameters)
        cursors = [
            await connection.execute(cast("Any", statement), parameters)
            for statement, parameters in questions
        ]
    return [await cursor.fetchall() for cursor in cursors]


def _transition(row: DictRow, queued_at: datetime) -> Transition:
    return Transition(
        id=row["transition_id"],
        trigger=_trigger(row, row["to_state"]),
        kind=row["kind"],
        at=row["at"],
        queued_at=queued_at,
        reason=row["transition_reason"],
        note=row["note"],
        author_id=row["author_id"],
        author=row["author"],
        value=row["transition_value"],
        traceparent=row["traceparent"],
    )


def _trigger(row: DictRow, state: str) -> Trigger:
    """A trigger as it was when it took on `state`."""
    resolved = state == "resolved"
    return Trigger(
        id=row["id"],
        workspace_id=row["workspace_id"],
        fingerprint=row["fingerprint"],
        rule_id=row["rule_id"],
        rule_name=row["rule_name"],
        framework_id=row["framework_id"],
        framework=row["framework"],
        framework_name=row["framework_name"],
        metric=row["metric_name"],
        type=row["type"],
        severity=row["severity"],
        state=state,
        value=row["value"],
        threshold=row["threshold"],
        reason=row["reason"],
        opened_at=row["opened_at"],
        labels=row["labels"],
        acknowledged_at=None if state == "firing" else row["acknowledged_at"],
        resolved_at=row["resolved_at"] if resolved else None,
        resolution=row["resolution"] if resolved else None,
        description=row["description"],
        unit=row["unit"],
        runbook_url=row["runbook_url"],
        tags=tuple(row["tags"]),
        channels=tuple(row["channels"]),
        templates=row["templates"],
    )


async def _fetch(
    connection: Connection, statement: str, parameters: Mapping[str, Any] | Sequence[Any]
) -> list[DictRow]:
    cursor = await connection.execute(cast("Any", statement), parameters)
    return await cursor.fetchall()
