"""Signing in at somebody else's door: OpenID Connect, authorization code with PKCE.

The provider says who somebody is, never what they may do: an account with that verified address
must exist here. Nothing is stored between the steps; what must survive the way through the
provider travels sealed in a cookie of the same browser.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
import jwt

from convex.errors import InvalidInput, NotAuthenticated, Unavailable
from convex.secrets import decrypt, encrypt
from convex.settings import OidcSettings

_PATIENCE = aiohttp.ClientTimeout(total=10)
_FRESH_SECONDS = 3600.0
_LEEWAY_SECONDS = 60
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")


@dataclass(frozen=True, slots=True)
class Journey:
    """What one attempt to sign in must remember until the browser comes back."""

    state: str
    nonce: str
    verifier: str
    began_at: float  # seconds since 1970

    @classmethod
    def begin(cls) -> Journey:
        """Fresh random values."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, time.time())

    def sealed(self, key: str) -> str:
        """For a cookie; `key` is the Fernet key of this installation."""
        return encrypt(json.dumps(asdict(self)), key).decode()

    @classmethod
    def opened(cls, sealed: str, key: str, *, seconds: float) -> Journey:
        """The inverse. Raises `NotAuthenticated` when it is not ours or older than `seconds`."""
        try:
            journey = cls(**json.loads(decrypt(sealed.encode(), key)))
        except (InvalidInput, ValueError, TypeError):
            raise NotAuthenticated("This sign-in was not begun in this browser.") from None
        if not 0 <= time.time() - journey.began_at <= seconds:
            raise NotAuthenticated("This sign-in took too long; begin again.")
        return journey


class Provider:
    """One OpenID provider. Its documents are fetched when needed, and kept for an hour."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._documents: dict[str, tuple[float, Mapping[str, Any]]] = {}

    async def authorization_url(self, journey: Journey, redirect_uri: str) -> str:
        """Where to send the browser. Raises `Unavailable` when the provider does not answer."""
        challenge = hashlib.sha256(journey.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid email profile",
            "state": journey.state,
            "nonce": journey.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        endpoint = (await self._discovered())["authorization_endpoint"]
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def verified_email(self, code: str, journey: Journey, redirect_uri: str) -> str:
        """Exchange the code; the address that the provider vouches for, in lower case.

        Raises `NotAuthenticated` when anything does not hold, `Unavailable` when the provider does
        not answer.
        """
        document = await self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self._settings.client_id,
            "code_verifier": journey.verifier,
        }
        if self._settings.client_secret:
            form["client_secret"] = self._settings.client_secret
        answer = await self._fetch(document["token_endpoint"], form)
        claims = await self._claims(str(answer.get("id_token", "")), document)
        if not secrets.compare_digest(
            str(claims.get("nonce", "")).encode(), journey.nonce.encode()
        ):
            raise NotAuthenticated("The provider answered another sign-in than this one.")
        email = claims.get("email")
        if not isinstance(email, str) or claims.get("email_verified") is not True:
            raise NotAuthenticated("The provider does not vouch for an e-mail address of yours.")
        return email.strip().lower()

    async def _claims(self, token: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                await self._key_of(token, document),
                algorithms=list(_ALGORITHMS),
                audience=self._settings.client_id,
                issuer=document["issuer"],
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise NotAuthenticated(
                f"The provider's token does not hold ({type(error).__name__})."
            ) from None
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if several and claims.get("azp") != self._settings.client_id:
            raise NotAuthenticated("The provider's token is meant for somebody else.")
        return claims

    async def _key_of(self, token: str, document: Mapping[str, Any]) -> jwt.PyJWK:
        wanted = jwt.get_unverified_header(token).get("kid")
        for fresh in (False, True):  # a key that is not known yet may be a new one
            keys = jwt.PyJWKSet.from_dict(
                dict(await self._document(document["jwks_uri"], fresh=fresh))
            ).keys
            usable = [one for one in keys if one.public_key_use in (None, "sig")]
            for key in usable:
                if key.key_id == wanted or (wanted is None and len(usable) == 1):
                    return key
        raise NotAuthenticated("The provider's token is signed with a key that it does not list.")

    async def _discovered(self) -> Mapping[str, Any]:
        issuer = self._settings.issuer.rstrip("/")
        document = await self._document(f"{issuer}/.well-known/openid-configuration")
        if str(document.get("issuer", "")).rstrip("/") != issuer:
            raise Unavailable(
                f"The provider calls itself {document.get('issuer')!r}, not {issuer!r};"
                " correct CONVEX_OIDC__ISSUER."
            )
        return document

    async def _document(self, url: str, *, fresh: bool = False) -> Mapping[str, Any]:
        now = asyncio.get_running_loop().time()
        kept = self._documents.get(url)
        if kept is not None and not fresh and now - kept[0] < _FRESH_SECONDS:
            return kept[1]
        document = await self._fetch(url)
        self._documents[url] = (now, document)
        return document

    async def _fetch(self, url: str, form: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """A JSON object from the provider. A refusal of a code is the caller's fault, not ours."""
        try:
            async with (
                aiohttp.ClientSession(timeout=_PATIENCE) as session,
                session.request(
                    "GET" if form is None else "POST",
                    url,
                    data=form,
                    headers={"Accept": "application/json"},
                    allow_redirects=False,
                ) as response,
            ):
                answer = await response.json(content_type=None)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(
                f"The sign-in provider does not answer ({type(error).__name__}); try again, or"
                " sign in with your password."
            ) from None
        if form is not None and status in (400, 401):
            raise NotAuthenticated("The provider refused this sign-in; begin again.")
        if status != 200 or not isinstance(answer, dict):
            raise Unavailable(f"The sign-in provider answered with status {status}.")
        return answer
