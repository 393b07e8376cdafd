"""Sign-in, tokens, and oneself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.shared import Body, Email, Name, Shape, Slug
from convex.workspaces.model import Membership, Workspace
from convex.workspaces.service import Session

RoleName = Literal["viewer", "editor", "owner"]
Password = Annotated[
    str, Field(min_length=1, max_length=200, json_schema_extra={"format": "password"})
]
Timezone = Annotated[str, Field(min_length=1, max_length=64, examples=["Europe/Berlin"])]


class SignIn(Body):
    """Who one is; `workspace` is needed by people with several, else it is the first joined."""

    email: Email = Field(examples=["owner@example.com"])
    password: Password = Field(examples=["correct horse battery"])
    workspace: Slug | None = Field(None, examples=["airports"])


class RefreshTokenBody(Body):
    """The refresh token of the last sign-in or refresh."""

    refresh_token: str = Field(min_length=1, max_length=200)


class UserShape(Shape):
    """A person."""

    id: UUID
    email: str
    name: str
    timezone: str


class WorkspaceRef(Shape):
    """A workspace, in short."""

    id: UUID
    slug: str
    name: str
    timezone: str


class SessionShape(Shape):
    """Tokens. The access token is good for `expires_in` seconds, the refresh token once."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: int
    user: UserShape
    workspace: WorkspaceRef
    role: RoleName


class MembershipShape(Shape):
    """One of the caller's workspaces."""

    id: UUID
    slug: str
    name: str
    role: RoleName


class Me(Shape):
    """The caller. For an API key `user` is null and `role` is what its scopes amount to."""

    user: UserShape | None
    workspace: WorkspaceRef
    role: Literal["viewer", "editor", "owner", "ingest"]
    workspaces: list[MembershipShape]


class MeChange(Body):
    """What one may change of oneself."""

    name: Name | None = None
    timezone: Timezone | None = None


class PasswordChange(Body):
    """A new password; every other session ends."""

    current_password: Password
    new_password: Annotated[str, Field(min_length=10, max_length=200)]


def session_json(session: Session) -> dict[str, object]:
    """As `SessionShape`."""
    place = session.workspace
    return {
        "access_token": session.access_token,
        "refresh_token": session.refresh_token,
        "token_type": "bearer",
        "expires_in": session.expires_in,
        "user": session.user,
        "workspace": workspace_ref(place),
        "role": place.role,
    }


def workspace_ref(workspace: Membership | Workspace) -> dict[str, object]:
    """As `WorkspaceRef`."""
    return {
        "id": workspace.id,
        "slug": workspace.slug,
        "name": workspace.name,
        "timezone": workspace.timezone,
    }


def memberships_json(memberships: Sequence[Membership]) -> list[dict[str, object]]:
    """As `MembershipShape`, each."""
    return [{"id": m.id, "slug": m.slug, "name": m.name, "role": m.role} for m in memberships]
