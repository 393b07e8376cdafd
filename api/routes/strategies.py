"""What a framework's strategy says, version by version, and what it was judged at."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Path, Query, Request, Response

from api.dependencies import Editor, Pages, Reading, Viewer, Writing
from api.replies import reply, reply_page
from api.resources import resources_of
from api.routes import PREFIX, new_router
from api.routes.frameworks import FrameworkKey, key_of
from api.schemas import strategies as schema
from api.schemas.shared import PageOf
from convex.frameworks import get_framework, strategies

router = new_router("frameworks")

Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="Counts from 1.")]
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Only of this version.")]
_VERSIONS = "/frameworks/{framework}/strategy-versions"
_SCORES = "/frameworks/{framework}/strategy-scores"


@router.get(
    _VERSIONS, response_model=PageOf[schema.StrategyVersionShape], summary="Strategy versions"
)
async def list_versions(
    request: Request, framework: FrameworkKey, pages: Pages, caller: Viewer, connection: Reading
) -> Response:
    """The newest first, without their documents."""
    found = (await get_framework(connection, caller.workspace_id, key_of(framework))).framework
    page = await strategies.list_versions(
        connection, found.id, cursor=pages.cursor, limit=pages.limit
    )
    return reply_page(request, page, lambda one: schema.version_json(one, with_document=False))


@router.post(
    _VERSIONS,
    response_model=schema.StrategyVersionShape,
    status_code=201,
    summary="Add a strategy version",
)
async def add_version(
    request: Request,
    framework: FrameworkKey,
    body: schema.StrategyVersionNew,
    caller: Editor,
    connection: Writing,
) -> Response:
    """It gets the next number and never changes; 409 when it says what the newest one says."""
    found = (await get_framework(connection, caller.workspace_id, key_of(framework))).framework
    made = await strategies.add_version(
        connection, caller.identity, found.id, document=body.document, note=body.note
    )
    place = f"{PREFIX}/frameworks/{found.id}/strategy-versions/{made.number}"
    return reply(request, schema.version_json(made), status=201, headers={"Location": place})


@router.get(
    _VERSIONS + "/{number:int}", response_model=schema.StrategyVersionShape, summary="One version"
)
async def get_version(
    request: Request, framework: FrameworkKey, number: Number, caller: Viewer, connection: Reading
) -> Response:
    """With its document."""
    found = (await get_framework(connection, caller.workspace_id, key_of(framework))).framework
    version = await strategies.get_version(connection, found.id, number)
    return reply(request, schema.version_json(version))


@router.get(
    _VERSIONS + "/{number:int}/diff",
    response_model=schema.StrategyDiff,
    summary="What a version changed",
)
async def diff(
    request: Request,
    framework: FrameworkKey,
    number: Number,
    caller: Viewer,
    connection: Reading,
    against: Annotated[
        int | None,
        Query(ge=0, le=2**31 - 1, description="The older version; none: the one before. 0: empty."),
    ] = None,
) -> Response:
    """Line by line, from the older version to this one."""
    found = (await get_framework(connection, caller.workspace_id, key_of(framework))).framework
    old = number - 1 if against is None else against
    documents = await strategies.compare_versions(connection, found.id, old, number)
    changed = await asyncio.to_thread(strategies.diff_of, documents, old, number)
    answer = {
        "old": old,
        "new": number,
        "added": changed.added,
        "removed": changed.removed,
        "similarity": changed.similarity,
        "changes": changed.changes,
        "unified": changed.unified,
    }
    return reply(request, answer)


@router.get(_SCORES, response_model=PageOf[schema.StrategyScoreShape], summary="Strategy scores")
async def list_scores(
    request: Request,
    framework: FrameworkKey,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    version: Version = None,
) -> Response:
    """The history of judgements, the newest first."""
    found = (await get_framework(connection, caller.workspace_id, key_of(framework))).framework
    page = await strategies.list_scores(
        connection, found.id, version=version, cursor=pages.cursor, limit=pages.limit
    )
    return reply_page(request, page, schema.score_json)


@router.post(
    _SCORES, response_model=schema.StrategyScoreShape, status_code=201, summary="Judge a version"
)
async def score(
    request: Request,
    framework: FrameworkKey,
    body: schema.StrategyScoreNew,
    caller: Editor,
    connection: Writing,
) -> Response:
    """By the documented rubric, or by hand with six sub-scores and a reason. Kept as history."""
    found = (await get_framework(connection, caller.workspace_id, key_of(framework))).framework
    if body.sub_scores is None:
        made = await strategies.score_by_rubric(
            connection,
            caller.identity,
            found.id,
            version=body.version,
            now=resources_of(request).now(),
        )
    else:
        made = await strategies.score_by_hand(
            connection,
            caller.identity,
            found.id,
            version=body.version,
            sub_scores=schema.sub_scores(body.sub_scores),
            rationale=body.rationale,
        )
    return reply(request, schema.score_json(made), status=201)
