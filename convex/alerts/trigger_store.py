"""The SQL of triggers and their transitions, as members see and change them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from convex.alerts.model import (
    PLANNED,
    Kind,
    Person,
    Resolution,
    RuleType,
    Severity,
    Transition,
    Trigger,
    TriggerFilters,
)
from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import NotFound

_PEOPLE = ("acknowledged_by", "resolved_by", "assigned_to", "feedback_by")
_COLUMNS = (
    "t.id, t.workspace_id, t.rule_id, t.rule_name, t.framework_id, f.slug AS framework,"
    " f.name AS framework_name, t.metric_id, t.metric_name AS metric, t.series_id, t.source,"
    " t.fingerprint, t.labels, t.type, t.severity, t.state, t.value, t.threshold, t.reason,"
    " t.opened_at, t.last_seen_at, t.acknowledged_at, t.resolved_at, t.resolution, t.feedback,"
    " t.feedback_at, t.confidence, t.repeat_count, t.suppressed_count, t.historical, t.version,"
    " t.created_at, t.updated_at, t.context, "
    + ", ".join(f"t.{one}, {one}_user.name AS {one}_name" for one in _PEOPLE)
)
_FROM = (
    "FROM convex.alert_triggers AS t INNER JOIN convex.frameworks AS f"
    " ON f.workspace_id = t.workspace_id AND f.id = t.framework_id "
    + " ".join(
        f"LEFT JOIN convex.users AS {one}_user ON {one}_user.id = t.{one}" for one in _PEOPLE
    )
)


def _read(row: Mapping[str, Any]) -> Trigger:
    values = dict(row)
    for one in _PEOPLE:
        person, name = values.pop(one), values.pop(f"{one}_name")
        values[one] = None if person is None else Person(person, name or "")
    resolution = values["resolution"]
    return Trigger(
        **values
        | {
            "type": RuleType(values["type"]),
            "severity": Severity(values["severity"]),
            "resolution": None if resolution is None else Resolution(resolution),
        }
    )


async def get_triggers(
    connection: Connection, workspace_id: UUID, trigger_ids: Sequence[UUID]
) -> list[Trigger]:
    """Those that exist, in the order asked for."""
    rows = await connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE t.workspace_id = %s AND t.id = ANY(%s)",
        (workspace_id, list(trigger_ids)),
    )
    found = {row["id"]: _read(row) for row in await rows.fetchall()}
    return [found[trigger_id] for trigger_id in trigger_ids if trigger_id in found]


async def get_trigger(connection: Connection, workspace_id: UUID, trigger_id: UUID) -> Trigger:
    """Raises `NotFound`."""
    found = await get_triggers(connection, workspace_id, [trigger_id])
    if not found:
        raise NotFound(f"There is no alert trigger {trigger_id}.")
    return found[0]


async def list_triggers(
    connection: Connection,
    workspace_id: UUID,
    filters: TriggerFilters,
    *,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Trigger]:
    """Newest first."""
    after = decode_cursor(cursor, datetime, UUID)
    opened_at, trigger_id = after if after is not None else (None, None)
    rows = await connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE {_WHERE}"
        " AND (%(after)s::timestamptz IS NULL"
        " OR (t.opened_at, t.id) < (%(after)s::timestamptz, %(id)s::uuid))"
        " ORDER BY t.opened_at DESC, t.id DESC LIMIT %(limit)s",
        filter_parameters(workspace_id, filters)
        | {"after": opened_at, "id": trigger_id, "limit": limit + 1},
    )
    triggers = [_read(row) for row in await rows.fetchall()]
    more = len(triggers) > limit
    triggers = triggers[:limit]
    last = triggers[-1] if more else None
    return Page(
        triggers, encode_cursor(last.opened_at.isoformat(), last.id) if last is not None else None
    )


_WHERE = (
    "t.workspace_id = %(workspace)s"
    " AND (%(states)s::text[] = '{}' OR t.state = ANY(%(states)s))"
    " AND (%(severities)s::text[] = '{}' OR t.severity = ANY(%(severities)s))"
    " AND (%(types)s::text[] = '{}' OR t.type = ANY(%(types)s))"
    " AND (%(framework)s::uuid IS NULL OR t.framework_id = %(framework)s)"
    " AND (%(rule)s::uuid IS NULL OR t.rule_id = %(rule)s)"
    " AND (%(assigned)s::uuid IS NULL OR t.assigned_to = %(assigned)s)"
    " AND (%(from)s::timestamptz IS NULL OR t.opened_at >= %(from)s)"
    " AND (%(until)s::timestamptz IS NULL OR t.opened_at < %(until)s)"
    " AND (%(historical)s::boolean IS NULL OR t.historical = %(historical)s)"
)


def filter_parameters(workspace_id: UUID, filters: TriggerFilters) -> dict[str, Any]:
    """The named parameters of the filters."""
    return {
        "workspace": workspace_id,
        "states": list(filters.states),
        "severities": list(filters.severities),
        "types": list(filters.types),
        "framework": filters.framework_id,
        "rule": filters.rule_id,
        "assigned": filters.assigned_to,
        "from": filters.opened_from,
        "until": filters.opened_until,
        "historical": filters.historical,
    }


async def find_trigger_ids(
    connection: Connection, workspace_id: UUID, filters: TriggerFilters, *, limit: int
) -> list[UUID]:
    """The ids of the newest that pass the filters."""
    rows = await connection.execute(
        f"SELECT t.id FROM convex.alert_triggers AS t WHERE {_WHERE}"
        " ORDER BY t.opened_at DESC, t.id DESC LIMIT %(limit)s",
        filter_parameters(workspace_id, filters) | {"limit": limit},
    )
    return [row["id"] for row in await rows.fetchall()]


async def count_open(connection: Connection, workspace_id: UUID) -> int:
    """How many triggers are not resolved."""
    rows = await connection.execute(
        "SELECT count(*) AS open FROM convex.alert_triggers"
        " WHERE workspace_id = %s AND state <> 'resolved'",
        (workspace_id,),
    )
    row = await rows.fetchone()
    return 0 if row is None else int(row["open"])


async def list_transitions(
    connection: Connection, workspace_id: UUID, trigger_id: UUID
) -> list[Transition]:
    """The history of a trigger, oldest first."""
    rows = await connection.execute(
        "SELECT x.id, x.trigger_id, x.kind, x.from_state, x.to_state, x.reason, x.note, x.value,"
        " x.at, x.created_at, x.author_id, u.name AS author_name"
        " FROM convex.trigger_transitions AS x"
        " LEFT JOIN convex.users AS u ON u.id = x.author_id"
        " WHERE x.workspace_id = %s AND x.trigger_id = %s ORDER BY x.id",
        (workspace_id, trigger_id),
    )
    found = []
    for row in await rows.fetchall():
        author, name = row.pop("author_id"), row.pop("author_name")
        person = None if author is None else Person(author, name or "")
        found.append(Transition(**row | {"kind": Kind(row["kind"]), "author": person}))
    return found


async def lock_trigger(
    connection: Connection, workspace_id: UUID, trigger_id: UUID
) -> Mapping[str, Any]:
    """Lock the trigger, its series and fingerprint first: the order in which ingestion does.

    Returns its state, version and series. Raises `NotFound`.
    """
    await connection.execute(
        "SELECT s.id FROM convex.series AS s WHERE s.workspace_id = %(workspace)s AND s.id ="
        " (SELECT t.series_id FROM convex.alert_triggers AS t"
        " WHERE t.workspace_id = %(workspace)s AND t.id = %(id)s) FOR NO KEY UPDATE",
        {"workspace": workspace_id, "id": trigger_id},
    )
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(fingerprint, 0))"
        " FROM convex.alert_triggers WHERE workspace_id = %s AND id = %s",
        (workspace_id, trigger_id),
    )
    rows = await connection.execute(
        "SELECT state, version, series_id, rule_id, fingerprint, historical, opened_at,"
        " framework_id FROM convex.alert_triggers WHERE workspace_id = %s AND id = %s"
        " FOR NO KEY UPDATE",
        (workspace_id, trigger_id),
    )
    row = await rows.fetchone()
    if row is None:
        raise NotFound(f"There is no alert trigger {trigger_id}.")
    return row


async def lock_many(
    connection: Connection, workspace_id: UUID, trigger_ids: Collection[UUID]
) -> None:
    """Lock the series of all these triggers, then all their fingerprints, each in one order."""
    parameters = (workspace_id, list(trigger_ids))
    await connection.execute(
        "SELECT s.id FROM convex.series AS s WHERE s.workspace_id = %s AND s.id IN"
        " (SELECT t.series_id FROM convex.alert_triggers AS t WHERE t.id = ANY(%s))"
        " ORDER BY s.id FOR NO KEY UPDATE",
        parameters,
    )
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(w.fingerprint, 0)) FROM"
        " (SELECT DISTINCT t.fingerprint FROM convex.alert_triggers AS t"
        " WHERE t.workspace_id = %s AND t.id = ANY(%s) ORDER BY t.fingerprint) AS w",
        parameters,
    )


async def change_trigger(
    connection: Connection, workspace_id: UUID, trigger_id: UUID, columns: Mapping[str, Any]
) -> None:
    """Set these columns and count the version."""
    assignments = "".join(f"{name} = %({name})s, " for name in columns)
    await connection.execute(
        f"UPDATE convex.alert_triggers SET {assignments}version = version + 1, updated_at = now()"
        " WHERE workspace_id = %(workspace)s AND id = %(id)s",
        {**columns, "workspace": workspace_id, "id": trigger_id},
    )


async def append_transition(
    connection: Connection,
    workspace_id: UUID,
    trigger_id: UUID,
    *,
    kind: Kind,
    from_state: str,
    to_state: str,
    reason: str,
    note: str,
    author_id: UUID | None,
    at: datetime,
    historical: bool,
) -> None:
    """Add to a trigger's history, and hand it to planning if somebody may be told."""
    rows = await connection.execute(
        "INSERT INTO convex.trigger_transitions (workspace_id, trigger_id, kind, from_state,"
        " to_state, reason, note, author_id, at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " RETURNING id",
        (workspace_id, trigger_id, kind.value, from_state, to_state, reason, note, author_id, at),
    )
    row = await rows.fetchone()
    assert row is not None
    if kind in PLANNED and not historical:
        await connection.execute(
            "INSERT INTO convex.planning_queue (transition_id, workspace_id) VALUES (%s, %s)",
            (row["id"], workspace_id),
        )


async def release_state(
    connection: Connection, workspace_id: UUID, trigger_id: UUID, at: datetime
) -> None:
    """The trigger was resolved by a person: its rule state begins again from ok."""
    await connection.execute(
        "UPDATE convex.rule_states SET state = 'ok', since = %s, pending_since = NULL,"
        " keep_firing_since = NULL, flapping_since = NULL, recent_changes = 0, resolved_at = %s,"
        " updated_at = now() WHERE workspace_id = %s AND trigger_id = %s",
        (at, at, workspace_id, trigger_id),
    )


async def resume_state(
    connection: Connection, workspace_id: UUID, trigger_id: UUID, at: datetime
) -> None:
    """The trigger was opened again by a person: its rule, if it stands still, fires on."""
    await connection.execute(
        "UPDATE convex.rule_states SET state = 'firing', since = %s, pending_since = NULL,"
        " keep_firing_since = NULL, resolved_at = NULL, updated_at = now()"
        " WHERE workspace_id = %s AND trigger_id = %s AND state IN ('ok', 'pending')",
        (at, workspace_id, trigger_id),
    )


async def is_member(connection: Connection, workspace_id: UUID, user_id: UUID) -> bool:
    """Whether the person belongs to the workspace."""
    rows = await connection.execute(
        "SELECT 1 FROM convex.members WHERE workspace_id = %s AND user_id = %s",
        (workspace_id, user_id),
    )
    return await rows.fetchone() is not None
