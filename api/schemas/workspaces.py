"""Workspaces, members, API keys, the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.auth import RoleName, Timezone
from api.schemas.shared import Body, Email, Instant, Name, Shape, Slug
from convex.workspaces.model import ApiKey, AuditEntry, Member, Workspace

ScopeName = Literal["read", "ingest", "write"]


class WorkspaceShape(Shape):
    """A tenant."""

    id: UUID
    slug: str
    name: str
    timezone: str
    role: str
    created_at: datetime
    updated_at: datetime
    purge_at: datetime | None = Field(
        description="When it will be deleted with all of its data; null: it stays."
    )


class WorkspaceNew(Body):
    """A new workspace; whoever makes it is its owner."""

    slug: Slug = Field(examples=["airports"])
    name: Name = Field(examples=["Airports of New York"])


class WorkspaceChange(Body):
    """What is given is changed."""

    slug: Slug | None = None
    name: Name | None = None
    timezone: Timezone | None = None


class MemberShape(Shape):
    """A person in the workspace."""

    id: UUID
    email: str
    name: str
    timezone: str
    role: RoleName
    joined_at: datetime
    last_sign_in_at: datetime | None


class MemberNew(Body):
    """Somebody to add. An account that exists is added as it is; else `password` is its first."""

    email: Email = Field(examples=["ada@example.com"])
    name: Name = Field(examples=["Ada"])
    role: RoleName = "viewer"
    password: Annotated[str, Field(min_length=10, max_length=200)] | None = None


class MemberChange(Body):
    """Another role."""

    role: RoleName


class ApiKeyShape(Shape):
    """A key, as far as it can be shown."""

    id: UUID
    name: str
    prefix: str
    scopes: list[ScopeName]
    created_by: UUID | None
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class ApiKeyCreated(ApiKeyShape):
    """A new key; `key` is shown this once."""

    key: str


class ApiKeyNew(Body):
    """A new key."""

    name: Name = Field(examples=["collector"])
    scopes: list[ScopeName] = Field(min_length=1, max_length=3, examples=[["ingest"]])
    expires_at: Instant | None = None


class AuditShape(Shape):
    """One entry. `change` maps a column to its value before and after."""

    sequence: int
    at: datetime
    user: dict[str, Any] | None
    api_key_id: UUID | None
    role: str
    action: Literal["INSERT", "UPDATE", "DELETE"]
    table: str
    row: str
    change: dict[str, Any]
    hash: str = Field(description="SHA-256 over this entry and the hash before it, in hex.")


class AuditBreak(Shape):
    """Where the chain does not hold."""

    sequence: int
    problem: str


class AuditVerification(Shape):
    """Whether the chain is whole."""

    whole: bool
    entries: int
    breaks: list[AuditBreak]


def workspace_json(workspace: Workspace, role: str) -> dict[str, object]:
    """As `WorkspaceShape`."""
    return {
        "id": workspace.id,
        "slug": workspace.slug,
        "name": workspace.name,
        "timezone": workspace.timezone,
        "role": role,
        "created_at": workspace.created_at,
        "updated_at": workspace.updated_at,
        "purge_at": workspace.purge_at,
    }


def member_json(member: Member) -> dict[str, object]:
    """As `MemberShape`."""
    return {
        "id": member.user_id,
        "email": member.email,
        "name": member.name,
        "timezone": member.timezone,
        "role": member.role,
        "joined_at": member.created_at,
        "last_sign_in_at": member.last_sign_in_at,
    }


def key_json(key: ApiKey) -> ApiKey:
    """As `ApiKeyShape`: the value itself holds nothing secret."""
    return key


def audit_json(entry: AuditEntry) -> dict[str, object]:
    """As `AuditShape`."""
    return {
        "sequence": entry.sequence,
        "at": entry.at,
        "user": None if entry.user_id is None else {"id": entry.user_id, "name": entry.user_name},
        "api_key_id": entry.api_key_id,
        "role": entry.role,
        "action": entry.action,
        "table": entry.table_name,
        "row": entry.row_key,
        "change": entry.change,
        "hash": bytes(entry.hash).hex(),
    }
