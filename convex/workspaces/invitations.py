"""Links by which people choose a password: the first one, or a new one.

A link is a signed token; nothing is stored. It names the account as it was: with the password it
had and the workspaces it belonged to. So it works once, and whoever was given it cannot use it to
come into a workspace that the account joined afterwards.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from uuid import UUID

import aiosmtplib
import jwt

from convex.errors import NotAuthenticated, Unavailable
from convex.settings import SmtpSettings
from convex.workspaces.model import Account, Membership

LIFETIME = timedelta(days=7)
_ISSUER, _ALGORITHM = "convex/password", "HS256"
_INVALID = "This link is not valid any more; ask for a new one."


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a link says: whose password, and for which workspace they sign in then."""

    email: str
    workspace_id: UUID
    mark: str


def sign(
    account: Account, places: Sequence[Membership], workspace_id: UUID, *, key: str, now: datetime
) -> str:
    """The token of a link, good for `LIFETIME` and while the account is as it is now."""
    claims = {
        "iss": _ISSUER,
        "sub": account.user.email,
        "wid": str(workspace_id),
        "mark": _mark(account, places, key),
        "exp": int((now + LIFETIME).timestamp()),
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def read(token: str, *, key: str) -> Invitation:
    """Check signature and time. Raises `NotAuthenticated`."""
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            options={"require": ["exp", "iss", "sub"]},
        )
        return Invitation(str(claims["sub"]), UUID(claims["wid"]), str(claims["mark"]))
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError, AttributeError):
        raise NotAuthenticated(_INVALID) from None


def check(
    invitation: Invitation, account: Account | None, places: Sequence[Membership], *, key: str
) -> Membership:
    """The workspace to sign in to. Raises `NotAuthenticated` when the account has changed since."""
    place = next((each for each in places if each.id == invitation.workspace_id), None)
    if (
        account is None
        or account.disabled
        or place is None
        or not hmac.compare_digest(invitation.mark, _mark(account, places, key))
    ):
        raise NotAuthenticated(_INVALID)
    return place


def _mark(account: Account, places: Sequence[Membership], key: str) -> str:
    facts = [str(account.user.id), account.password_hash or "", *sorted(str(p.id) for p in places)]
    return hmac.new(key.encode(), "\n".join(facts).encode(), hashlib.sha256).hexdigest()


async def send(smtp: SmtpSettings, account: Account, url: str, *, workspace: str) -> None:
    """Mail the link to the account's address. Raises `Unavailable` when it cannot be handed over.

    Call it outside a transaction.
    """
    mail = EmailMessage()
    mail["From"], mail["To"] = smtp.sender, account.user.email
    mail["Subject"] = "Your password for Convex"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(
        f"Hello {account.user.name},\n\nchoose your password for {workspace} on Convex within"
        f" {LIFETIME.days} days:\n\n{url}\n\nIf you did not expect this, ignore it: nothing"
        " changes until the link is used.\n"
    )
    try:
        await aiosmtplib.send(
            mail,
            hostname=smtp.host,
            port=smtp.port,
            username=smtp.username or None,
            password=smtp.password or None,
            start_tls=smtp.starttls,
            timeout=15,
        )
    except (aiosmtplib.SMTPException, OSError) as error:
        raise Unavailable(
            f"The mail could not be handed over ({type(error).__name__}); see CONVEX_SMTP__HOST."
        ) from None
