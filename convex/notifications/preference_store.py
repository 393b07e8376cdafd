"""Preferences as they are kept and shown: one's own, and the workspace's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import DictRow

from convex.db import Connection, Identity
from convex.errors import InvalidInput, PreconditionFailed
from convex.notifications.preferences import Preferences, check_row, read_preferences

# As the table's own defaults, so that a workspace without a row behaves like one with a fresh row.
BUILT_IN: Mapping[str, Any] = {
    "channels": ["in_app", "email"],
    "min_severity": "info",
    "quiet_hours_enabled": False,
    "quiet_hours_start": time(22),
    "quiet_hours_end": time(6),
    "timezone": "UTC",
    "deduplication_minutes": 5,
    "group_by": "rule",
    "group_wait_seconds": 30,
    "group_interval_seconds": 300,
    "repeat_interval_seconds": 14_400,
    "max_per_hour": None,
    "escalation_after_minutes": 60,
    "escalation_steps": [],
    "predictions": False,
}
_SECONDS = ("group_wait", "group_interval", "repeat_interval")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_OF = "workspace_id = %(workspace)s AND user_id IS NOT DISTINCT FROM %(user)s"


@dataclass(frozen=True, slots=True)
class Kept:
    """Preferences with where they come from: `own`, `workspace` or `built_in`."""

    source: str
    version: int
    columns: Mapping[str, Any]

    @property
    def preferences(self) -> Preferences:
        """As planning takes them."""
        return read_preferences(self.columns)


def describe(kept: Kept) -> dict[str, Any]:
    """Preferences as the API shows them; durations in seconds or minutes as named."""
    shown = dict(kept.columns)
    for name in ("quiet_hours_start", "quiet_hours_end"):
        shown[name] = f"{shown[name]:%H:%M}"
    return {**shown, "source": kept.source, "version": kept.version}


async def get_preferences(connection: Connection, identity: Identity) -> Kept:
    """What counts for the acting member: their own, else the workspace's, else the built-in."""
    own = await _read(connection, identity.workspace_id, identity.user_id)
    if own is not None and identity.user_id is not None:
        return _kept("own", own)
    return await get_defaults(connection, identity)


async def get_defaults(connection: Connection, identity: Identity) -> Kept:
    """The workspace's defaults, else the built-in."""
    shared = await _read(connection, identity.workspace_id, None)
    return Kept("built_in", 0, BUILT_IN) if shared is None else _kept("workspace", shared)


def merge(current: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Preferences with changes from JSON applied. Raises `InvalidInput`.

    Times are "HH:MM"; group_wait, group_interval and repeat_interval take durations such as "30s",
    their `…_seconds` numbers.
    """
    merged = dict(current)
    for name, value in changes.items():
        if name in _SECONDS:
            merged[f"{name}_seconds"] = _seconds(value, name)
        elif name in ("quiet_hours_start", "quiet_hours_end"):
            merged[name] = _clock(value, name)
        elif name in BUILT_IN:
            merged[name] = value
        elif name not in ("source", "version"):
            raise InvalidInput(f"There is no preference {name!r}.", field=name)
    channels = merged["channels"]
    if not isinstance(channels, list | tuple) or not all(isinstance(one, str) for one in channels):
        raise InvalidInput("channels is a list of names.", field="channels")
    for name in ("quiet_hours_enabled", "predictions"):
        if not isinstance(merged[name], bool):
            raise InvalidInput(f"{name} is true or false.", field=name)
    check_row(merged)
    return merged


async def save_preferences(
    connection: Connection,
    identity: Identity,
    changes: Mapping[str, Any],
    *,
    now: datetime,
    for_workspace: bool = False,
    expected_version: int | None = None,
) -> Kept:
    """Apply changes to one's own preferences, or the workspace's defaults (owners).

    Raises `InvalidInput`, `PreconditionFailed`.
    """
    user_id = None if for_workspace else identity.user_id
    if user_id is None and not for_workspace:
        raise InvalidInput("A key has no preferences of its own; sign in, or name the workspace's.")
    if for_workspace:
        current = await get_defaults(connection, identity)
    else:
        current = await get_preferences(connection, identity)
    exists = current.source == ("workspace" if for_workspace else "own")
    version = current.version if exists else 0
    if expected_version is not None and expected_version != version:
        raise PreconditionFailed("The preferences were changed meanwhile; read them again.")
    merged = merge(current.columns, changes)
    columns = {name: merged[name] for name in BUILT_IN}
    columns["escalation_steps"] = orjson.dumps(columns["escalation_steps"]).decode()
    columns["channels"] = list(columns["channels"])
    names = ", ".join(columns)
    values = ", ".join(f"%({name})s" for name in columns)
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns)
    cursor = await connection.execute(
        f"INSERT INTO convex.notification_preferences AS p (workspace_id, user_id, {names})"
        f" VALUES (%(workspace)s, %(user)s, {values})"
        f" ON CONFLICT (workspace_id, user_id) DO UPDATE SET {updates},"
        " version = p.version + 1, updated_at = %(now)s RETURNING *",
        {**columns, "workspace": identity.workspace_id, "user": user_id, "now": now},
    )
    row = await cursor.fetchone()
    assert row is not None
    return _kept("workspace" if for_workspace else "own", row)


async def stop_mail(connection: Connection, identity: Identity, now: datetime) -> None:
    """Take e-mail out of the acting member's preferences (one-click unsubscribing)."""
    current = await get_preferences(connection, identity)
    mail = await connection.execute(
        "SELECT name FROM convex.channels WHERE workspace_id = %s AND kind = 'email'"
        " AND config -> 'to' IS NULL",
        (identity.workspace_id,),
    )
    names = {"email", *(row["name"] for row in await mail.fetchall())}
    left = [one for one in current.columns["channels"] if one not in names]
    await save_preferences(connection, identity, {"channels": left}, now=now)


async def _read(
    connection: Connection, workspace_id: UUID | None, user_id: UUID | None
) -> DictRow | None:
    cursor = await connection.execute(
        f"SELECT * FROM convex.notification_preferences WHERE {_OF}",
        {"workspace": workspace_id, "user": user_id},
    )
    return await cursor.fetchone()


def _kept(source: str, row: DictRow) -> Kept:
    return Kept(source, row["version"], {name: row[name] for name in BUILT_IN})


def _seconds(value: object, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, timedelta):
        return round(value.total_seconds())
    if isinstance(value, str) and value[:-1].isdigit() and value[-1:] in _UNITS:
        return int(value[:-1]) * _UNITS[value[-1]]
    raise InvalidInput(f'{name} is a duration such as "30s", "5m" or "4h".', field=name)


def _clock(value: object, name: str) -> time:
    if isinstance(value, time):
        return value
    try:
        return time.fromisoformat(str(value))
    except ValueError:
        raise InvalidInput(f"{name} is a time, HH:MM.", field=name) from None
