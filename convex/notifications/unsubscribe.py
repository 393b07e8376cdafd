"""One-click unsubscribing from mail (RFC 8058): a signed link that needs no sign-in."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from convex.errors import NotFound

PATH = "/api/v1/unsubscribe"
_SIGNATURE = 16


def unsubscribe_url(base_url: str, key: str, workspace_id: UUID, user_id: UUID) -> str:
    """The link for one member's mail of one workspace; it does not expire."""
    content = workspace_id.bytes + user_id.bytes
    token = urlsafe_b64encode(content + _sign(key, content)).rstrip(b"=").decode()
    return f"{base_url}{PATH}/{token}"


def read_token(token: str, key: str) -> tuple[UUID, UUID]:
    """The workspace and the user of a link. Raises `NotFound` for one that we did not make."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError:
        raw = b""
    content, signature = raw[:32], raw[32:]
    if len(raw) != 32 + _SIGNATURE or not hmac.compare_digest(signature, _sign(key, content)):
        raise NotFound("This unsubscribe link is not valid; change your preferences instead.")
    return UUID(bytes=content[:16]), UUID(bytes=content[16:])


def _sign(key: str, content: bytes) -> bytes:
    return hmac.digest(b"unsubscribe\0" + key.encode(), content, hashlib.sha256)[:_SIGNATURE]
