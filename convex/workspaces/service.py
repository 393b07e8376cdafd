"""Workspaces, people, keys and sessions: what may be done with them.

Every function takes a connection and never commits. Where no identity is said, it acts as the
transaction's: convex_worker with `SYSTEM`, or convex_api with an owner's identity.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import available_timezones

from psycopg.errors import ForeignKeyViolation, UniqueViolation

from convex.db import Connection, Role
from convex.errors import Conflict, InvalidInput, NotAuthenticated, NotFound
from convex.workspaces import keys, store
from convex.workspaces.model import (
    MEMBER_ROLES,
    Account,
    ApiKey,
    Member,
    Membership,
    RefreshToken,
    Scope,
    User,
    Workspace,
)
from convex.workspaces.passwords import hash_password, verify_password
from convex.workspaces.tokens import (
    ACCESS_LIFETIME,
    REFRESH_LIFETIME,
    digest,
    new_api_key,
    new_refresh_token,
    sign_access_token,
)

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_EMAIL = re.compile(r"[^@\s\x00]{1,64}@[^@\s\x00]{1,190}")
WRONG_CREDENTIALS = "E-mail or password is wrong."


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in: the tokens, and whom they are for."""

    access_token: str
    refresh_token: str
    expires_in: int
    session_id: UUID
    user: User
    workspace: Membership


# -- tenants and people


async def create_user(
    connection: Connection, *, email: str, name: str, password: str | None, timezone: str = "UTC"
) -> User:
    """A new account; `password` None: it can only sign in by other means.

    Raises `InvalidInput`, and `Conflict` when the address has an account already.
    """
    address = check_email(email)
    check_timezone(timezone)
    hashed = None if password is None else await hash_password(password)
    try:
        async with connection.transaction():
            user_id = await store.create_user(connection, address, check_name(name), hashed)
    except UniqueViolation:
        raise Conflict(f"There is an account for {address} already.", email=address) from None
    if timezone != "UTC":
        await store.update_user(connection, user_id, timezone=timezone)
    return User(user_id, address, name.strip(), timezone)


async def create_workspace(connection: Connection, *, slug: str, name: str, owner_id: UUID) -> UUID:
    """A new tenant whose owner is `owner_id`; its id.

    Raises `InvalidInput`, `Conflict` when the slug is taken, `NotFound` without such a user.
    """
    check_slug(slug)
    try:
        async with connection.transaction():
            return await store.create_workspace(connection, slug, check_name(name), owner_id)
    except UniqueViolation:
        raise Conflict(f"The workspace name {slug!r} is taken.", slug=slug) from None
    except ForeignKeyViolation:
        raise NotFound("There is no user with that id.") from None


async def add_member(connection: Connection, workspace_id: UUID, user_id: UUID, role: Role) -> None:
    """Make a person a member, or give them another role (of viewer, editor, owner)."""
    if role not in MEMBER_ROLES:
        raise InvalidInput("A member is viewer, editor or owner.", field="role")
    await store.set_member(connection, workspace_id, user_id, role)


async def invite(
    connection: Connection,
    workspace_id: UUID,
    *,
    email: str,
    name: str,
    role: Role,
    password: str | None,
) -> Member:
    """Add a person by address, with a new account where there is none.

    The password of an account that exists is never touched. Raises `Conflict` for a member.
    """
    account = await store.find_account(connection, check_email(email))
    if account is None:
        user = await create_user(connection, email=email, name=name, password=password)
    else:
        user = account.user
        if await store.get_member(connection, workspace_id, user.id) is not None:
            raise Conflict(f"{user.email} is a member already.", email=user.email)
    await add_member(connection, workspace_id, user.id, role)
    member = await store.get_member(connection, workspace_id, user.id)
    assert member is not None
    return member


async def change_role(
    connection: Connection, workspace_id: UUID, user_id: UUID, role: Role
) -> Member:
    """Give a member another role. Raises `NotFound`; `Conflict` for the last owner."""
    owners = await store.lock_owners(connection, workspace_id)
    member = await store.get_member(connection, workspace_id, user_id)
    if member is None:
        raise NotFound("There is no member with that id.")
    if role is not Role.OWNER and owners == [user_id]:
        raise Conflict("A workspace keeps at least one owner; make somebody else owner first.")
    await add_member(connection, workspace_id, user_id, role)
    changed = await store.get_member(connection, workspace_id, user_id)
    assert changed is not None
    return changed


async def remove_member(connection: Connection, workspace_id: UUID, user_id: UUID) -> None:
    """Take a person out. Raises `NotFound`; `Conflict` for the last owner."""
    owners = await store.lock_owners(connection, workspace_id)
    if owners == [user_id]:
        raise Conflict("A workspace keeps at least one owner; make somebody else owner first.")
    if not await store.remove_member(connection, workspace_id, user_id):
        raise NotFound("There is no member with that id.")


async def update_workspace(
    connection: Connection,
    workspace_id: UUID,
    *,
    slug: str | None = None,
    name: str | None = None,
    timezone: str | None = None,
) -> Workspace:
    """Change what is given. Raises `InvalidInput`, `Conflict` for a slug that is taken."""
    if slug is not None:
        check_slug(slug)
    if timezone is not None:
        check_timezone(timezone)
    try:
        changed = await store.update_workspace(
            connection,
            workspace_id,
            slug=slug,
            name=None if name is None else check_name(name),
            timezone=timezone,
        )
    except UniqueViolation:
        raise Conflict(f"The workspace name {slug!r} is taken.", slug=slug) from None
    if changed is None:
        raise NotFound("There is no workspace with that id.")
    return changed


# -- API keys


async def create_api_key(
    connection: Connection,
    workspace_id: UUID,
    *,
    name: str,
    scopes: Sequence[str],
    created_by: UUID | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its plain text, which is never to be had again.

    `scopes` of read, ingest, write. Raises `InvalidInput`.
    """
    known = [scope.value for scope in Scope if scope.value in scopes]
    if not known or set(known) != set(scopes):
        raise InvalidInput("Scopes are read, ingest and write; give at least one.", field="scopes")
    plain = new_api_key()
    key = await keys.add_key(
        connection,
        workspace_id,
        name=check_name(name),
        prefix=plain[:12],
        key_hash=digest(plain),
        scopes=known,
        created_by=created_by,
        expires_at=expires_at,
    )
    return key, plain


# -- sessions


async def check_password(account: Account | None, password: str) -> Account:
    """The account, if it is its password. Takes the same time for an unknown address.

    Call it outside a transaction: it takes tens of milliseconds. Raises `NotAuthenticated`.
    """
    right = await verify_password(account.password_hash if account else None, password)
    if account is None or not right or account.disabled:
        raise NotAuthenticated(WRONG_CREDENTIALS)
    return account


def choose_workspace(workspaces: Sequence[Membership], slug: str | None) -> Membership:
    """The one named, else the one joined first.

    Raises `NotAuthenticated` when the person has none, or is not a member of the one named.
    """
    chosen = next((each for each in workspaces if slug in (None, each.slug)), None)
    if chosen is None:
        raise NotAuthenticated(
            "This account belongs to no workspace."
            if slug is None
            else f"This account does not belong to the workspace {slug!r}."
        )
    return chosen


async def open_session(
    connection: Connection, user: User, workspace: Membership, *, signing_key: str, now: datetime
) -> Session:
    """A new family of tokens, under the person's own identity."""
    await store.note_sign_in(connection, user.id, now)
    return await _issue(connection, user, workspace, uuid4(), signing_key, now)


async def rotate(
    connection: Connection,
    token: RefreshToken,
    workspace: Membership,
    *,
    signing_key: str,
    now: datetime,
) -> Session | None:
    """New tokens of the same family, under the person's own identity.

    None when the token was used, revoked or has expired; a used one has revoked its whole family,
    since either its thief or its owner has used it before. Commit in any case.
    """
    if token.revoked_at is not None or token.expires_at <= now:
        return None
    if not await store.use_refresh_token(connection, token.id, now):
        await store.revoke_family(connection, token.family_id, now)
        return None
    user = await store.get_user(connection, token.user_id)
    if user is None:
        return None
    return await _issue(connection, user, workspace, token.family_id, signing_key, now)


async def _issue(
    connection: Connection,
    user: User,
    workspace: Membership,
    family_id: UUID,
    signing_key: str,
    now: datetime,
) -> Session:
    refresh_token = new_refresh_token()
    await store.add_refresh_token(
        connection, workspace.id, user.id, family_id, digest(refresh_token), now + REFRESH_LIFETIME
    )
    access_token = sign_access_token(
        user.id, workspace.id, workspace.role, family_id, key=signing_key, now=now
    )
    lifetime = int(ACCESS_LIFETIME / timedelta(seconds=1))
    return Session(access_token, refresh_token, lifetime, family_id, user, workspace)


# -- words that people choose


def check_slug(slug: str) -> str:
    """Raises `InvalidInput` unless it can name a workspace."""
    if not _SLUG.fullmatch(slug):
        raise InvalidInput(
            "A workspace's slug has lower-case letters, digits and hyphens, at most 63.",
            field="slug",
        )
    return slug


def check_email(email: str) -> str:
    """The address in lower case. Raises `InvalidInput` for what cannot be one."""
    address = email.strip().lower()
    if not _EMAIL.fullmatch(address):
        raise InvalidInput(f"{email!r} is not an e-mail address.", field="email")
    return address


def check_name(name: str) -> str:
    """Without blanks around it. Raises `InvalidInput` for an empty, long or unprintable one."""
    trimmed = name.strip()
    if not 1 <= len(trimmed) <= 200 or not trimmed.isprintable():
        raise InvalidInput("A name has 1 to 200 printable characters.", field="name")
    return trimmed


def check_timezone(timezone: str) -> str:
    """Raises `InvalidInput` for a zone that the IANA database does not have."""
    if timezone not in available_timezones():
        raise InvalidInput(
            f"{timezone!r} is not an IANA time zone such as Europe/Berlin.", field="timezone"
        )
    return timezone
