"""Other ways in than a known password: an OpenID provider, and links to choose a password."""

from __future__ import annotations

import json
import time
from functools import cache
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.dependencies import Owner
from api.documents import session_headers
from api.replies import no_content, reply
from api.resources import Resources, resources_of
from api.routes import PREFIX, new_router
from api.routes.auth import Attempts, start_session
from api.schemas import auth as schema
from api.schemas import entry as forms
from convex.db import Identity, Role
from convex.errors import Conflict, ConvexError, InvalidInput, NotAuthenticated, NotFound
from convex.secrets import decrypt, encrypt
from convex.settings import OidcSettings
from convex.workspaces import invitations, service, store
from convex.workspaces.model import Account, Membership
from convex.workspaces.oidc import Journey, Provider
from convex.workspaces.passwords import hash_password

router = new_router("identity")

_NOBODY = Identity(None, Role.VIEWER)
_PATH = f"{PREFIX}/auth/oidc"
_JOURNEY, _ARRIVAL = "convex_journey", "convex_arrival"
_JOURNEY_SECONDS, _ARRIVAL_SECONDS = 600, 60


class NotConfigured(Conflict):
    """The operator has not set up what this needs."""

    code = "not_configured"


@cache
def _provider(settings: OidcSettings) -> Provider:
    return Provider(settings)


def _configured(resources: Resources) -> Provider:
    settings = resources.settings.oidc
    if not (settings.issuer and settings.client_id):
        raise NotConfigured("There is no OpenID provider: set CONVEX_OIDC__ISSUER and its client.")
    return _provider(settings)


@router.get("/auth/methods", response_model=forms.Methods, summary="How one can sign in")
async def list_methods(request: Request) -> Response:
    """Passwords always; `oidc` names the provider if there is one; `email` tells whether a new
    password can be asked for.
    """
    settings = resources_of(request).settings
    named = settings.oidc.name if settings.oidc.issuer and settings.oidc.client_id else None
    return reply(request, {"password": True, "oidc": named, "email": bool(settings.smtp.host)})


@router.get(
    "/auth/oidc",
    status_code=302,
    response_class=RedirectResponse,
    summary="Sign in at the OpenID provider",
)
async def begin_oidc(request: Request) -> Response:
    """For a browser: leads to the provider, which leads back. 409 without a provider."""
    resources = resources_of(request)
    journey = Journey.begin()
    url = await _configured(resources).authorization_url(journey, _callback(resources))
    response = RedirectResponse(url, 302, headers={"Cache-Control": "no-store"})
    _keep(resources, response, _JOURNEY, journey.sealed(resources.secrets.encryption_key))
    return response


@router.get(
    "/auth/oidc/callback",
    status_code=302,
    response_class=RedirectResponse,
    summary="Back from the OpenID provider",
)
async def end_oidc(request: Request, code: str = "", state: str = "") -> Response:
    """For a browser: checks what the provider says, and leads to the page, which then asks for the
    session. When something does not hold it leads to the page with the code of the problem.
    """
    resources = resources_of(request)
    provider, key = _configured(resources), resources.secrets.encryption_key
    try:
        journey = Journey.opened(request.cookies.get(_JOURNEY, ""), key, seconds=_JOURNEY_SECONDS)
        if not code or state != journey.state:
            raise NotAuthenticated("The provider did not sign you in.")
        email = await provider.verified_email(code, journey, _callback(resources))
        async with resources.database.read(_NOBODY) as connection:
            account = await store.find_account(connection, email)
        if account is None or account.disabled:
            raise NotFound("No account here has this address.")
    except ConvexError as error:
        response = RedirectResponse(f"/sign-in?{urlencode({'refused': error.code})}", 302)
    else:
        response = RedirectResponse("/sign-in?arrived=1", 302)
        arrival = json.dumps({"email": email, "at": time.time()})
        _keep(resources, response, _ARRIVAL, encrypt(arrival, key).decode())
    response.delete_cookie(_JOURNEY, path=_PATH)
    response.headers["Cache-Control"] = "no-store"
    return response


@router.post("/auth/oidc/session", response_model=schema.SessionShape, summary="Tokens after OIDC")
async def oidc_session(request: Request, body: forms.OidcSession) -> Response:
    """The session of who has just come back from the provider in this browser, once."""
    resources = resources_of(request)
    email = _arrived(request.cookies.get(_ARRIVAL, ""), resources.secrets.encryption_key)
    account, places = await _account(resources, email)
    if account is None or account.disabled:
        raise NotAuthenticated("No account here has this address.")
    place = service.choose_workspace(places, body.workspace)
    response = await start_session(request, account, place)
    response.delete_cookie(_ARRIVAL, path=_PATH)
    return response


@router.post(
    "/members/{user_id:uuid}/invitation",
    response_model=forms.InvitationShape,
    status_code=201,
    summary="A link to choose the first password",
)
async def invite_member(request: Request, user_id: UUID, caller: Owner) -> Response:
    """For a member without a password. The link is mailed where e-mail is set up; it is shown only
    for people who belong to no other workspace, so that nobody gets hold of theirs.
    """
    resources = resources_of(request)
    async with resources.database.read(caller.identity) as connection:
        member = await store.get_member(connection, caller.workspace_id, user_id)
        workspace = await store.get_workspace(connection, caller.workspace_id)
    account, places = (None, []) if member is None else await _account(resources, member.email)
    if account is None or workspace is None:
        raise NotFound("There is no member with that id.")
    if account.password_hash is not None:
        raise Conflict("This member has a password; they can ask for a new one themselves.")
    url = _link(resources, account, places, caller.workspace_id)
    mailed = bool(resources.settings.smtp.host)
    alone = len(places) == 1
    if mailed:
        await invitations.send(resources.settings.smtp, account, url, workspace=workspace.name)
    elif not alone:
        raise NotConfigured(
            "This person belongs to other workspaces too, so the link can only be mailed: set"
            " CONVEX_SMTP__HOST."
        )
    answer = {
        "url": url if alone else None,
        "mailed": mailed,
        "expires_at": resources.now() + invitations.LIFETIME,
    }
    return reply(request, answer, status=201, headers={"Cache-Control": "no-store"})


@router.post("/auth/forgot-password", status_code=204, summary="Mail me a link")
async def forgot_password(request: Request, body: forms.Forgotten) -> Response:
    """A link to choose a new password, to the account's own address. Unknown addresses are
    answered alike. 409 where e-mail is not set up.
    """
    resources = resources_of(request)
    if not resources.settings.smtp.host:
        raise NotConfigured("E-mail is not set up here: ask an owner of your workspace.")
    await Attempts(request, body.email).count()
    account, places = await _account(resources, body.email)
    if account is not None and not account.disabled and places:
        url = _link(resources, account, places, places[0].id)
        await invitations.send(resources.settings.smtp, account, url, workspace=places[0].name)
    return no_content()


@router.post("/auth/choose-password", response_model=schema.SessionShape, summary="Use the link")
async def choose_password(request: Request, body: forms.ChosenPassword) -> Response:
    """Set the password that the link is for, and sign in. The link is void then, and every other
    session of the account in that workspace ends.
    """
    resources = resources_of(request)
    key = resources.secrets.signing_key
    invitation = invitations.read(body.token, key=key)
    attempts = Attempts(request, invitation.email)
    await attempts.count()
    hashed = await hash_password(body.password)
    account, places = await _account(resources, invitation.email)
    place = invitations.check(invitation, account, places, key=key)
    assert account is not None
    async with resources.database.transaction(
        Identity(place.id, place.role, account.user.id)
    ) as connection:
        if not await store.replace_password(
            connection, account.user, account.password_hash, hashed
        ):
            raise NotAuthenticated("This link has just been used.")
        session = await service.open_session(
            connection, account.user, place, signing_key=key, now=resources.now()
        )
        await store.end_other_sessions(
            connection, account.user.id, session.session_id, resources.now()
        )
    resources.authenticator.forget()
    await attempts.forgive()
    return reply(request, schema.session_json(session), headers=session_headers(request, session))


async def _account(resources: Resources, email: str) -> tuple[Account | None, list[Membership]]:
    async with resources.database.read(_NOBODY) as connection:
        account = await store.find_account(connection, email)
        places = [] if account is None else await store.memberships(connection, account.user.id)
    return account, places


def _arrived(sealed: str, key: str) -> str:
    try:
        arrival = json.loads(decrypt(sealed.encode(), key))
    except (InvalidInput, ValueError):
        raise NotAuthenticated("Nobody has come back from the provider here.") from None
    if not 0 <= time.time() - arrival["at"] <= _ARRIVAL_SECONDS:
        raise NotAuthenticated("This sign-in took too long; begin again.")
    return str(arrival["email"])


def _link(
    resources: Resources, account: Account, places: list[Membership], workspace_id: UUID
) -> str:
    token = invitations.sign(
        account, places, workspace_id, key=resources.secrets.signing_key, now=resources.now()
    )
    # Behind the hash: neither this server's log nor another page's Referer ever holds it.
    return f"{resources.settings.base_url}/choose-password#{token}"


def _callback(resources: Resources) -> str:
    return f"{resources.settings.base_url}{_PATH}/callback"


def _keep(resources: Resources, response: Response, name: str, value: str) -> None:
    """A cookie that only this part of this site gets back. The provider sends the browser here
    from another site, so the first one must be lax.
    """
    response.set_cookie(
        name,
        value,
        max_age=_JOURNEY_SECONDS if name == _JOURNEY else _ARRIVAL_SECONDS,
        path=_PATH,
        secure=resources.settings.base_url.startswith("https:"),
        httponly=True,
        samesite="lax" if name == _JOURNEY else "strict",
    )
