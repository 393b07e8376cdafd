"""Silences: a time-limited mute with matchers, an end, an author and a reason. Kept here; what they
mute is decided where notifications are planned. The caller owns the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from convex.alerts.matchers import check_matcher, fits, read_matchers, write_matchers
from convex.alerts.model import Matcher, Operator, Person
from convex.db import Connection, Identity
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import Conflict, InvalidInput, NotFound, PreconditionFailed

LONGEST = timedelta(days=366)
MOST_MATCHERS = 20
STATES = ("pending", "active", "expired")
MANY_OPEN, LARGEST_SHARE = 10, 0.5  # from how many open triggers on, which share is too many
_PROBES = (
    "",
    "\u2063 no label has this value 7f3c \u2063",
)  # a pattern that fits one fits anything
_COLUMNS = (
    "s.id, s.matchers, s.starts_at, s.ends_at, s.author_id, u.name AS author_name, s.reason,"
    " s.version, s.created_at, s.updated_at"
)
_FROM = "FROM convex.silences AS s LEFT JOIN convex.users AS u ON u.id = s.author_id"


@dataclass(frozen=True, slots=True)
class Silence:
    """A mute from `starts_at` to `ends_at` of every trigger that all matchers fit."""

    id: UUID
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    author: Person | None
    reason: str
    version: int
    created_at: datetime
    updated_at: datetime

    def state(self, now: datetime) -> str:
        """`pending`, `active` or `expired`."""
        if now < self.starts_at:
            return "pending"
        return "active" if now < self.ends_at else "expired"


async def create_silence(
    connection: Connection,
    identity: Identity,
    *,
    matchers: Sequence[Matcher],
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    now: datetime,
    broad: str | None = None,
) -> Silence:
    """Mute something for a while. Raises `InvalidInput`, naming the field.

    `broad` is what `too_broad` says, unless the caller has confirmed it: `Conflict` then.
    """
    check_matchers(matchers)
    _refuse_broad(broad)
    _check_times(starts_at, ends_at)
    if ends_at <= now:
        raise InvalidInput("The silence would be over already.", field="ends_at")
    rows = await connection.execute(
        "INSERT INTO convex.silences (workspace_id, matchers, starts_at, ends_at, author_id,"
        " reason) VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        (
            identity.workspace_id,
            write_matchers(matchers),
            starts_at,
            ends_at,
            identity.user_id,
            _check_reason(reason),
        ),
    )
    row = await rows.fetchone()
    assert row is not None
    return await get_silence(connection, identity, row["id"])


async def get_silence(connection: Connection, identity: Identity, silence_id: UUID) -> Silence:
    """Raises `NotFound`."""
    rows = await connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE s.workspace_id = %s AND s.id = %s",
        (identity.workspace_id, silence_id),
    )
    row = await rows.fetchone()
    if row is None:
        raise NotFound(f"There is no silence {silence_id}.")
    return _read(row)


async def list_silences(
    connection: Connection,
    identity: Identity,
    *,
    now: datetime,
    state: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Silence]:
    """Those that end last come first; `state` is one of `STATES`."""
    after = decode_cursor(cursor, datetime, UUID)
    ends_at, silence_id = after if after is not None else (None, None)
    rows = await connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE s.workspace_id = %(workspace)s"
        " AND (%(state)s::text IS NULL OR %(state)s = CASE WHEN s.starts_at > %(now)s"
        " THEN 'pending' WHEN s.ends_at > %(now)s THEN 'active' ELSE 'expired' END)"
        " AND (%(ends_at)s::timestamptz IS NULL"
        " OR (s.ends_at, s.id) < (%(ends_at)s::timestamptz, %(id)s::uuid))"
        " ORDER BY s.ends_at DESC, s.id DESC LIMIT %(limit)s",
        {
            "workspace": identity.workspace_id,
            "state": state,
            "now": now,
            "ends_at": ends_at,
            "id": silence_id,
            "limit": limit + 1,
        },
    )
    found = [_read(row) for row in await rows.fetchall()]
    items = found[:limit]
    last = items[-1] if len(found) > limit else None
    return Page(items, encode_cursor(last.ends_at.isoformat(), last.id) if last else None)


async def update_silence(
    connection: Connection,
    identity: Identity,
    silence_id: UUID,
    *,
    matchers: Sequence[Matcher] | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    reason: str | None = None,
    now: datetime,
    broad: str | None = None,
    expected_version: int | None = None,
) -> Silence:
    """Change what is given; an end in the past ends it now. One that is over stays as it is.

    `broad` is as in `create_silence`, about other matchers than it has. Raises `NotFound`,
    `InvalidInput`, `PreconditionFailed`, `Conflict`.
    """
    _refuse_broad(broad)
    rows = await connection.execute(
        "SELECT version FROM convex.silences WHERE workspace_id = %s AND id = %s FOR UPDATE",
        (identity.workspace_id, silence_id),
    )
    if await rows.fetchone() is None:
        raise NotFound(f"There is no silence {silence_id}.")
    before = await get_silence(connection, identity, silence_id)
    if expected_version is not None and before.version != expected_version:
        raise PreconditionFailed("The silence has changed since you read it; read it again.")
    if before.state(now) == "expired":
        raise InvalidInput("The silence is over; make a new one.", field="ends_at")
    start = starts_at or before.starts_at
    end = before.ends_at if ends_at is None else max(ends_at, now)
    if end <= start and ends_at is not None and ends_at <= now:
        start = end - timedelta(microseconds=1)  # ended before it began
    _check_times(start, end)
    if matchers is not None:
        check_matchers(matchers)
    await connection.execute(
        "UPDATE convex.silences SET matchers = %s, starts_at = %s, ends_at = %s, reason = %s,"
        " version = version + 1, updated_at = now() WHERE workspace_id = %s AND id = %s",
        (
            write_matchers(before.matchers if matchers is None else matchers),
            start,
            end,
            before.reason if reason is None else _check_reason(reason),
            identity.workspace_id,
            silence_id,
        ),
    )
    return await get_silence(connection, identity, silence_id)


async def delete_silence(connection: Connection, identity: Identity, silence_id: UUID) -> None:
    """Take it away altogether. Raises `NotFound`."""
    removed = await connection.execute(
        "DELETE FROM convex.silences WHERE workspace_id = %s AND id = %s",
        (identity.workspace_id, silence_id),
    )
    if not removed.rowcount:
        raise NotFound(f"There is no silence {silence_id}.")


def check_matchers(matchers: Sequence[Matcher], field: str = "matchers") -> None:
    """Raises `InvalidInput`: without matchers everything would be muted."""
    if not 1 <= len(matchers) <= MOST_MATCHERS:
        raise InvalidInput(f"There must be 1 to {MOST_MATCHERS} matchers.", field=field)
    for matcher in matchers:
        check_matcher(matcher, field)


def too_broad(matchers: Sequence[Matcher], fitting: int, open_now: int) -> str | None:
    """Why these matchers would mute more than anyone means, None if they do not.

    `fitting` of the `open_now` open triggers are those that they fit. A matcher that fits whatever
    a label holds narrows nothing; neither does one that only leaves something out.
    """
    if not any(_narrows(one) for one in matchers):
        return (
            "No matcher says what is meant: each of them fits (nearly) every alert. Name a rule, a"
            " framework, a severity or a label's value, or confirm that everything is meant."
        )
    if open_now >= MANY_OPEN and fitting > open_now * LARGEST_SHARE:
        return (
            f"It would mute {fitting} of the {open_now} open triggers. Narrow it, or confirm that"
            " so many are meant."
        )
    return None


def _narrows(matcher: Matcher) -> bool:
    if matcher.operator is Operator.EQUAL:
        return matcher.value != ""
    if matcher.operator is Operator.MATCHES:
        return not any(fits(matcher.value, probe) for probe in _PROBES)
    return False


def _refuse_broad(broad: str | None) -> None:
    if broad is not None:
        raise Conflict(broad, field="confirm_broad")


def _check_times(starts_at: datetime, ends_at: datetime) -> None:
    if ends_at <= starts_at:
        raise InvalidInput("A silence ends after it begins.", field="ends_at")
    if ends_at - starts_at > LONGEST:
        raise InvalidInput("A silence lasts at most a year.", field="ends_at")


def _check_reason(reason: str) -> str:
    if not reason.strip() or len(reason) > 2000:
        raise InvalidInput("A silence needs a reason, of at most 2000 characters.", field="reason")
    return reason.strip()


def _read(row: Mapping[str, Any]) -> Silence:
    values = dict(row)
    author, name = values.pop("author_id"), values.pop("author_name")
    person = None if author is None else Person(author, name or "")
    return Silence(**{**values, "matchers": read_matchers(row["matchers"]), "author": person})
