"""What is watched."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response

from api.dependencies import Editor, Owner, Pages, Reading, Viewer, Writing
from api.replies import check_match, no_content, reply, reply_page
from api.routes import PREFIX, new_router
from api.schemas import frameworks as schema
from api.schemas.shared import PageOf
from convex.db import Connection
from convex.frameworks import (
    Kind,
    create_framework,
    delete_framework,
    get_framework,
    list_frameworks,
    update_framework,
)

router = new_router("frameworks")

FrameworkKey = Annotated[
    str, Path(max_length=100, pattern=r"^[^\x00]+$", description="Its id, or its slug.")
]


def key_of(text: str) -> UUID | str:
    """An id where it is one, else a slug."""
    try:
        return UUID(text)
    except ValueError:
        return text


async def find_framework_id(
    connection: Connection, workspace_id: UUID, key: str | None
) -> UUID | None:
    """The framework that a filter names by id or slug, None for none. Raises `NotFound`."""
    if key is None:
        return None
    overview = await get_framework(connection, workspace_id, key_of(key))
    return overview.framework.id


FrameworkFilter = Annotated[
    str | None,
    Query(
        alias="framework",
        max_length=100,
        pattern=r"^[^\x00]+$",
        description="Only this framework, by id or slug.",
    ),
]


@router.get("/frameworks", response_model=PageOf[schema.FrameworkShape], summary="What is watched")
async def list_all(request: Request, pages: Pages, caller: Viewer, connection: Reading) -> Response:
    """All frameworks by slug, each with its open triggers and when it last had data."""
    page = await list_frameworks(
        connection, caller.workspace_id, cursor=pages.cursor, limit=pages.limit
    )
    return reply_page(request, page, schema.framework_json)


@router.post(
    "/frameworks",
    response_model=schema.FrameworkShape,
    status_code=201,
    summary="Watch something new",
)
async def create(
    request: Request, body: schema.FrameworkNew, caller: Editor, connection: Writing
) -> Response:
    """Points name the framework by its slug, so the slug never changes."""
    made = await create_framework(
        connection,
        caller.workspace_id,
        slug=body.slug,
        name=body.name,
        kind=Kind(body.kind),
        description=body.description,
        tags=body.tags,
    )
    overview = await get_framework(connection, caller.workspace_id, made.id)
    return reply(
        request,
        schema.framework_json(overview),
        status=201,
        headers={"Location": f"{PREFIX}/frameworks/{made.id}"},
    )


@router.get(
    "/frameworks/{framework}", response_model=schema.FrameworkShape, summary="One framework"
)
async def get_one(
    request: Request, framework: FrameworkKey, caller: Viewer, connection: Reading
) -> Response:
    """With its open triggers and when it last had data."""
    overview = await get_framework(connection, caller.workspace_id, key_of(framework))
    return reply(request, schema.framework_json(overview))


@router.patch(
    "/frameworks/{framework}", response_model=schema.FrameworkShape, summary="Change a framework"
)
async def change(
    request: Request,
    framework: FrameworkKey,
    body: schema.FrameworkChange,
    caller: Editor,
    connection: Writing,
) -> Response:
    """What is given is changed."""
    before = await get_framework(connection, caller.workspace_id, key_of(framework))
    check_match(request, schema.framework_json(before))
    await update_framework(
        connection,
        before.framework.id,
        name=body.name,
        kind=None if body.kind is None else Kind(body.kind),
        description=body.description,
        tags=body.tags,
        expected_version=before.framework.version,
    )
    after = await get_framework(connection, caller.workspace_id, before.framework.id)
    return reply(request, schema.framework_json(after))


@router.delete("/frameworks/{framework}", status_code=204, summary="Remove a framework")
async def delete(
    request: Request, framework: FrameworkKey, caller: Owner, connection: Writing
) -> Response:
    """With its metrics, points, rules and triggers. Owners only."""
    before = await get_framework(connection, caller.workspace_id, key_of(framework))
    check_match(request, schema.framework_json(before))
    await delete_framework(connection, caller.workspace_id, before.framework.id)
    return no_content()
