"""What could be done, and what came of it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from api.authentication import Caller
from api.dependencies import Editor, Pages, Reading, Viewer, Writing, after_commit
from api.replies import check_match, is_conditional, reply, reply_page
from api.resources import resources_of
from api.routes import new_router
from api.routes.frameworks import FrameworkKey, key_of
from api.schemas import recommendations as schema
from api.schemas.shared import PageOf
from convex.db import Connection
from convex.frameworks import get_framework
from convex.insights import recommendation_store as store
from convex.insights import recommendations

router = new_router("recommendations")

States = Annotated[
    list[schema.StateName] | None, Query(description="Several may be given; all without it.")
]
Origins = Annotated[list[schema.OriginName] | None, Query(description="Several may be given.")]
_ONE = "/recommendations/{recommendation_id:uuid}"


@router.get(
    "/recommendations",
    response_model=PageOf[schema.RecommendationShape],
    summary="Recommendations",
)
async def list_recommendations(
    request: Request,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    state: States = None,
    origin: Origins = None,
) -> Response:
    """Of the whole workspace, the most worthwhile first."""
    page = await store.list_recommendations(
        connection,
        caller.workspace_id,
        states=tuple(state or ()),
        origins=tuple(origin or ()),
        limit=pages.limit,
        cursor=pages.cursor,
    )
    return reply_page(request, page, schema.recommendation_json)


@router.get(
    "/frameworks/{framework}/recommendations",
    response_model=PageOf[schema.RecommendationShape],
    summary="Recommendations for a framework",
)
async def list_framework_recommendations(
    request: Request,
    framework: FrameworkKey,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    state: States = None,
    origin: Origins = None,
) -> Response:
    """The most worthwhile first."""
    found = (await get_framework(connection, caller.workspace_id, key_of(framework))).framework
    page = await store.list_recommendations(
        connection,
        caller.workspace_id,
        framework_id=found.id,
        states=tuple(state or ()),
        origins=tuple(origin or ()),
        limit=pages.limit,
        cursor=pages.cursor,
    )
    return reply_page(request, page, schema.recommendation_json)


@router.get(_ONE, response_model=schema.RecommendationShape, summary="One recommendation")
async def get_recommendation(
    request: Request, recommendation_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """With its evidence."""
    found = await store.get_recommendation(connection, caller.workspace_id, recommendation_id)
    return reply(request, schema.recommendation_json(found))


async def _expected(
    request: Request, connection: Connection, caller: Caller, recommendation_id: UUID
) -> int | None:
    """The version that If-Match speaks of. Raises `PreconditionFailed`, `NotFound`."""
    if not is_conditional(request):
        return None
    found = await store.get_recommendation(connection, caller.workspace_id, recommendation_id)
    check_match(request, schema.recommendation_json(found))
    return found.version


def _answer(request: Request, caller: Caller, decided: recommendations.Decided) -> Response:
    if decided.cursor is not None:
        announcer, cursor = resources_of(request).announcer, decided.cursor
        after_commit(request, lambda: announcer.announce(caller.workspace_id, cursor))
    return reply(request, schema.recommendation_json(decided.recommendation))


@router.post(f"{_ONE}/accept", response_model=schema.RecommendationShape, summary="Accept")
async def accept(
    request: Request,
    recommendation_id: UUID,
    caller: Editor,
    connection: Writing,
    body: schema.DecisionNote | None = None,
) -> Response:
    """What Convex can do is done in the same transaction, and can be undone. A rule that is kept as
    code is not changed: `applied.file` says how its file should say it.
    """
    decided = await recommendations.accept(
        connection,
        caller.identity,
        recommendation_id,
        note=body.note if body else "",
        now=resources_of(request).now(),
        expected_version=await _expected(request, connection, caller, recommendation_id),
    )
    return _answer(request, caller, decided)


@router.post(f"{_ONE}/dismiss", response_model=schema.RecommendationShape, summary="Dismiss")
async def dismiss(
    request: Request,
    recommendation_id: UUID,
    body: schema.DismissBody,
    caller: Editor,
    connection: Writing,
) -> Response:
    """It is not proposed again for a month."""
    decided = await recommendations.dismiss(
        connection,
        caller.identity,
        recommendation_id,
        reason=body.reason,
        now=resources_of(request).now(),
        expected_version=await _expected(request, connection, caller, recommendation_id),
    )
    return _answer(request, caller, decided)


@router.post(f"{_ONE}/done", response_model=schema.RecommendationShape, summary="Done")
async def finish(
    request: Request,
    recommendation_id: UUID,
    caller: Editor,
    connection: Writing,
    body: schema.DecisionNote | None = None,
) -> Response:
    """Somebody has done it."""
    decided = await recommendations.finish(
        connection,
        caller.identity,
        recommendation_id,
        note=body.note if body else "",
        now=resources_of(request).now(),
        expected_version=await _expected(request, connection, caller, recommendation_id),
    )
    return _answer(request, caller, decided)


@router.post(f"{_ONE}/undo", response_model=schema.RecommendationShape, summary="Undo")
async def undo(
    request: Request, recommendation_id: UUID, caller: Editor, connection: Writing
) -> Response:
    """The decision and what it changed; 409 when that has been changed again since."""
    decided = await recommendations.undo(
        connection,
        caller.identity,
        recommendation_id,
        now=resources_of(request).now(),
        expected_version=await _expected(request, connection, caller, recommendation_id),
    )
    return _answer(request, caller, decided)
