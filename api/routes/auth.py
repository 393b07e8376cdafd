"""Sign-in, refresh, sign-out, and oneself."""

from __future__ import annotations

from fastapi import Request, Response

from api.dependencies import Person, Viewer, Writing, tell_limit
from api.documents import session_headers
from api.replies import no_content, reply
from api.resources import resources_of
from api.routes import new_router
from api.schemas import auth as schema
from convex.db import Identity, Role
from convex.errors import InvalidInput, NotAuthenticated, NotFound
from convex.workspaces import service, store
from convex.workspaces.model import Account, Membership
from convex.workspaces.passwords import hash_password, verify_password
from convex.workspaces.tokens import digest

router = new_router("identity")

_NOBODY = Identity(None, Role.VIEWER)
_ATTEMPTS, _ATTEMPTS_SECONDS = 20, 300
_INVALID_REFRESH = "The refresh token is not valid any more; sign in again."


class Attempts:
    """Guesses at a password, counted before it costs the server anything."""

    def __init__(self, request: Request, email: str) -> None:
        host = request.client.host if request.client else "unknown"
        self._request = request
        self._now = resources_of(request).now()
        self._limits = {
            f"sign-in:{email.lower()}": _ATTEMPTS,
            f"sign-in-from:{host}": _ATTEMPTS * 5,
        }

    async def count(self) -> None:
        """Raises `TooManyRequests`."""
        limiter = resources_of(self._request).limiter
        for name, limit in self._limits.items():
            window = await limiter.hit(name, limit, _ATTEMPTS_SECONDS, self._now)
            tell_limit(self._request, window, _ATTEMPTS_SECONDS)

    async def forgive(self) -> None:
        """It was right: people behind one address must not lock each other out."""
        limiter = resources_of(self._request).limiter
        for name in self._limits:
            await limiter.forgive(name, _ATTEMPTS_SECONDS, self._now)


@router.post("/auth/sign-in", response_model=schema.SessionShape, summary="Sign in")
async def sign_in(request: Request, body: schema.SignIn) -> Response:
    """An access token for one hour and a refresh token, for an e-mail and a password.

    Twenty wrong passwords in five minutes are allowed for one e-mail address (429 after that). A
    wrong password and an unknown address are answered alike, in the same time.
    """
    resources = resources_of(request)
    attempts = Attempts(request, body.email)
    await attempts.count()
    async with resources.database.read(_NOBODY) as connection:
        account = await store.find_account(connection, body.email)
    account = await service.check_password(account, body.password)
    await attempts.forgive()
    async with resources.database.read(_NOBODY) as connection:
        places = await store.memberships(connection, account.user.id)
    return await start_session(request, account, service.choose_workspace(places, body.workspace))


async def start_session(request: Request, account: Account, place: Membership) -> Response:
    """Somebody has shown who they are: their tokens, for one of their workspaces."""
    resources = resources_of(request)
    async with resources.database.transaction(
        Identity(place.id, place.role, account.user.id)
    ) as connection:
        session = await service.open_session(
            connection,
            account.user,
            place,
            signing_key=resources.secrets.signing_key,
            now=resources.now(),
        )
    return reply(request, schema.session_json(session), headers=session_headers(request, session))


@router.post("/auth/refresh", response_model=schema.SessionShape, summary="Renew the tokens")
async def refresh(request: Request, body: schema.RefreshTokenBody) -> Response:
    """New tokens for a refresh token, which is good once.

    One that was used already ends the whole session (401): either it was stolen, or its thief has
    been faster.
    """
    resources = resources_of(request)
    async with resources.database.read(_NOBODY) as connection:
        token = await store.find_refresh_token(connection, digest(body.refresh_token))
        places = [] if token is None else await store.memberships(connection, token.user_id)
    place = next((p for p in places if token is not None and p.id == token.workspace_id), None)
    if token is None or place is None:
        raise NotAuthenticated(_INVALID_REFRESH)
    async with resources.database.transaction(
        Identity(token.workspace_id, token.role, token.user_id)
    ) as connection:
        session = await service.rotate(
            connection,
            token,
            place,
            signing_key=resources.secrets.signing_key,
            now=resources.now(),
        )
    if session is None:
        resources.authenticator.forget()
        raise NotAuthenticated(_INVALID_REFRESH)
    return reply(request, schema.session_json(session), headers=session_headers(request, session))


@router.post("/auth/sign-out", status_code=204, summary="Sign out")
async def sign_out(request: Request, body: schema.RefreshTokenBody) -> Response:
    """End the session of this refresh token, its access token too. An unknown token is fine."""
    resources = resources_of(request)
    async with resources.database.read(_NOBODY) as connection:
        token = await store.find_refresh_token(connection, digest(body.refresh_token))
    if token is not None:
        async with resources.database.transaction(
            Identity(token.workspace_id, token.role, token.user_id)
        ) as connection:
            await store.revoke_family(connection, token.family_id, resources.now())
        resources.authenticator.forget()
    return no_content()


@router.get("/me", response_model=schema.Me, summary="Who am I")
async def me(request: Request, caller: Viewer) -> Response:
    """The caller, the workspace of the token or key, and the caller's other workspaces."""
    async with resources_of(request).database.read(caller.identity) as connection:
        workspace = await store.get_workspace(connection, caller.workspace_id)
        user = caller.user_id and await store.get_user(connection, caller.user_id)
        places = (
            [] if caller.user_id is None else await store.memberships(connection, caller.user_id)
        )
    if workspace is None:
        raise NotFound("The workspace is gone.")
    return reply(
        request,
        {
            "user": user,
            "workspace": schema.workspace_ref(workspace),
            "role": caller.role,
            "workspaces": schema.memberships_json(places),
        },
    )


@router.patch("/me", response_model=schema.UserShape, summary="Change my name or time zone")
async def change_me(
    request: Request, body: schema.MeChange, caller: Person, connection: Writing
) -> Response:
    """What is given is changed."""
    assert caller.user_id is not None
    user = await store.update_user(
        connection,
        caller.user_id,
        name=None if body.name is None else service.check_name(body.name),
        timezone=None if body.timezone is None else service.check_timezone(body.timezone),
    )
    if user is None:
        raise NotFound("The account is gone.")
    return reply(request, user)


@router.post("/me/password", status_code=204, summary="Change my password")
async def change_password(
    request: Request, body: schema.PasswordChange, caller: Person
) -> Response:
    """A new password, for who knows the current one. Every other session here ends."""
    resources = resources_of(request)
    assert caller.user_id is not None
    assert caller.session_id is not None
    async with resources.database.read(caller.identity) as connection:
        user = await store.get_user(connection, caller.user_id)
        account = None if user is None else await store.find_account(connection, user.email)
    attempts = Attempts(request, "" if user is None else user.email)
    await attempts.count()
    if account is None or not await verify_password(account.password_hash, body.current_password):
        raise InvalidInput("The current password is wrong.", field="current_password")
    await attempts.forgive()
    hashed = await hash_password(body.new_password)
    async with resources.database.transaction(caller.identity) as connection:
        await store.set_password(connection, caller.user_id, hashed)
        await store.end_other_sessions(
            connection, caller.user_id, caller.session_id, resources.now()
        )
    resources.authenticator.forget()
    return no_content()
