"""What is watched."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path, Query, Request, Response

from api.dependencies import Editor, Owner, Pages, Reading, Viewer, Writing
from api.replies import check_match, encode, no_content, reply, reply_encoded, reply_page
from api.resources import resources_of
from api.routes import PREFIX, new_router
from api.schemas import frameworks as schema
from api.schemas.shared import PageOf
from convex.cache import Area
from convex.db import Connection
from convex.frameworks import (
    Kind,
    create_framework,
    delete_framework,
    get_framework,
    list_frameworks,
    update_framework,
)
from convex.scoring.service import read_health, read_risk
from convex.scoring.standing import UNKNOWN, list_by_risk, read_standings

router = new_router("frameworks")

FrameworkKey = Annotated[
    str, Path(max_length=100, pattern=r"^[^\x00]+$", description="Its id, or its slug.")
]


class HealthDays(IntEnum):
    """How far a trend may look back."""

    WEEK = 7
    MONTH = 30


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


@router.get("/frameworks", response_model=PageOf[schema.FrameworkListed], summary="What is watched")
async def list_all(
    request: Request,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    sort: Annotated[
        Literal["slug", "risk"], Query(description="By slug, or the riskiest first.")
    ] = "slug",
) -> Response:
    """All frameworks, each with its open triggers, when it last had data, its health and risk."""
    now = resources_of(request).now()
    if sort == "risk":
        page, standings = await list_by_risk(
            connection, caller.workspace_id, now=now, cursor=pages.cursor, limit=pages.limit
        )
    else:
        page = await list_frameworks(
            connection, caller.workspace_id, cursor=pages.cursor, limit=pages.limit
        )
        ids = [overview.framework.id for overview in page.items]
        standings = await read_standings(
            connection, caller.workspace_id, now=now, framework_ids=ids
        )
    return reply_page(
        request,
        page,
        lambda one: schema.listed_json(one, standings.get(one.framework.id, UNKNOWN)),
    )


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


@router.get(
    "/frameworks/{framework}/health", response_model=schema.FrameworkHealth, summary="Its health"
)
async def get_health(
    request: Request,
    framework: FrameworkKey,
    caller: Viewer,
    days: Annotated[
        HealthDays, Query(description="Of the trend and the history.")
    ] = HealthDays.WEEK,
) -> Response:
    """By category and metric, from the last 24 hours; the trend, and the hourly snapshots."""
    resources = resources_of(request)
    workspace_id, key = caller.workspace_id, key_of(framework)

    async def load() -> bytes:
        # A transaction of its own: others may wait for this answer after this request is gone.
        async with resources.database.read(caller.identity) as connection:
            found = (await get_framework(connection, workspace_id, key)).framework
            now = resources.now()
            return encode(await read_health(connection, workspace_id, found.id, now, days))

    body = await resources.cache.get(
        "framework_health", workspace_id, f"{key} {days}", load, area=Area.HEALTH
    )
    return reply_encoded(request, body)


@router.get("/frameworks/{framework}/risk", response_model=schema.FrameworkRisk, summary="Its risk")
async def get_risk(
    request: Request, framework: FrameworkKey, caller: Viewer, connection: Reading
) -> Response:
    """0 to 100, with every factor that it is made of."""
    now = resources_of(request).now()
    found = (await get_framework(connection, caller.workspace_id, key_of(framework))).framework
    risk = await read_risk(connection, caller.workspace_id, found.id, now)
    return reply(request, risk)


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
