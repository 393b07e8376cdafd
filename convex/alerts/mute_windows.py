"""Recurring mutes: what is not told at certain hours of the week, by the wall clock of a zone. Kept
here; which one holds at an instant is decided where notifications are planned. The caller owns the
transaction.

An interval begins at `start` on its days and ends at `end`, on the next day if that is not later.
The clocks may be changed within it: a time that they skip counts as the instant after the jump, one
that they show twice begins at the first and ends at the second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from convex.alerts.matchers import read_matchers, write_matchers
from convex.alerts.model import Matcher, Person
from convex.alerts.silences import check_matchers
from convex.db import Connection, Identity
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import InvalidInput, NotFound, PreconditionFailed

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_INTERVALS = 50
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_COLUMNS = (
    "w.id, w.name, w.matchers, w.timezone, w.intervals, w.enabled, w.author_id,"
    " u.name AS author_name, w.version, w.created_at, w.updated_at"
)
_FROM = "FROM convex.mute_windows AS w LEFT JOIN convex.users AS u ON u.id = w.author_id"


@dataclass(frozen=True, slots=True)
class Interval:
    """From `start` to `end`, "HH:MM" each, beginning on these days; none: on every day.

    Until midnight is written as an `end` of "00:00". Start and end differ.
    """

    start: str
    end: str
    days: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteWindowDraft:
    """What a member says about a mute window."""

    name: str
    matchers: tuple[Matcher, ...]
    timezone: str
    intervals: tuple[Interval, ...]
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteWindow(MuteWindowDraft):
    """A mute window as it is stored."""

    id: UUID
    author: Person | None
    version: int
    created_at: datetime
    updated_at: datetime


async def create_mute_window(
    connection: Connection, identity: Identity, draft: MuteWindowDraft
) -> MuteWindow:
    """Raises `InvalidInput`, naming the field."""
    check_mute_window(draft)
    rows = await connection.execute(
        "INSERT INTO convex.mute_windows (workspace_id, author_id, name, matchers, timezone,"
        " intervals, enabled) VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (identity.workspace_id, identity.user_id, *_write(draft)),
    )
    row = await rows.fetchone()
    assert row is not None
    return await get_mute_window(connection, identity, row["id"])


async def get_mute_window(
    connection: Connection, identity: Identity, window_id: UUID
) -> MuteWindow:
    """Raises `NotFound`."""
    rows = await connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE w.workspace_id = %s AND w.id = %s",
        (identity.workspace_id, window_id),
    )
    row = await rows.fetchone()
    if row is None:
        raise NotFound(f"There is no mute window {window_id}.")
    return _read(row)


async def list_mute_windows(
    connection: Connection, identity: Identity, *, limit: int = 50, cursor: str | None = None
) -> Page[MuteWindow]:
    """By name."""
    after = decode_cursor(cursor, str, UUID)
    name, window_id = after if after is not None else (None, None)
    rows = await connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE w.workspace_id = %(workspace)s"
        " AND (%(name)s::text IS NULL OR (w.name, w.id) > (%(name)s::text, %(id)s::uuid))"
        " ORDER BY w.name, w.id LIMIT %(limit)s",
        {"workspace": identity.workspace_id, "name": name, "id": window_id, "limit": limit + 1},
    )
    found = [_read(row) for row in await rows.fetchall()]
    items = found[:limit]
    last = items[-1] if len(found) > limit else None
    return Page(items, encode_cursor(last.name, last.id) if last else None)


async def update_mute_window(
    connection: Connection,
    identity: Identity,
    window_id: UUID,
    draft: MuteWindowDraft,
    *,
    expected_version: int | None = None,
) -> MuteWindow:
    """Make it as the draft says. Raises `NotFound`, `InvalidInput`, `PreconditionFailed`."""
    check_mute_window(draft)
    changed = await connection.execute(
        "UPDATE convex.mute_windows SET name = %s, matchers = %s, timezone = %s, intervals = %s,"
        " enabled = %s, version = version + 1, updated_at = now()"
        " WHERE workspace_id = %s AND id = %s AND version = coalesce(%s, version)",
        (*_write(draft), identity.workspace_id, window_id, expected_version),
    )
    after = await get_mute_window(connection, identity, window_id)
    if not changed.rowcount:
        raise PreconditionFailed("The mute window has changed since you read it; read it again.")
    return after


async def delete_mute_window(connection: Connection, identity: Identity, window_id: UUID) -> None:
    """Raises `NotFound`."""
    removed = await connection.execute(
        "DELETE FROM convex.mute_windows WHERE workspace_id = %s AND id = %s",
        (identity.workspace_id, window_id),
    )
    if not removed.rowcount:
        raise NotFound(f"There is no mute window {window_id}.")


def check_mute_window(draft: MuteWindowDraft) -> None:
    """Raises `InvalidInput` that names the field."""
    if not draft.name.strip() or len(draft.name) > 200:
        raise InvalidInput("A mute window has a name of at most 200 characters.", field="name")
    check_matchers(draft.matchers)
    try:
        ZoneInfo(draft.timezone)
    except (KeyError, ValueError, OSError):  # not found, no path of a zone, the folder of zones
        raise InvalidInput(
            f"There is no time zone {draft.timezone!r}; write one as Europe/Berlin.",
            field="timezone",
        ) from None
    if not 1 <= len(draft.intervals) <= MOST_INTERVALS:
        raise InvalidInput(f"A mute window has 1 to {MOST_INTERVALS} intervals.", field="intervals")
    for interval in draft.intervals:
        _check_interval(interval)


def _check_interval(interval: Interval) -> None:
    for text in (interval.start, interval.end):
        if not _TIME.fullmatch(text):
            raise InvalidInput(f"{text!r} is no time of day; write HH:MM.", field="intervals")
    if interval.start == interval.end:
        raise InvalidInput(
            "An interval ends at another time than it begins; for whole days take 00:00 to 12:00"
            " and 12:00 to 00:00.",
            field="intervals",
        )
    if unknown := set(interval.days) - set(DAYS):
        raise InvalidInput(
            f"{min(unknown)!r} is no day; they are {', '.join(DAYS)}.", field="intervals"
        )


def _write(draft: MuteWindowDraft) -> tuple[Any, ...]:
    return (
        draft.name.strip(),
        write_matchers(draft.matchers),
        draft.timezone,
        Jsonb([interval_json(one) for one in draft.intervals]),
        draft.enabled,
    )


def interval_json(interval: Interval) -> dict[str, Any]:
    """As it is stored, and shown."""
    return {
        "days": [day for day in DAYS if day in interval.days] or list(DAYS),
        "start": interval.start,
        "end": interval.end,
    }


def _read(row: Mapping[str, Any]) -> MuteWindow:
    values = dict(row)
    author, name = values.pop("author_id"), values.pop("author_name")
    intervals: Sequence[Mapping[str, Any]] = values["intervals"]
    return MuteWindow(
        **{
            **values,
            "matchers": read_matchers(row["matchers"]),
            "intervals": tuple(
                Interval(one["start"], one["end"], tuple(one.get("days") or DAYS))
                for one in intervals
            ),
            "author": None if author is None else Person(author, name or ""),
        }
    )
