"""The SQL of planning: what is taken from the queue, and the facts around it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from psycopg.rows import DictRow

from convex.db import Connection
from convex.notifications.model import (
    Channel,
    ChannelKind,
    Inhibition,
    Matcher,
    Member,
    Mute,
    Reason,
    Transition,
    Trigger,
)
from convex.notifications.mute_windows import WeeklyMute, active_mutes
from convex.notifications.preferences import Preferences, read_preferences

# Second key of the advisory lock that lets one transaction at a time plan for a workspace: the
# end of a trigger must not be planned by one while another still plans its beginning.
_PLANNING = 1129270873
Query = tuple[str, Mapping[str, Any] | Sequence[Any]]
_FOREVER = datetime(9999, 1, 1, tzinfo=UTC)

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
_MEMBERS = """
SELECT p.*, m.workspace_id, m.user_id AS member_id, u.name, u.email
FROM convex.members AS m
INNER JOIN convex.users AS u ON u.id = m.user_id AND u.disabled_at IS NULL
LEFT JOIN convex.notification_preferences AS p
    ON p.workspace_id = m.workspace_id AND p.user_id = m.user_id
WHERE m.workspace_id = ANY (%s)
ORDER BY m.created_at, m.user_id
"""
_DEFAULTS = """
SELECT * FROM convex.notification_preferences
WHERE workspace_id = ANY (%s) AND user_id IS NULL
"""
_CHANNELS = """
SELECT id, workspace_id, name, kind, config, secret, enabled, disabled_reason, version,
    circuit_open_until
FROM convex.channels
WHERE workspace_id = ANY (%s) ORDER BY created_at, id
"""
_SILENCES = """
SELECT s.workspace_id, s.matchers, s.starts_at, s.ends_at, s.reason, u.name AS author
FROM convex.silences AS s
LEFT JOIN convex.users AS u ON u.id = s.author_id
WHERE s.workspace_id = ANY (%(workspaces)s)
    AND s.starts_at <= %(until)s AND s.ends_at > %(since)s
"""
_WINDOWS = """
SELECT workspace_id, name, matchers, timezone, intervals FROM convex.mute_windows
WHERE workspace_id = ANY (%s) AND enabled
"""
_INHIBITIONS = """
SELECT workspace_id, name, source_matchers, target_matchers, equal_labels
FROM convex.inhibition_rules WHERE workspace_id = ANY (%s) AND enabled
"""


@dataclass(frozen=True, slots=True)
class Way:
    """How a channel is reached: what a claim carries besides the facts of planning."""

    config: Mapping[str, Any]
    sealed: bytes | None = field(repr=False)
    version: int = 0
    open_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What planning knows about workspaces, by their ids; `ways` by the ids of channels."""

    defaults: Mapping[UUID, Preferences]
    members: Mapping[UUID, Sequence[Member]]
    channels: Mapping[UUID, Sequence[Channel]]
    mutes: Mapping[UUID, Sequence[Mute]]
    inhibitions: Mapping[UUID, Sequence[Inhibition]]
    ways: Mapping[UUID, Way]


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


def context_queries(workspaces: Sequence[UUID], now: datetime) -> list[Query]:
    """What `read_context` needs the answers to, to be asked in one round trip."""
    several = (list(workspaces),)
    return [
        (_DEFAULTS, several),
        (_MEMBERS, several),
        (_CHANNELS, several),
        (_SILENCES, {"workspaces": list(workspaces), "since": now, "until": now}),
        (_WINDOWS, several),
        (_INHIBITIONS, several),
    ]


def read_context(
    answers: Sequence[list[DictRow]],
    workspaces: Sequence[UUID],
    now: datetime,
    *,
    email_works: bool,
) -> Context:
    """The answers to `context_queries`."""
    default_rows, member_rows, channel_rows, silence_rows, window_rows, inhibition_rows = answers
    defaults = {row["workspace_id"]: read_preferences(row) for row in default_rows}
    mutes: dict[UUID, list[Mute]] = defaultdict(list)
    for row in silence_rows:
        mutes[row["workspace_id"]].append(_silence(row))
    for row in window_rows:
        mutes[row["workspace_id"]] += active_mutes([_window(row)], now)
    inhibitions: dict[UUID, list[Inhibition]] = defaultdict(list)
    for row in inhibition_rows:
        inhibitions[row["workspace_id"]].append(_inhibition(row))
    return Context(
        defaults=defaults,
        members=_members(member_rows, defaults),
        channels=_channels(channel_rows, workspaces, email_works=email_works),
        mutes=mutes,
        inhibitions=inhibitions,
        ways={row["id"]: _way(row) for row in channel_rows},
    )


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


async def load_channels(
    connection: Connection, workspaces: Sequence[UUID], *, email_works: bool
) -> dict[UUID, list[Channel]]:
    """The channels of each workspace, with the built-in inbox and e-mail where it has none.

    `email_works`: whether the operator has named a mail server.
    """
    rows = await _fetch(connection, _CHANNELS, (list(workspaces),))
    return _channels(rows, workspaces, email_works=email_works)


async def load_all_mutes(
    connection: Connection, workspace_id: UUID, since: datetime
) -> tuple[list[Mute], list[WeeklyMute]]:
    """The silences of the time since then, and today's mute windows."""
    parameters = {"workspaces": [workspace_id], "since": since, "until": _FOREVER}
    silences = await _fetch(connection, _SILENCES, parameters)
    windows = await _fetch(connection, _WINDOWS, ([workspace_id],))
    return [_silence(row) for row in silences], [_window(row) for row in windows]


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


def _members(
    rows: Sequence[DictRow], defaults: Mapping[UUID, Preferences]
) -> dict[UUID, list[Member]]:
    """Members with their own preferences, or those of their workspace, or the built-in ones."""
    found: dict[UUID, list[Member]] = defaultdict(list)
    for row in rows:
        workspace_id = row["workspace_id"]
        wishes = (
            defaults.get(workspace_id, Preferences())
            if row["user_id"] is None
            else read_preferences(row)
        )
        found[workspace_id].append(Member(row["member_id"], row["name"], row["email"], wishes))
    return found


def _channels(
    rows: Sequence[DictRow], workspaces: Sequence[UUID], *, email_works: bool
) -> dict[UUID, list[Channel]]:
    no_mail = "" if email_works else "E-mail is not set up (CONVEX_SMTP__HOST)."
    found: dict[UUID, list[Channel]] = {workspace_id: [] for workspace_id in workspaces}
    for row in rows:
        kind = ChannelKind(row["kind"])
        unusable = "" if row["enabled"] else (row["disabled_reason"] or "It is switched off.")
        if kind is ChannelKind.EMAIL:
            unusable = unusable or no_mail
        personal = kind is ChannelKind.IN_APP or (
            kind is ChannelKind.EMAIL and not row["config"].get("to")
        )
        heartbeat = bool(row["config"].get("heartbeat")) and not personal
        found[row["workspace_id"]].append(
            Channel(row["id"], row["name"], kind, personal, unusable, heartbeat)
        )
    for channels in found.values():
        have = {channel.kind for channel in channels if channel.personal}
        if ChannelKind.IN_APP not in have:
            channels.append(Channel(None, "in_app", ChannelKind.IN_APP, True))
        if ChannelKind.EMAIL not in have:
            channels.append(Channel(None, "email", ChannelKind.EMAIL, True, no_mail))
    return found


def _way(row: DictRow) -> Way:
    sealed = None if row["secret"] is None else bytes(row["secret"])
    return Way(row["config"], sealed, row["version"], row["circuit_open_until"])


def _inhibition(row: DictRow) -> Inhibition:
    return Inhibition(
        row["name"],
        _matchers(row["source_matchers"]),
        _matchers(row["target_matchers"]),
        tuple(row["equal_labels"]),
    )


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


def _silence(row: DictRow) -> Mute:
    words = f"Silenced: {row['reason']}" + (f" ({row['author']})" if row["author"] else "")
    matchers = _matchers(row["matchers"])
    return Mute(Reason.SILENCED, matchers, row["starts_at"], row["ends_at"], words)


def _window(row: DictRow) -> WeeklyMute:
    return WeeklyMute(
        row["name"], _matchers(row["matchers"]), row["timezone"], tuple(row["intervals"])
    )


def _matchers(stored: Sequence[Mapping[str, str]]) -> tuple[Matcher, ...]:
    return tuple(
        Matcher(one["label"], one.get("operator", "="), one.get("value", "")) for one in stored
    )


async def _fetch(
    connection: Connection, statement: str, parameters: Mapping[str, Any] | Sequence[Any]
) -> list[DictRow]:
    cursor = await connection.execute(cast("Any", statement), parameters)
    return await cursor.fetchall()
