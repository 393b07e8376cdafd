"""The statements of workspaces, people and keys. What needs no identity goes through functions."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from convex.db import Connection, Role
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.workspaces.model import (
    Account,
    Member,
    Membership,
    RefreshToken,
    User,
    Workspace,
)

_WORKSPACE = "id, slug, name, timezone, settings, created_at, updated_at, purge_at"
_MEMBER = (
    "m.user_id, u.email, u.name, u.timezone, m.role, m.created_at, u.last_sign_in_at"
    " FROM convex.members AS m INNER JOIN convex.users AS u ON u.id = m.user_id"
)


async def _one(connection: Connection, statement: str, *values: Any) -> dict[str, Any] | None:
    return await (await connection.execute(statement, values)).fetchone()


# -- before there is an identity


async def find_account(connection: Connection, email: str) -> Account | None:
    """The account with this address, whatever its case."""
    row = await _one(connection, "SELECT * FROM convex.find_user(%s)", email)
    if row is None:
        return None
    user = User(row["id"], row["email"], row["name"], row["timezone"])
    return Account(user, row["password_hash"], row["disabled_at"] is not None)


async def memberships(connection: Connection, user_id: UUID) -> list[Membership]:
    """The workspaces of a person, the one they joined first at the front."""
    rows = await connection.execute("SELECT * FROM convex.workspaces_of(%s)", (user_id,))
    return [
        Membership(row["id"], row["slug"], row["name"], row["timezone"], Role(row["role"]))
        for row in await rows.fetchall()
    ]


async def find_refresh_token(connection: Connection, token_hash: bytes) -> RefreshToken | None:
    """The token, if its person is still a member and not disabled."""
    row = await _one(connection, "SELECT * FROM convex.find_refresh_token(%s)", token_hash)
    if row is None:
        return None
    return RefreshToken(**{**row, "role": Role(row["role"])})


async def create_user(
    connection: Connection, email: str, name: str, password_hash: str | None
) -> UUID:
    """A new account. Raises psycopg's `UniqueViolation` when the address is taken."""
    row = await _one(
        connection, "SELECT convex.create_user(%s, %s, %s) AS id", email, name, password_hash
    )
    assert row is not None
    return UUID(str(row["id"]))


async def create_workspace(connection: Connection, slug: str, name: str, owner_id: UUID) -> UUID:
    """A new tenant with its owner. Raises psycopg's `UniqueViolation` when the slug is taken."""
    row = await _one(
        connection, "SELECT convex.create_workspace(%s, %s, %s) AS id", slug, name, owner_id
    )
    assert row is not None
    return UUID(str(row["id"]))


# -- sessions


async def add_refresh_token(
    connection: Connection,
    workspace_id: UUID,
    user_id: UUID,
    family_id: UUID,
    token_hash: bytes,
    expires_at: datetime,
) -> None:
    """Keep a token's hash."""
    await connection.execute(
        "INSERT INTO convex.refresh_tokens"
        " (workspace_id, user_id, family_id, token_hash, expires_at) VALUES (%s, %s, %s, %s, %s)",
        (workspace_id, user_id, family_id, token_hash, expires_at),
    )


async def use_refresh_token(connection: Connection, token_id: UUID, now: datetime) -> bool:
    """Mark it used; False when somebody was faster."""
    row = await _one(
        connection,
        "UPDATE convex.refresh_tokens SET used_at = %s"
        " WHERE id = %s AND used_at IS NULL AND revoked_at IS NULL RETURNING id",
        now,
        token_id,
    )
    return row is not None


async def revoke_family(connection: Connection, family_id: UUID, now: datetime) -> None:
    """End a session: none of its tokens is good for anything any more.

    The rows are locked in one order, so that two who end it at once wait instead of deadlocking.
    """
    await connection.execute(
        "WITH family AS (SELECT id FROM convex.refresh_tokens"
        "  WHERE family_id = %s AND revoked_at IS NULL ORDER BY id FOR UPDATE)"
        " UPDATE convex.refresh_tokens AS t SET revoked_at = %s FROM family WHERE t.id = family.id",
        (family_id, now),
    )


async def note_sign_in(connection: Connection, user_id: UUID, now: datetime) -> None:
    """Remember when a person came last."""
    await connection.execute(
        "UPDATE convex.users SET last_sign_in_at = %s WHERE id = %s", (now, user_id)
    )


async def live_role(
    connection: Connection, workspace_id: UUID, user_id: UUID, session_id: UUID
) -> Role | None:
    """The member's role now; None when they left, are disabled, or the session has been ended."""
    row = await _one(
        connection,
        "SELECT m.role FROM convex.members AS m"
        " INNER JOIN convex.users AS u ON u.id = m.user_id AND u.disabled_at IS NULL"
        " WHERE m.workspace_id = %s AND m.user_id = %s AND EXISTS ("
        "  SELECT 1 FROM convex.refresh_tokens AS t"
        "  WHERE t.family_id = %s AND t.user_id = m.user_id AND t.revoked_at IS NULL)",
        workspace_id,
        user_id,
        session_id,
    )
    return None if row is None else Role(row["role"])


# -- the workspace and its people


async def get_workspace(connection: Connection, workspace_id: UUID) -> Workspace | None:
    """The acting workspace."""
    row = await _one(
        connection, f"SELECT {_WORKSPACE} FROM convex.workspaces WHERE id = %s", workspace_id
    )
    return None if row is None else Workspace(**row)


async def find_workspace(connection: Connection, slug: str) -> Workspace | None:
    """By its slug, among those that the identity sees."""
    row = await _one(
        connection, f"SELECT {_WORKSPACE} FROM convex.workspaces WHERE slug = %s", slug
    )
    return None if row is None else Workspace(**row)


async def list_workspaces(connection: Connection) -> list[Workspace]:
    """Every workspace that the identity sees, by slug: all of them for `SYSTEM`."""
    rows = await connection.execute(f"SELECT {_WORKSPACE} FROM convex.workspaces ORDER BY slug")
    return [Workspace(**row) for row in await rows.fetchall()]


async def update_workspace(
    connection: Connection,
    workspace_id: UUID,
    *,
    slug: str | None = None,
    name: str | None = None,
    timezone: str | None = None,
) -> Workspace | None:
    """Change what is given."""
    row = await _one(
        connection,
        "UPDATE convex.workspaces SET slug = coalesce(%s, slug), name = coalesce(%s, name),"
        " timezone = coalesce(%s, timezone), updated_at = now() WHERE id = %s"
        f" RETURNING {_WORKSPACE}",
        slug,
        name,
        timezone,
        workspace_id,
    )
    return None if row is None else Workspace(**row)


async def delete_workspace(connection: Connection, workspace_id: UUID) -> bool:
    """Remove the tenant and everything of it."""
    row = await _one(
        connection, "DELETE FROM convex.workspaces WHERE id = %s RETURNING id", workspace_id
    )
    return row is not None


async def get_user(connection: Connection, user_id: UUID) -> User | None:
    """A person that the identity sees."""
    row = await _one(
        connection, "SELECT id, email, name, timezone FROM convex.users WHERE id = %s", user_id
    )
    return None if row is None else User(**row)


async def update_user(
    connection: Connection,
    user_id: UUID,
    *,
    name: str | None = None,
    timezone: str | None = None,
) -> User | None:
    """Change what is given, of oneself."""
    row = await _one(
        connection,
        "UPDATE convex.users SET name = coalesce(%s, name), timezone = coalesce(%s, timezone),"
        " updated_at = now() WHERE id = %s RETURNING id, email, name, timezone",
        name,
        timezone,
        user_id,
    )
    return None if row is None else User(**row)


async def set_password(connection: Connection, user_id: UUID, password_hash: str) -> None:
    """Replace one's own password."""
    await connection.execute(
        "UPDATE convex.users SET password_hash = %s, updated_at = now() WHERE id = %s",
        (password_hash, user_id),
    )


async def replace_password(
    connection: Connection, user: User, before: str | None, password_hash: str
) -> bool:
    """Replace one's own password unless it is no longer `before`; whether it was replaced."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (user.email,))
    row = await _one(
        connection,
        "UPDATE convex.users SET password_hash = %s, updated_at = now() WHERE id = %s AND EXISTS ("
        "  SELECT 1 FROM convex.find_user(%s) AS f WHERE f.password_hash IS NOT DISTINCT FROM %s)"
        " RETURNING id",
        password_hash,
        user.id,
        user.email,
        before,
    )
    return row is not None


async def end_other_sessions(
    connection: Connection, user_id: UUID, kept: UUID, now: datetime
) -> None:
    """Revoke every session of a person in the acting workspace but this one."""
    await connection.execute(
        "UPDATE convex.refresh_tokens SET revoked_at = %s"
        " WHERE user_id = %s AND family_id <> %s AND revoked_at IS NULL",
        (now, user_id, kept),
    )


async def list_members(
    connection: Connection, workspace_id: UUID, limit: int, cursor: str | None
) -> Page[Member]:
    """The people of a workspace by name."""
    after = decode_cursor(cursor, str, UUID) or (None, None)
    rows = await (
        await connection.execute(
            f"SELECT {_MEMBER} WHERE m.workspace_id = %s"
            " AND (%s::text IS NULL OR (u.name, m.user_id) > (%s, %s::uuid))"
            " ORDER BY u.name, m.user_id LIMIT %s",
            (workspace_id, after[0], *after, limit + 1),
        )
    ).fetchall()
    items = [Member(**{**row, "role": Role(row["role"])}) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, encode_cursor(items[-1].name, items[-1].user_id) if more else None)


async def get_member(connection: Connection, workspace_id: UUID, user_id: UUID) -> Member | None:
    """One person of a workspace."""
    row = await _one(
        connection,
        f"SELECT {_MEMBER} WHERE m.workspace_id = %s AND m.user_id = %s",
        workspace_id,
        user_id,
    )
    return None if row is None else Member(**{**row, "role": Role(row["role"])})


async def set_member(connection: Connection, workspace_id: UUID, user_id: UUID, role: Role) -> None:
    """Make a person a member, or change their role."""
    await connection.execute(
        "INSERT INTO convex.members (workspace_id, user_id, role) VALUES (%s, %s, %s)"
        " ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role",
        (workspace_id, user_id, role.value),
    )


async def remove_member(connection: Connection, workspace_id: UUID, user_id: UUID) -> bool:
    """Take a person out of the workspace; the account stays."""
    row = await _one(
        connection,
        "DELETE FROM convex.members WHERE workspace_id = %s AND user_id = %s RETURNING user_id",
        workspace_id,
        user_id,
    )
    return row is not None


async def lock_owners(connection: Connection, workspace_id: UUID) -> list[UUID]:
    """The owners, locked until the transaction ends, so that the last one cannot go twice."""
    rows = await connection.execute(
        "SELECT user_id FROM convex.members WHERE workspace_id = %s AND role = 'owner'"
        " ORDER BY user_id FOR UPDATE",
        (workspace_id,),
    )
    return [row["user_id"] for row in await rows.fetchall()]
