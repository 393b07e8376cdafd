"""Who may read the documents about a workspace's data: its members, by what their browser holds.

A page cannot send a token, so signing in leaves one more copy of the access token, as a cookie that
goes to these documents alone. It ends with the token, and says no more than that does.
"""

from __future__ import annotations

from uuid import UUID

from starlette.requests import Request

from api.ingestion import identify_program
from api.resources import resources_of
from convex.db import Role
from convex.errors import NotAuthenticated, NotFound, NotPermitted
from convex.workspaces.service import Session

QUALITY = "/docs/quality"
_COOKIE = "convex_documents"
_SECONDS = 3600


def session_headers(request: Request, session: Session) -> dict[str, str]:
    """The headers of an answer that opens or renews a session."""
    secure = "; Secure" if resources_of(request).settings.base_url.startswith("https:") else ""
    cookie = (
        f"{_COOKIE}={session.access_token}; Path={QUALITY}; Max-Age={_SECONDS}; HttpOnly;"
        f" SameSite=Strict{secure}"
    )
    return {"Cache-Control": "no-store", "Set-Cookie": cookie}


async def admit_reader(request: Request, path: str) -> None:
    """Whether this request may have the file at `path`: below a folder that is named by the id of a
    workspace, members of that one only. Raises `NotAuthenticated`, `NotPermitted`, `NotFound`.
    """
    if "authorization" in request.headers:
        caller = await identify_program(request)
    elif token := request.cookies.get(_COOKIE):
        caller = await resources_of(request).authenticator.authenticate(token)
    else:
        raise NotAuthenticated("Sign in to Convex in this browser, then open this page again.")
    if caller.role is Role.INGEST:
        raise NotPermitted("This key's scopes do not allow this.")
    folder = path.lstrip("./").partition("/")[0]
    try:
        workspace = UUID(folder)
    except ValueError:
        return  # what is the same for all: the first page, styles and scripts
    if workspace != caller.workspace_id:
        raise NotFound("There is nothing at this address.")
