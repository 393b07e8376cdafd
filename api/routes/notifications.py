"""The in-app inbox of whoever asks."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from api.dependencies import Pages, Person, Reading, Writing
from api.replies import no_content, reply, reply_page
from api.resources import resources_of
from api.routes import new_router
from api.schemas import notifications as schema
from convex.notifications import inbox

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


@router.post("/notifications/{notification_id}/read", status_code=204, summary="Mark as read")
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
