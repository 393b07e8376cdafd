"""What routes ask for: a caller with enough rights, a transaction as that caller, a page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import HTTPBearer

from api import idempotency
from api.authentication import Caller
from api.kept import forget_changed
from api.resources import resources_of
from convex.cache import Window
from convex.db import Connection, Role
from convex.errors import NotAuthenticated, NotPermitted, TooManyRequests

HOURLY_REQUESTS = 1000
REFUSED_TOKENS, _REFUSED_SECONDS = 300, 300  # of one address; a wrong setting is soon noticed
_HOUR = 3600

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    bearerFormat="JWT or API key",
    description="An access token from /api/v1/auth/sign-in, or an API key (`cvx_…`).",
)


async def identify(request: Request) -> Caller:
    """Whoever sends the request, without counting it. Raises `NotAuthenticated`."""
    known = request.scope["state"].get("authenticated")
    if isinstance(known, Caller):
        return known
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("Send `Authorization: Bearer …` with an access token or an API key.")
    try:
        caller = await resources_of(request).authenticator.authenticate(token.strip())
    except NotAuthenticated:
        await _count_refused(request)
        raise
    request.scope["state"]["authenticated"] = caller
    request.scope["state"]["caller"] = caller.name
    return caller


async def _count_refused(request: Request) -> None:
    """Who only guesses is turned away. Raises `TooManyRequests`."""
    resources = resources_of(request)
    host = request.client.host if request.client else "unknown"
    window = await resources.limiter.hit(
        f"refused-from:{host}", REFUSED_TOKENS, _REFUSED_SECONDS, resources.now()
    )
    if window is not None and window.exceeded:
        tell_limit(request, window, _REFUSED_SECONDS)


async def _admit(request: Request, _: Annotated[object, Depends(bearer)]) -> Caller:
    """As `identify`, counted against the caller's hourly limit."""
    caller = await identify(request)
    resources = resources_of(request)
    window = await resources.limiter.hit(
        f"{caller.workspace_id}:{caller.name}", HOURLY_REQUESTS, _HOUR, resources.now()
    )
    tell_limit(request, window, _HOUR)
    return caller


def tell_limit(request: Request, window: Window | None, seconds: int) -> None:
    """Add the RateLimit headers. Raises `TooManyRequests`. Without effect when not counted."""
    if window is None:
        return
    request.scope["state"]["answer_headers"] = (
        ("RateLimit-Limit", str(window.limit)),
        ("RateLimit-Remaining", str(window.remaining)),
        ("RateLimit-Reset", str(window.reset)),
        ("RateLimit-Policy", f"{window.limit};w={seconds}"),
    )
    if window.exceeded:
        raise TooManyRequests(
            f"{window.limit} requests in {seconds} s are the limit; it starts afresh in"
            f" {window.reset} s.",
            retry_after=window.reset,
        )


Admitted = Annotated[Caller, Depends(_admit)]


def _needing(*roles: Role) -> Callable[[Admitted], Awaitable[Caller]]:
    async def check(caller: Admitted) -> Caller:
        if caller.role not in roles:
            if caller.api_key_id is not None:
                raise NotPermitted(
                    "This key's scopes do not allow this."
                    if Role.EDITOR in roles
                    else "This is for people who sign in, not for API keys."
                )
            raise NotPermitted(
                f"Your role in this workspace is {caller.role.value}; this needs"
                f" {' or '.join(role.value for role in roles)}."
            )
        return caller

    return check


Viewer = Annotated[Caller, Depends(_needing(Role.VIEWER, Role.EDITOR, Role.OWNER))]
Editor = Annotated[Caller, Depends(_needing(Role.EDITOR, Role.OWNER))]
Owner = Annotated[Caller, Depends(_needing(Role.OWNER))]


async def signed_in(caller: Viewer) -> Caller:
    """A person, whatever their role. Raises `NotPermitted` for a key."""
    if caller.user_id is None:
        raise NotPermitted("This is for people who sign in, not for API keys.")
    return caller


Person = Annotated[Caller, Depends(signed_in)]


async def _read(request: Request, caller: Admitted) -> AsyncIterator[Connection]:
    async with resources_of(request).database.read(caller.identity) as connection:
        yield connection


async def _write(request: Request, caller: Admitted) -> AsyncIterator[Connection]:
    resources = resources_of(request)
    async with resources.database.transaction(caller.identity) as connection:
        await idempotency.begin(request, connection, caller, resources.now())
        yield connection
    for act in request.scope["state"].get("after_commit", ()):
        act()
    await forget_changed(request, caller)


def after_commit(request: Request, act: Callable[[], None]) -> None:
    """Do something once the transaction of `Writing` has been committed, and only then."""
    request.scope["state"].setdefault("after_commit", []).append(act)


# Closed (committed) before the answer is sent, so that an answer never tells of what was lost.
Reading = Annotated[Connection, Depends(_read, scope="function")]
Writing = Annotated[Connection, Depends(_write, scope="function")]


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a listing."""

    limit: int
    cursor: str | None


def _paging(
    limit: Annotated[int, Query(ge=1, le=500, description="Most items of one page.")] = 50,
    cursor: Annotated[
        str | None,
        Query(max_length=500, description="`next_cursor` of the page before; none: the first."),
    ] = None,
) -> Paging:
    return Paging(limit, cursor)


Pages = Annotated[Paging, Depends(_paging)]
