"""Access tokens (JWT), refresh tokens and API keys: how they look, and what is kept of them."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import jwt

from convex.db import Role
from convex.errors import NotAuthenticated
from convex.workspaces.model import MEMBER_ROLES

ACCESS_LIFETIME = timedelta(hours=1)
REFRESH_LIFETIME = timedelta(days=30)
KEY_PREFIX = "cvx_"
_ISSUER = "convex"
_ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What an access token says. `session_id` is the family of refresh tokens that it came with."""

    user_id: UUID
    workspace_id: UUID
    role: Role
    session_id: UUID
    token_id: UUID
    expires_at: datetime


def sign_access_token(
    user_id: UUID, workspace_id: UUID, role: Role, session_id: UUID, *, key: str, now: datetime
) -> str:
    """A JWT (HS256) valid for `ACCESS_LIFETIME` from `now`."""
    claims = {
        "iss": _ISSUER,
        "sub": str(user_id),
        "wid": str(workspace_id),
        "role": role.value,
        "sid": str(session_id),
        "jti": str(uuid4()),
        "iat": int(now.timestamp()),
        "exp": int((now + ACCESS_LIFETIME).timestamp()),
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def read_access_token(token: str, *, key: str) -> AccessToken:
    """Check signature, algorithm, issuer and time. Raises `NotAuthenticated`."""
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            options={"require": ["exp", "iat", "sub", "jti", "iss"]},
        )
        role = Role(claims["role"])
        if role not in MEMBER_ROLES:
            raise ValueError(role)
        return AccessToken(
            user_id=UUID(claims["sub"]),
            workspace_id=UUID(claims["wid"]),
            role=role,
            session_id=UUID(claims["sid"]),
            token_id=UUID(claims["jti"]),
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
    except jwt.ExpiredSignatureError:
        raise NotAuthenticated(
            "The access token has expired; get a new one from /api/v1/auth/refresh."
        ) from None
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError, AttributeError):
        raise NotAuthenticated("The access token is not one that this server signed.") from None


def new_refresh_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def new_api_key() -> str:
    """`cvx_` and 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored of a refresh token or key: they are random, so SHA-256 is enough."""
    return hashlib.sha256(token.encode()).digest()
