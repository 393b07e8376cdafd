"""Who is calling: access tokens and API keys, checked against the database at most every 10 s.

A signature alone would let a removed member go on for an hour; a query per request would be the
dearest part of most requests. So what the database said is remembered for a few seconds per
process, and forgotten at once where this process itself changed it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

from psycopg import Error
from psycopg_pool import PoolTimeout

from convex.db import Database, Identity, Role
from convex.errors import NotAuthenticated, NotPermitted
from convex.telemetry import get_log
from convex.workspaces import keys, store
from convex.workspaces.model import KeyHolder, Scope
from convex.workspaces.tokens import KEY_PREFIX, digest, read_access_token

_REMEMBER_SECONDS = 10.0
_FLUSH_SECONDS = 15.0
_MOST_REMEMBERED = 10_000
_NOBODY = Identity(None, Role.VIEWER)

_log = get_log(__name__)
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated member or key.

    `role` is what the caller may do at most; a key that may only ingest has `Role.INGEST`, and one
    that may read and ingest is a viewer with `may_ingest`.
    """

    workspace_id: UUID
    role: Role
    may_ingest: bool
    user_id: UUID | None = None
    session_id: UUID | None = None
    api_key_id: UUID | None = None
    expires_at: datetime | None = None

    @property
    def identity(self) -> Identity:
        """As whom transactions run."""
        return Identity(self.workspace_id, self.role, self.user_id, self.api_key_id)

    @property
    def ingesting(self) -> Identity:
        """As whom batches of points are written. Raises `NotPermitted`."""
        if not self.may_ingest:
            raise NotPermitted(
                "This key has not the scope ingest."
                if self.api_key_id
                else "A viewer cannot send points; an editor or owner can."
            )
        role = Role.INGEST if self.role is Role.VIEWER else self.role
        return Identity(self.workspace_id, role, self.user_id, self.api_key_id)

    @property
    def name(self) -> str:
        """Under which limits are counted and lines are logged."""
        return f"key:{self.api_key_id}" if self.api_key_id else f"user:{self.user_id}"


class _Memory(Generic[K, V]):
    """Answers for a few seconds, the oldest given up first."""

    def __init__(self) -> None:
        self._kept: dict[K, tuple[float, V]] = {}

    def get(self, key: K, now: float) -> V | None:
        kept = self._kept.get(key)
        return kept[1] if kept is not None and kept[0] > now else None

    def keep(self, key: K, value: V, now: float) -> None:
        if len(self._kept) >= _MOST_REMEMBERED:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (now + _REMEMBER_SECONDS, value)

    def forget(self) -> None:
        self._kept.clear()


class Authenticator:
    """Turns a bearer token into a `Caller`."""

    def __init__(self, database: Database, signing_key: str) -> None:
        self._database = database
        self._signing_key = signing_key
        self._roles: _Memory[tuple[UUID, UUID, UUID], Role] = _Memory()
        self._keys: _Memory[bytes, KeyHolder] = _Memory()
        self._used: set[UUID] = set()

    async def authenticate(self, token: str) -> Caller:
        """Raises `NotAuthenticated` for a token or key that is not valid, or no longer."""
        if token.startswith(KEY_PREFIX):
            return await self._by_key(token)
        return await self._by_token(token)

    def forget(self) -> None:
        """Somebody's role, session or key was changed by this process."""
        self._roles.forget()
        self._keys.forget()

    async def run(self) -> None:
        """Write down now and then which keys were used; for ever, cancel it to stop."""
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write down which keys were used since the last time."""
        used, self._used = self._used, set()
        if not used:
            return
        try:
            async with self._database.transaction(_NOBODY) as connection:
                await keys.touch_keys(connection, sorted(used))
        except (Error, PoolTimeout, OSError) as error:
            self._used |= used
            _log.warning("use of keys not written", error=type(error).__name__)

    async def _by_token(self, token: str) -> Caller:
        access = read_access_token(token, key=self._signing_key)
        now = asyncio.get_running_loop().time()
        key = (access.workspace_id, access.user_id, access.session_id)
        role = self._roles.get(key, now)
        if role is None:
            identity = Identity(access.workspace_id, Role.VIEWER, access.user_id)
            async with self._database.transaction(identity) as connection:
                role = await store.live_role(connection, *key)
            if role is None:
                raise NotAuthenticated("This session has been ended; sign in again.")
            self._roles.keep(key, role, now)
        return Caller(
            access.workspace_id,
            role,
            may_ingest=role is not Role.VIEWER,
            user_id=access.user_id,
            session_id=access.session_id,
            expires_at=access.expires_at,
        )

    async def _by_key(self, plain: str) -> Caller:
        key_hash = digest(plain)
        now = asyncio.get_running_loop().time()
        holder = self._keys.get(key_hash, now)
        if holder is None:
            async with self._database.transaction(_NOBODY) as connection:
                holder = await keys.find_key(connection, key_hash, datetime.now(UTC))
            if holder is None:
                raise NotAuthenticated("This API key does not exist, was revoked or has expired.")
            self._keys.keep(key_hash, holder, now)
        self._used.add(holder.api_key_id)
        if Scope.WRITE in holder.scopes:
            role = Role.EDITOR
        elif Scope.READ in holder.scopes:
            role = Role.VIEWER
        else:
            role = Role.INGEST
        return Caller(
            holder.workspace_id,
            role,
            may_ingest=bool(holder.scopes & {Scope.INGEST, Scope.WRITE}),
            api_key_id=holder.api_key_id,
        )
