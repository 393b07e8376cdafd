"""Inhibition rules: while a source is open, targets that share certain labels with it are not told.
Kept here; what one mutes is decided where notifications are planned. The caller owns the
transaction.

What fits the source matchers is never muted by the same rule, so no trigger can mute itself, nor
two each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from convex.alerts.matchers import read_matchers, write_matchers
from convex.alerts.model import Matcher, Person
from convex.alerts.silences import check_matchers
from convex.db import Connection, Identity
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import InvalidInput, NotFound, PreconditionFailed

MOST_LABELS = 20
_COLUMNS = (
    "i.id, i.name, i.source_matchers, i.target_matchers, i.equal_labels, i.enabled, i.author_id,"
    " u.name AS author_name, i.version, i.created_at, i.updated_at"
)
_FROM = "FROM convex.inhibition_rules AS i LEFT JOIN convex.users AS u ON u.id = i.author_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitionDraft:
    """What a member says about an inhibition rule."""

    name: str
    source_matchers: tuple[Matcher, ...]
    target_matchers: tuple[Matcher, ...]
    equal_labels: tuple[str, ...] = ()
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition(InhibitionDraft):
    """An inhibition rule as it is stored."""

    id: UUID
    author: Person | None
    version: int
    created_at: datetime
    updated_at: datetime


async def create_inhibition(
    connection: Connection, identity: Identity, draft: InhibitionDraft
) -> Inhibition:
    """Raises `InvalidInput`, naming the field."""
    check_inhibition(draft)
    rows = await connection.execute(
        "INSERT INTO convex.inhibition_rules (workspace_id, author_id, name, source_matchers,"
        " target_matchers, equal_labels, enabled) VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (identity.workspace_id, identity.user_id, *_write(draft)),
    )
    row = await rows.fetchone()
    assert row is not None
    return await get_inhibition(connection, identity, row["id"])


async def get_inhibition(
    connection: Connection, identity: Identity, inhibition_id: UUID
) -> Inhibition:
    """Raises `NotFound`."""
    rows = await connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE i.workspace_id = %s AND i.id = %s",
        (identity.workspace_id, inhibition_id),
    )
    row = await rows.fetchone()
    if row is None:
        raise NotFound(f"There is no inhibition rule {inhibition_id}.")
    return _read(row)


async def list_inhibitions(
    connection: Connection, identity: Identity, *, limit: int = 50, cursor: str | None = None
) -> Page[Inhibition]:
    """By name."""
    after = decode_cursor(cursor, str, UUID)
    name, inhibition_id = after if after is not None else (None, None)
    rows = await connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE i.workspace_id = %(workspace)s"
        " AND (%(name)s::text IS NULL OR (i.name, i.id) > (%(name)s::text, %(id)s::uuid))"
        " ORDER BY i.name, i.id LIMIT %(limit)s",
        {
            "workspace": identity.workspace_id,
            "name": name,
            "id": inhibition_id,
            "limit": limit + 1,
        },
    )
    found = [_read(row) for row in await rows.fetchall()]
    items = found[:limit]
    last = items[-1] if len(found) > limit else None
    return Page(items, encode_cursor(last.name, last.id) if last else None)


async def update_inhibition(
    connection: Connection,
    identity: Identity,
    inhibition_id: UUID,
    draft: InhibitionDraft,
    *,
    expected_version: int | None = None,
) -> Inhibition:
    """Make it as the draft says. Raises `NotFound`, `InvalidInput`, `PreconditionFailed`."""
    check_inhibition(draft)
    changed = await connection.execute(
        "UPDATE convex.inhibition_rules SET name = %s, source_matchers = %s, target_matchers = %s,"
        " equal_labels = %s, enabled = %s, version = version + 1, updated_at = now()"
        " WHERE workspace_id = %s AND id = %s AND version = coalesce(%s, version)",
        (*_write(draft), identity.workspace_id, inhibition_id, expected_version),
    )
    after = await get_inhibition(connection, identity, inhibition_id)
    if not changed.rowcount:
        raise PreconditionFailed("The rule has changed since you read it; read it again.")
    return after


async def delete_inhibition(
    connection: Connection, identity: Identity, inhibition_id: UUID
) -> None:
    """Raises `NotFound`."""
    removed = await connection.execute(
        "DELETE FROM convex.inhibition_rules WHERE workspace_id = %s AND id = %s",
        (identity.workspace_id, inhibition_id),
    )
    if not removed.rowcount:
        raise NotFound(f"There is no inhibition rule {inhibition_id}.")


def check_inhibition(draft: InhibitionDraft) -> None:
    """Raises `InvalidInput` that names the field."""
    if not draft.name.strip() or len(draft.name) > 200:
        raise InvalidInput("An inhibition rule has a name of at most 200 characters.", field="name")
    check_matchers(draft.source_matchers, "source_matchers")
    check_matchers(draft.target_matchers, "target_matchers")
    labels = draft.equal_labels
    if len(labels) > MOST_LABELS or len(set(labels)) != len(labels) or not all(labels):
        raise InvalidInput(
            f"equal_labels has at most {MOST_LABELS} entries, none of them empty or repeated.",
            field="equal_labels",
        )
    if set(draft.source_matchers) == set(draft.target_matchers):
        raise InvalidInput(
            "Source and target are the same, so nothing would ever be muted.",
            field="target_matchers",
        )


def _write(draft: InhibitionDraft) -> tuple[Any, ...]:
    return (
        draft.name.strip(),
        write_matchers(draft.source_matchers),
        write_matchers(draft.target_matchers),
        list(draft.equal_labels),
        draft.enabled,
    )


def _read(row: Mapping[str, Any]) -> Inhibition:
    values = dict(row)
    author, name = values.pop("author_id"), values.pop("author_name")
    return Inhibition(
        **{
            **values,
            "source_matchers": read_matchers(row["source_matchers"]),
            "target_matchers": read_matchers(row["target_matchers"]),
            "equal_labels": tuple(row["equal_labels"]),
            "author": None if author is None else Person(author, name or ""),
        }
    )
