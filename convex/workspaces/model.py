"""Workspaces, people, keys and sessions as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from convex.db import Role

MEMBER_ROLES = (Role.VIEWER, Role.EDITOR, Role.OWNER)


class Scope(StrEnum):
    """What an API key may do: `write` includes the other two."""

    READ = "read"
    INGEST = "ingest"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tenant."""

    id: UUID
    slug: str
    name: str
    timezone: str
    settings: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    purge_at: datetime | None = None  # its deletion is scheduled for then


@dataclass(frozen=True, slots=True)
class User:
    """A person."""

    id: UUID
    email: str
    name: str
    timezone: str


@dataclass(frozen=True, slots=True)
class Account:
    """A person as sign-in needs them; `password_hash` None: no password was set."""

    user: User
    password_hash: str | None
    disabled: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """One workspace of a person."""

    id: UUID
    slug: str
    name: str
    timezone: str
    role: Role


@dataclass(frozen=True, slots=True)
class Member:
    """One person of a workspace."""

    user_id: UUID
    email: str
    name: str
    timezone: str
    role: Role
    created_at: datetime
    last_sign_in_at: datetime | None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it can be shown again: never the key itself."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    created_by: UUID | None
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Who comes with an API key."""

    api_key_id: UUID
    workspace_id: UUID
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token that is known, usable or not, and the member's role today."""

    id: UUID
    workspace_id: UUID
    user_id: UUID
    family_id: UUID
    role: Role
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One link of the audit chain; `hash` covers it and the link before."""

    sequence: int
    at: datetime
    user_id: UUID | None
    user_name: str | None
    api_key_id: UUID | None
    role: str
    action: str
    table_name: str
    row_key: str
    change: Mapping[str, Any]
    hash: bytes
