"""The SQL of planning: what is taken from the queue, the facts around it, the rows that result."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import orjson
from psycopg.rows import DictRow

from convex.db import Connection
from convex.notifications.model import (
    Change,
    Channel,
    ChannelKind,
    Inhibition,
    Kind,
    Matcher,
    Member,
    Mute,
    Past,
    Planned,
    Reason,
    State,
    Target,
    Transition,
    Trigger,
)
from convex.notifications.mute_windows import WeeklyMute, active_mutes
from convex.notifications.preferences import Preferences, read_preferences

# Second key of the advisory lock that lets one transaction at a time plan for a workspace: the
# end of a trigger must not be planned by one while another still plans its beginning.
_PLANNING = 1129270873
_FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
_LONGEST_LOOK_BACK = timedelta(days=1)

_TAKE = """
WITH mine AS MATERIALIZED (
    SELECT w.workspace_id FROM (SELECT DISTINCT workspace_id FROM convex.planning_queue) AS w
    WHERE pg_try_advisory_xact_lock(%(lock)s, hashtext(w.workspace_id::text))
)
DELETE FROM convex.planning_queue
WHERE transition_id = ANY (ARRAY(
    SELECT q.transition_id FROM convex.planning_queue AS q
    WHERE q.workspace_id IN (SELECT mine.workspace_id FROM mine)
    ORDER BY q.transition_id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
))
RETURNING transition_id, workspace_id, created_at
"""

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
    x.note, x.author_id, x.to_state, x.value AS transition_value, u.name AS author
FROM convex.trigger_transitions AS x
INNER JOIN convex.alert_triggers AS t ON t.id = x.trigger_id AND NOT t.historical
{_TRIGGER_JOINS}
LEFT JOIN convex.users AS u ON u.id = x.author_id
"""
_TRANSITIONS = f"{_TRANSITION_ROWS} WHERE x.id = ANY (%s) ORDER BY x.id"
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
SELECT id, workspace_id, name, kind, config, enabled, disabled_reason FROM convex.channels
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

_HISTORY_COLUMNS = """
    n.id, n.workspace_id, n.trigger_id, n.transition_id, coalesce(t.fingerprint, '') AS fingerprint,
    n.kind, n.recipient_id, n.channel_id, n.channel_kind, n.step, n.state, n.reason, n.severity,
    n.group_key, n.created_at, n.due_at, n.delivered_at, n.attempts, n.carried_by, n.explanation,
    coalesce(n.leased_until > %(now)s, false) AS leased
"""
# What was told about these triggers and about earlier episodes of the same; the messages of their
# groups; where a cap counts, all messages of the hour; and whoever carries or is carried by those.
_HISTORY = f"""
WITH episodes AS (
    SELECT e.id FROM convex.alert_triggers AS e
    INNER JOIN convex.alert_triggers AS t
        ON t.workspace_id = e.workspace_id AND t.fingerprint = e.fingerprint
    WHERE t.id = ANY (%(triggers)s)
        AND (e.id = t.id OR coalesce(e.resolved_at, e.opened_at) > %(now)s - interval '1 hour')
),
relevant AS (
    SELECT n.id, n.carried_by FROM convex.alert_notifications AS n
    WHERE n.trigger_id IN (SELECT episodes.id FROM episodes)
    UNION
    SELECT n.id, n.carried_by FROM convex.alert_notifications AS n
    WHERE n.workspace_id = ANY (%(workspaces)s) AND n.created_at > %(since)s
        AND n.state IN ('due', 'delivered', 'failed')
        AND (n.group_key = ANY (%(groups)s) OR n.workspace_id = ANY (%(capped)s))
),
connected AS (
    SELECT relevant.id FROM relevant
    UNION
    SELECT relevant.carried_by FROM relevant WHERE relevant.carried_by IS NOT NULL
),
passengers AS (
    SELECT n.id FROM convex.alert_notifications AS n
    INNER JOIN convex.alert_notifications AS c ON c.id = n.carried_by AND c.state = 'due'
    WHERE n.carried_by IN (SELECT connected.id FROM connected)
)
SELECT {_HISTORY_COLUMNS}
FROM convex.alert_notifications AS n
LEFT JOIN convex.alert_triggers AS t ON t.id = n.trigger_id
WHERE n.id IN (SELECT connected.id FROM connected UNION SELECT passengers.id FROM passengers)
ORDER BY n.created_at, n.transition_id, n.id
"""

_HOLD = """
SELECT count(*) AS held FROM (
    SELECT n.id FROM convex.alert_notifications AS n
    INNER JOIN unnest(%(ids)s::uuid[], %(attempts)s::smallint[]) AS o (id, attempts) ON o.id = n.id
    WHERE n.state = 'due' AND n.attempts = o.attempts
        AND (n.leased_until IS NULL OR n.leased_until <= %(now)s)
    ORDER BY n.id
    FOR UPDATE OF n
) AS rows_held
"""

_INSERT = """
INSERT INTO convex.alert_notifications (
    id, workspace_id, trigger_id, transition_id, kind, recipient_id, channel_id, channel_kind,
    step, state, reason, explanation, severity, group_key, carried_by, idempotency_key, payload,
    due_at, delivered_at, attempts
)
SELECT r.id, r.workspace_id, r.trigger_id, r.transition_id, r.kind, r.recipient_id, r.channel_id,
    r.channel_kind, r.step, r.state, r.reason, r.explanation, r.severity, r.group_key,
    r.carried_by, r.idempotency_key, p.payload, r.due_at, r.delivered_at, r.attempts
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
    id uuid, workspace_id uuid, trigger_id uuid, transition_id bigint, kind text,
    recipient_id uuid, channel_id uuid, channel_kind text, step smallint, state text, reason text,
    explanation text, severity text, group_key text, carried_by uuid, idempotency_key text,
    payload_number integer, due_at timestamptz, delivered_at timestamptz, attempts smallint
)
INNER JOIN jsonb_array_elements(%(payloads)s::jsonb) WITH ORDINALITY AS p (payload, number)
    ON p.number = r.payload_number
ON CONFLICT (workspace_id, idempotency_key) DO NOTHING
RETURNING id
"""
_LOG_AT_ONCE = """
INSERT INTO convex.notification_deliveries (
    workspace_id, notification_id, attempt, started_at, finished_at, outcome
)
SELECT o.workspace_id, o.id, 1, %(now)s, %(now)s, 'delivered'
FROM unnest(%(workspace_id)s::uuid[], %(id)s::uuid[]) AS o (workspace_id, id)
"""
_CHANGE = """
UPDATE convex.alert_notifications AS n
SET state = o.state, reason = o.reason, explanation = o.explanation, due_at = o.due_at,
    carried_by = o.carried_by, leased_until = NULL, lease_id = NULL, updated_at = %(now)s
FROM unnest(
    %(id)s::uuid[], %(state)s::text[], %(reason)s::text[], %(explanation)s::text[],
    %(due_at)s::timestamptz[], %(carried_by)s::uuid[]
) AS o (id, state, reason, explanation, due_at, carried_by)
WHERE n.id = o.id
"""


@dataclass(frozen=True, slots=True)
class Queued:
    """A transition taken from the planning queue."""

    transition_id: int
    workspace_id: UUID
    queued_at: datetime


async def take_queue(connection: Connection, limit: int) -> list[Queued]:
    """Take up to `limit` transitions, of workspaces that nobody else plans for now."""
    rows = await _fetch(connection, _TAKE, {"lock": _PLANNING, "limit": limit})
    return [Queued(row["transition_id"], row["workspace_id"], row["created_at"]) for row in rows]


async def load_transitions(
    connection: Connection, queued: Sequence[Queued]
) -> dict[UUID, list[Transition]]:
    """The queued transitions by workspace, in order. Those of history are left out."""
    queued_at = {one.transition_id: one.queued_at for one in queued}
    rows = await _fetch(connection, _TRANSITIONS, (list(queued_at),))
    found: dict[UUID, list[Transition]] = defaultdict(list)
    for row in rows:
        found[row["workspace_id"]].append(_transition(row, queued_at[row["transition_id"]]))
    return found


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


async def load_defaults(
    connection: Connection, workspaces: Sequence[UUID]
) -> dict[UUID, Preferences]:
    """The workspaces' own defaults, where they have any."""
    rows = await _fetch(connection, _DEFAULTS, (list(workspaces),))
    return {row["workspace_id"]: read_preferences(row) for row in rows}


async def load_members(
    connection: Connection, workspaces: Sequence[UUID], defaults: Mapping[UUID, Preferences]
) -> dict[UUID, list[Member]]:
    """Members with their own preferences, or those of their workspace, or the built-in ones."""
    found: dict[UUID, list[Member]] = defaultdict(list)
    for row in await _fetch(connection, _MEMBERS, (list(workspaces),)):
        workspace_id = row["workspace_id"]
        wishes = (
            defaults.get(workspace_id, Preferences())
            if row["user_id"] is None
            else read_preferences(row)
        )
        found[workspace_id].append(Member(row["member_id"], row["name"], row["email"], wishes))
    return found


async def load_channels(
    connection: Connection, workspaces: Sequence[UUID], *, email_works: bool
) -> dict[UUID, list[Channel]]:
    """The channels of each workspace, with the built-in inbox and e-mail where it has none.

    `email_works`: whether the operator has named a mail server.
    """
    no_mail = "" if email_works else "E-mail is not set up (CONVEX_SMTP__HOST)."
    found: dict[UUID, list[Channel]] = {workspace_id: [] for workspace_id in workspaces}
    for row in await _fetch(connection, _CHANNELS, (list(workspaces),)):
        kind = ChannelKind(row["kind"])
        unusable = "" if row["enabled"] else (row["disabled_reason"] or "It is switched off.")
        if kind is ChannelKind.EMAIL:
            unusable = unusable or no_mail
        personal = kind is ChannelKind.IN_APP or (
            kind is ChannelKind.EMAIL and not row["config"].get("to")
        )
        found[row["workspace_id"]].append(Channel(row["id"], row["name"], kind, personal, unusable))
    for channels in found.values():
        have = {channel.kind for channel in channels if channel.personal}
        if ChannelKind.IN_APP not in have:
            channels.append(Channel(None, "in_app", ChannelKind.IN_APP, True))
        if ChannelKind.EMAIL not in have:
            channels.append(Channel(None, "email", ChannelKind.EMAIL, True, no_mail))
    return found


async def load_mutes(
    connection: Connection, workspaces: Sequence[UUID], now: datetime
) -> dict[UUID, list[Mute]]:
    """Silences and mute windows that hold at `now`."""
    found: dict[UUID, list[Mute]] = defaultdict(list)
    parameters = {"workspaces": list(workspaces), "since": now, "until": now}
    for row in await _fetch(connection, _SILENCES, parameters):
        found[row["workspace_id"]].append(_silence(row))
    for row in await _fetch(connection, _WINDOWS, (list(workspaces),)):
        found[row["workspace_id"]] += active_mutes([_window(row)], now)
    return found


async def load_all_mutes(
    connection: Connection, workspace_id: UUID, since: datetime
) -> tuple[list[Mute], list[WeeklyMute]]:
    """The silences of the time since then, and today's mute windows."""
    parameters = {"workspaces": [workspace_id], "since": since, "until": _FOREVER}
    silences = await _fetch(connection, _SILENCES, parameters)
    windows = await _fetch(connection, _WINDOWS, ([workspace_id],))
    return [_silence(row) for row in silences], [_window(row) for row in windows]


async def load_inhibitions(
    connection: Connection, workspaces: Sequence[UUID]
) -> dict[UUID, list[Inhibition]]:
    """Inhibition rules by workspace."""
    found: dict[UUID, list[Inhibition]] = defaultdict(list)
    for row in await _fetch(connection, _INHIBITIONS, (list(workspaces),)):
        found[row["workspace_id"]].append(
            Inhibition(
                row["name"],
                _matchers(row["source_matchers"]),
                _matchers(row["target_matchers"]),
                tuple(row["equal_labels"]),
            )
        )
    return found


async def load_history(
    connection: Connection,
    *,
    triggers: Iterable[UUID],
    workspaces: Sequence[UUID],
    groups: Iterable[str],
    capped: Iterable[UUID],
    look_back: timedelta,
    now: datetime,
) -> dict[UUID, list[Past]]:
    """Earlier notifications that bear on planning, by workspace, oldest first."""
    parameters = {
        "triggers": list(triggers),
        "workspaces": list(workspaces),
        "groups": list(groups),
        "capped": list(capped),
        "since": now - min(look_back, _LONGEST_LOOK_BACK),
        "now": now,
    }
    found: dict[UUID, list[Past]] = defaultdict(list)
    for row in await _fetch(connection, _HISTORY, parameters):
        found[row["workspace_id"]].append(_past(row))
    return found


async def hold(connection: Connection, rows: Mapping[UUID, int], now: datetime) -> bool:
    """Lock due rows by id and number of attempts; False if a sender has got one meanwhile."""
    if not rows:
        return True
    parameters = {"ids": list(rows), "attempts": list(rows.values()), "now": now}
    found = await _fetch(connection, _HOLD, parameters)
    return bool(found[0]["held"] == len(rows))


async def save(
    connection: Connection, planned: Sequence[Planned], changes: Sequence[Change], now: datetime
) -> set[UUID]:
    """Write a plan; the ids that were not there before."""
    written: set[UUID] = set()
    if planned:
        payloads: dict[int, Mapping[str, Any]] = {id(one.payload): one.payload for one in planned}
        numbers = {payload: number for number, payload in enumerate(payloads, start=1)}
        at_once = [one for one in planned if one.state is State.DELIVERED]
        # As JSON: PostgreSQL reads it faster than Python writes arrays of texts with quotes.
        rows = await _fetch(
            connection,
            _INSERT,
            {
                "rows": orjson.dumps(
                    [_as_json(one, numbers[id(one.payload)]) for one in planned]
                ).decode(),
                "payloads": orjson.dumps(list(payloads.values())).decode(),
            },
        )
        written = {row["id"] for row in rows}
        told = [one for one in at_once if one.id in written]
        if told:
            await connection.execute(
                _LOG_AT_ONCE,
                {
                    "now": now,
                    "workspace_id": [one.workspace_id for one in told],
                    "id": [one.id for one in told],
                },
            )
    if changes:
        await connection.execute(
            _CHANGE,
            {
                "now": now,
                "id": [one.id for one in changes],
                "state": [one.state.value for one in changes],
                "reason": [one.reason.value for one in changes],
                "explanation": [one.explanation for one in changes],
                "due_at": [one.due_at for one in changes],
                "carried_by": [one.carried_by for one in changes],
            },
        )
    return written


def _as_json(one: Planned, payload_number: int) -> dict[str, Any]:
    return {
        "id": one.id,
        "workspace_id": one.workspace_id,
        "trigger_id": one.trigger_id,
        "transition_id": one.transition_id,
        "kind": one.kind,
        "recipient_id": one.target.recipient,
        "channel_id": one.target.channel,
        "channel_kind": one.target.kind,
        "step": one.step,
        "state": one.state,
        "reason": one.reason,
        "explanation": one.explanation,
        "severity": one.severity,
        "group_key": one.group_key,
        "carried_by": one.carried_by,
        "idempotency_key": one.idempotency_key,
        "payload_number": payload_number,
        "due_at": one.due_at,
        "delivered_at": one.delivered_at,
        "attempts": int(one.state is State.DELIVERED),
    }


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


def _past(row: DictRow) -> Past:
    kind = row["channel_kind"]
    return Past(
        id=row["id"],
        trigger_id=row["trigger_id"],
        transition_id=row["transition_id"],
        fingerprint=row["fingerprint"],
        kind=Kind(row["kind"]),
        target=Target(row["recipient_id"], kind and ChannelKind(kind), row["channel_id"]),
        step=row["step"],
        state=State(row["state"]),
        reason=Reason(row["reason"]),
        severity=row["severity"],
        group_key=row["group_key"],
        created_at=row["created_at"],
        due_at=row["due_at"],
        delivered_at=row["delivered_at"],
        attempts=row["attempts"],
        leased=row["leased"],
        carried_by=row["carried_by"],
        explanation=row["explanation"],
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
