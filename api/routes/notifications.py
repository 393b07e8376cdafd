"""The in-app inbox, preferences, and the ledger of who was told what, and why."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from starlette.responses import HTMLResponse

from api.dependencies import Owner, Pages, Person, Reading, Viewer, Writing
from api.replies import check_match, no_content, reply, reply_page
from api.resources import resources_of
from api.routes import new_router
from api.schemas import channels
from api.schemas import notifications as schema
from api.schemas.shared import PageOf
from convex.alerts.apart import run_apart
from convex.db import Identity, Role
from convex.errors import NotFound
from convex.notifications import inbox, ledger, preference_store, simulate
from convex.notifications.model import Reason, State
from convex.notifications.unsubscribe import PATH, read_token
from convex.workspaces import store as people

router = new_router("notifications")


@router.get("/notifications", response_model=schema.Inbox, summary="My inbox")
async def list_inbox(
    request: Request,
    pages: Pages,
    caller: Person,
    connection: Reading,
    unread: Annotated[bool, Query(description="Only what is unread.")] = False,
) -> Response:
    """What the caller was told in the page, newest first. Nobody sees another's."""
    page = await inbox.list_entries(
        connection, caller.identity, unread=unread, limit=pages.limit, cursor=pages.cursor
    )
    count = await inbox.count_unread(connection, caller.identity)
    return reply_page(request, page, inbox.describe, unread=count)


@router.post("/notifications/{notification_id:uuid}/read", status_code=204, summary="Mark as read")
async def mark_read(
    request: Request, notification_id: UUID, caller: Person, connection: Writing
) -> Response:
    """A second time changes nothing."""
    now = resources_of(request).now()
    await inbox.mark_read(connection, caller.identity, notification_id, now)
    return no_content()


@router.post(
    "/notifications/read-all", response_model=schema.MarkedRead, summary="Mark all as read"
)
async def mark_all_read(request: Request, caller: Person, connection: Writing) -> Response:
    """Everything in the caller's inbox."""
    now = resources_of(request).now()
    marked = await inbox.mark_all_read(connection, caller.identity, now)
    return reply(request, {"marked": marked})


@router.get(
    "/notification-preferences",
    response_model=channels.Preferences,
    summary="What I am told, and how",
)
async def get_preferences(request: Request, caller: Person, connection: Reading) -> Response:
    """One's own; `source` says whether they are, or are the workspace's or the built-in ones."""
    kept = await preference_store.get_preferences(connection, caller.identity)
    return reply(request, preference_store.describe(kept))


@router.put(
    "/notification-preferences",
    response_model=channels.Preferences,
    summary="Change what I am told",
)
async def put_preferences(
    request: Request, body: channels.PreferencesChange, caller: Person, connection: Writing
) -> Response:
    """What is given is changed; from then on the workspace's defaults no longer count for one."""
    before = await preference_store.get_preferences(connection, caller.identity)
    check_match(request, preference_store.describe(before))
    kept = await preference_store.save_preferences(
        connection,
        caller.identity,
        channels.preference_changes(body),
        now=resources_of(request).now(),
    )
    return reply(request, preference_store.describe(kept))


@router.get(
    "/notification-preferences/workspace",
    response_model=channels.Preferences,
    summary="The workspace's defaults",
)
async def get_defaults(request: Request, caller: Viewer, connection: Reading) -> Response:
    """What counts for members who have no preferences of their own."""
    kept = await preference_store.get_defaults(connection, caller.identity)
    return reply(request, preference_store.describe(kept))


@router.put(
    "/notification-preferences/workspace",
    response_model=channels.Preferences,
    summary="Change the workspace's defaults",
)
async def put_defaults(
    request: Request, body: channels.PreferencesChange, caller: Owner, connection: Writing
) -> Response:
    """Owners only."""
    before = await preference_store.get_defaults(connection, caller.identity)
    check_match(request, preference_store.describe(before))
    kept = await preference_store.save_preferences(
        connection,
        caller.identity,
        channels.preference_changes(body),
        now=resources_of(request).now(),
        for_workspace=True,
    )
    return reply(request, preference_store.describe(kept))


@router.post(
    "/notification-preferences/simulate",
    response_model=channels.SimulationShape,
    summary="Try settings on my past",
)
async def simulate_preferences(
    request: Request, caller: Person, body: channels.SimulationBody
) -> Response:
    """Replay what happened through the planner that runs live, with the settings as they are and as
    they would be: what is sent, put off, grouped, in the digest or not told. Saves nothing.
    """
    resources = resources_of(request)
    async with resources.database.read(caller.identity) as connection:
        loaded = await simulate.load_rehearsal(
            connection,
            caller.identity,
            channels.preference_changes(body.preferences),
            resources.now(),
            email_works=bool(resources.settings.smtp.host),
            days=body.days,
        )
    return reply(request, await run_apart(simulate.SECONDS, simulate.run_rehearsal, loaded))


@router.get("/ledger", response_model=PageOf[channels.LedgerShape], summary="Who was told, and why")
async def list_ledger(
    request: Request,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    trigger: Annotated[UUID | None, Query(description="Only of this trigger.")] = None,
    member: Annotated[UUID | None, Query(description="Only to this member.")] = None,
    state: Annotated[State | None, Query()] = None,
    reason: Annotated[Reason | None, Query()] = None,
    notification: Annotated[UUID | None, Query(description="Only this one.")] = None,
) -> Response:
    """Every notification that was sent, will be, or was not, with the reason in words.

    A viewer sees what concerns them; editors and owners what concerns anybody, apart from inboxes.
    """
    page = await ledger.list_entries(
        connection,
        caller.identity,
        ledger.Filters(trigger, member, state, reason, notification),
        limit=pages.limit,
        cursor=pages.cursor,
    )
    return reply_page(request, page, ledger.describe)


UnsubscribeToken = Annotated[str, Path(max_length=200)]
_UNSUBSCRIBE = PATH.removeprefix("/api/v1") + "/{token}"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Convex e-mail</title></head>
<body><main><h1>{title}</h1><p>{text}</p>{form}</main></body></html>
"""
_PAGE_POLICY = "default-src 'none'; form-action 'self'; frame-ancestors 'none'"


@router.get(_UNSUBSCRIBE, summary="Ask whether to stop mail", response_class=HTMLResponse)
async def ask_to_unsubscribe(request: Request, token: UnsubscribeToken) -> Response:
    """A page with one button: a link alone must not change anything, since scanners follow it."""
    read_token(token, resources_of(request).secrets.signing_key)
    form = '<form method="post"><button>Stop e-mail</button></form>'
    text = "You will still be told in Convex itself. You can turn e-mail on again there."
    return _page("Stop e-mail from Convex?", text, form)


@router.post(_UNSUBSCRIBE, summary="Stop mail (RFC 8058)", response_class=HTMLResponse)
async def unsubscribe(request: Request, token: UnsubscribeToken) -> Response:
    """One click from a mail program, without signing in; again changes nothing."""
    resources = resources_of(request)
    workspace_id, user_id = read_token(token, resources.secrets.signing_key)
    identity = Identity(workspace_id, Role.VIEWER, user_id)
    async with resources.database.transaction(identity) as connection:
        if await people.get_member(connection, workspace_id, user_id) is None:
            raise NotFound("This link belongs to nobody of the workspace any more.")
        await preference_store.stop_mail(connection, identity, resources.now())
    return _page("Done", "Convex sends you no more e-mail from this workspace.", "")


def _page(title: str, text: str, form: str) -> Response:
    return HTMLResponse(
        _PAGE.format(title=title, text=text, form=form),
        headers={"Content-Security-Policy": _PAGE_POLICY, "Cache-Control": "no-store"},
    )
