"""Ways in: what there is, invitations, new passwords."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.schemas.shared import Body, Email, Shape, Slug


class Methods(Shape):
    """How one can sign in here."""

    password: bool
    oidc: str | None = Field(description="What the OpenID provider is called; null: there is none.")
    email: bool = Field(description="Whether a link to a new password can be mailed.")


class OidcSession(Body):
    """`workspace` is needed by people with several, else it is the one joined first."""

    workspace: Slug | None = Field(None, examples=["airports"])


class InvitationShape(Shape):
    """A link, as far as it may be shown."""

    url: str | None
    mailed: bool
    expires_at: datetime


class Forgotten(Body):
    """Whose password."""

    email: Email = Field(examples=["ada@example.com"])


class ChosenPassword(Body):
    """The part of the link behind #, and the password."""

    token: Annotated[str, Field(min_length=1, max_length=2000)]
    password: Annotated[
        str, Field(min_length=10, max_length=200, json_schema_extra={"format": "password"})
    ]
