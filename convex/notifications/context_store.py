"""The SQL of what planning knows around a trigger: members, channels, silences, inhibitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
)
from convex.notifications.mute_windows import WeeklyMute, active_mutes
from convex.notifications.preferences import Preferences, read_preferences
from convex.notifications.store import Query

_FOREVER = datetime(9999, 1, 1, tzinfo=UTC)

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
