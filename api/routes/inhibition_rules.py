"""What need not be told while something else explains it."""

from __future__ import annotations

from dataclasses import asdict, replace
from uuid import UUID

from fastapi import Request, Response

from api.dependencies import Editor, Owner, Pages, Reading, Viewer, Writing, after_commit
from api.replies import check_match, no_content, reply, reply_page
from api.resources import resources_of
from api.routes import PREFIX, new_router
from api.schemas import mutes as schema
from api.schemas.shared import PageOf
from convex.alerts import inhibitions

router = new_router("silences")


@router.get(
    "/inhibition-rules", response_model=PageOf[schema.InhibitionShape], summary="Inhibition rules"
)
async def list_all(request: Request, pages: Pages, caller: Viewer, connection: Reading) -> Response:
    """By name."""
    page = await inhibitions.list_inhibitions(
        connection, caller.identity, limit=pages.limit, cursor=pages.cursor
    )
    return reply_page(request, page, asdict)


@router.post(
    "/inhibition-rules",
    response_model=schema.InhibitionShape,
    status_code=201,
    summary="Let one alert speak for others",
)
async def create(
    request: Request, body: schema.InhibitionNew, caller: Editor, connection: Writing
) -> Response:
    """While a source is open, targets that share the labels with it are not told."""
    draft = inhibitions.InhibitionDraft(**schema.inhibition_changes(body))
    made = await inhibitions.create_inhibition(connection, caller.identity, draft)
    headers = {"Location": f"{PREFIX}/inhibition-rules/{made.id}"}
    return reply(request, asdict(made), status=201, headers=headers)


@router.get(
    "/inhibition-rules/{inhibition_id:uuid}", response_model=schema.InhibitionShape, summary="One"
)
async def get_one(
    request: Request, inhibition_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """An inhibition rule."""
    found = await inhibitions.get_inhibition(connection, caller.identity, inhibition_id)
    return reply(request, asdict(found))


@router.patch(
    "/inhibition-rules/{inhibition_id:uuid}",
    response_model=schema.InhibitionShape,
    summary="Change",
)
async def change(
    request: Request,
    inhibition_id: UUID,
    body: schema.InhibitionChange,
    caller: Editor,
    connection: Writing,
) -> Response:
    """What is given is changed, and holds at once."""
    resources = resources_of(request)
    before = await inhibitions.get_inhibition(connection, caller.identity, inhibition_id)
    check_match(request, asdict(before))
    after = await inhibitions.update_inhibition(
        connection,
        caller.identity,
        inhibition_id,
        replace(before, **schema.inhibition_changes(body)),
        expected_version=before.version,
    )
    # What it muted may be told now: let the alert flow look.
    after_commit(request, lambda: resources.announcer.announce(caller.workspace_id, None))
    return reply(request, asdict(after))


@router.delete("/inhibition-rules/{inhibition_id:uuid}", status_code=204, summary="Remove")
async def delete(
    request: Request, inhibition_id: UUID, caller: Owner, connection: Writing
) -> Response:
    """Altogether; editors may disable it. Owners only."""
    resources = resources_of(request)
    before = await inhibitions.get_inhibition(connection, caller.identity, inhibition_id)
    check_match(request, asdict(before))
    await inhibitions.delete_inhibition(connection, caller.identity, inhibition_id)
    after_commit(request, lambda: resources.announcer.announce(caller.workspace_id, None))
    return no_content()
