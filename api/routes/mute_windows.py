"""What is muted at certain hours of the week."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from fastapi import Request, Response

from api.dependencies import Editor, Owner, Pages, Reading, Viewer, Writing, after_commit
from api.replies import check_match, no_content, reply, reply_page
from api.resources import resources_of
from api.routes import PREFIX, new_router
from api.schemas import mutes as schema
from api.schemas.shared import PageOf
from convex.alerts import mute_windows

router = new_router("silences")


@router.get("/mute-windows", response_model=PageOf[schema.MuteWindowShape], summary="Mute windows")
async def list_all(request: Request, pages: Pages, caller: Viewer, connection: Reading) -> Response:
    """By name."""
    page = await mute_windows.list_mute_windows(
        connection, caller.identity, limit=pages.limit, cursor=pages.cursor
    )
    return reply_page(request, page, schema.window_json)


@router.post(
    "/mute-windows",
    response_model=schema.MuteWindowShape,
    status_code=201,
    summary="Mute at certain hours",
)
async def create(
    request: Request, body: schema.MuteWindowNew, caller: Editor, connection: Writing
) -> Response:
    """By the wall clock of a zone, over changes of the clocks and midnight alike."""
    draft = mute_windows.MuteWindowDraft(**schema.window_changes(body))
    made = await mute_windows.create_mute_window(connection, caller.identity, draft)
    headers = {"Location": f"{PREFIX}/mute-windows/{made.id}"}
    return reply(request, schema.window_json(made), status=201, headers=headers)


@router.get("/mute-windows/{window_id:uuid}", response_model=schema.MuteWindowShape, summary="One")
async def get_one(
    request: Request, window_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """A mute window."""
    found = await mute_windows.get_mute_window(connection, caller.identity, window_id)
    return reply(request, schema.window_json(found))


@router.patch(
    "/mute-windows/{window_id:uuid}", response_model=schema.MuteWindowShape, summary="Change"
)
async def change(
    request: Request,
    window_id: UUID,
    body: schema.MuteWindowChange,
    caller: Editor,
    connection: Writing,
) -> Response:
    """What is given is changed, and holds at once."""
    resources = resources_of(request)
    before = await mute_windows.get_mute_window(connection, caller.identity, window_id)
    check_match(request, schema.window_json(before))
    after = await mute_windows.update_mute_window(
        connection,
        caller.identity,
        window_id,
        replace(before, **schema.window_changes(body)),
        expected_version=before.version,
    )
    # What it muted may be told now: let the alert flow look.
    after_commit(request, lambda: resources.announcer.announce(caller.workspace_id, None))
    return reply(request, schema.window_json(after))


@router.delete("/mute-windows/{window_id:uuid}", status_code=204, summary="Remove")
async def delete(request: Request, window_id: UUID, caller: Owner, connection: Writing) -> Response:
    """Altogether; editors may disable it. Owners only."""
    resources = resources_of(request)
    before = await mute_windows.get_mute_window(connection, caller.identity, window_id)
    check_match(request, schema.window_json(before))
    await mute_windows.delete_mute_window(connection, caller.identity, window_id)
    after_commit(request, lambda: resources.announcer.announce(caller.workspace_id, None))
    return no_content()
