"""The statements of API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.workspaces.model import ApiKey, KeyHolder

_KEY = "id, name, prefix, scopes, created_by, created_at, last_used_at, expires_at, revoked_at"


async def _one(connection: Connection, statement: str, *values: Any) -> dict[str, Any] | None:
    return await (await connection.execute(statement, values)).fetchone()


async def find_key(connection: Connection, key_hash: bytes, now: datetime) -> KeyHolder | None:
    """Who holds the key; None for an unknown, revoked or expired one."""
    row = await _one(connection, "SELECT * FROM convex.find_api_key(%s)", key_hash)
    if row is None or row["revoked_at"] is not None:
        return None
    if row["expires_at"] is not None and row["expires_at"] <= now:
        return None
    return KeyHolder(row["id"], row["workspace_id"], frozenset(row["scopes"]))


async def touch_keys(connection: Connection, ids: Sequence[UUID]) -> None:
    """These keys have just been used."""
    await connection.execute("SELECT convex.touch_api_keys(%s)", (list(ids),))


async def add_key(
    connection: Connection,
    workspace_id: UUID,
    *,
    name: str,
    prefix: str,
    key_hash: bytes,
    scopes: Sequence[str],
    created_by: UUID | None,
    expires_at: datetime | None,
) -> ApiKey:
    """Keep a key's hash."""
    row = await _one(
        connection,
        "INSERT INTO convex.api_keys"
        " (workspace_id, name, prefix, key_hash, scopes, created_by, expires_at)"
        f" VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING {_KEY}",
        workspace_id,
        name,
        prefix,
        key_hash,
        list(scopes),
        created_by,
        expires_at,
    )
    assert row is not None
    return ApiKey(**row)


async def list_keys(
    connection: Connection, workspace_id: UUID, limit: int, cursor: str | None
) -> Page[ApiKey]:
    """The keys that the identity sees, newest first, revoked ones too."""
    before = decode_cursor(cursor, str, UUID) or (None, None)
    rows = await (
        await connection.execute(
            f"SELECT {_KEY} FROM convex.api_keys WHERE workspace_id = %s"
            " AND (%s::timestamptz IS NULL OR (created_at, id) < (%s::timestamptz, %s::uuid))"
            " ORDER BY created_at DESC, id DESC LIMIT %s",
            (workspace_id, before[0], *before, limit + 1),
        )
    ).fetchall()
    items = [ApiKey(**row) for row in rows[:limit]]
    more = len(rows) > limit
    last = items[-1] if items else None
    return Page(
        items, encode_cursor(last.created_at.isoformat(), last.id) if more and last else None
    )


async def get_key(connection: Connection, workspace_id: UUID, key_id: UUID) -> ApiKey | None:
    """One key."""
    row = await _one(
        connection,
        f"SELECT {_KEY} FROM convex.api_keys WHERE workspace_id = %s AND id = %s",
        workspace_id,
        key_id,
    )
    return None if row is None else ApiKey(**row)


async def revoke_key(
    connection: Connection, workspace_id: UUID, key_id: UUID, now: datetime
) -> ApiKey | None:
    """End a key; a second time changes nothing."""
    row = await _one(
        connection,
        "UPDATE convex.api_keys SET revoked_at = coalesce(revoked_at, %s)"
        f" WHERE workspace_id = %s AND id = %s RETURNING {_KEY}",
        now,
        workspace_id,
        key_id,
    )
    return None if row is None else ApiKey(**row)
