"""Runs of the data quality suites."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from api.dependencies import Editor, Pages, Reading, Viewer, Writing
from api.replies import check_match, reply, reply_page
from api.resources import resources_of
from api.routes import new_router
from api.schemas import quality as schema
from api.schemas.shared import PageOf
from convex.errors import InvalidInput
from convex.quality import store, trust

router = new_router("quality")


@router.get(
    "/quality/runs", response_model=PageOf[schema.QualityRun], summary="Runs of the quality checks"
)
async def list_runs(
    request: Request,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    suite: Annotated[
        str | None, Query(max_length=100, pattern="^[^\\x00]*$", description="Only this suite.")
    ] = None,
) -> Response:
    """Newest first, each with the result of every check."""
    page = await store.list_runs(connection, suite=suite, limit=pages.limit, cursor=pages.cursor)
    return reply_page(request, page, lambda run: run)


@router.get("/quality/trends", response_model=schema.QualityTrends, summary="Quality over time")
async def read_trends(
    request: Request,
    caller: Viewer,
    connection: Reading,
    days: Annotated[int, Query(ge=1, le=365, description="Up to today, UTC.")] = 30,
) -> Response:
    """How many expectations held, by suite and day."""
    since = resources_of(request).now() - timedelta(days=days)
    found = await store.trends(connection, caller.workspace_id, since)
    return reply(request, {"items": found})


@router.get(
    "/quality/distrusted", response_model=schema.DistrustedList, summary="Series not to be trusted"
)
async def list_distrusted(request: Request, caller: Viewer, connection: Reading) -> Response:
    """Rules answer `error` on these, until a check finds them right again."""
    found = await trust.list_distrusted(connection, caller.workspace_id)
    return reply(request, {"items": found})


@router.get("/quality/ranges", response_model=schema.RangeList, summary="Ranges of metrics")
async def list_ranges(request: Request, caller: Viewer, connection: Reading) -> Response:
    """Learned from four weeks of values, or said by a member."""
    return reply(request, {"items": await trust.list_ranges(connection, caller.workspace_id)})


@router.get(
    "/quality/ranges/{metric_id:uuid}", response_model=schema.RangeShape, summary="One range"
)
async def get_range(
    request: Request, metric_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """Empty where nothing is known of the metric."""
    return reply(request, await trust.get_range(connection, caller.workspace_id, metric_id))


@router.put(
    "/quality/ranges/{metric_id:uuid}", response_model=schema.RangeShape, summary="Say the range"
)
async def set_range(
    request: Request,
    metric_id: UUID,
    body: schema.RangeBody,
    caller: Editor,
    connection: Writing,
) -> Response:
    """A value outside of it is a critical fault from the next check on: the series is not trusted,
    and its rules answer `error`.
    """
    before = await trust.get_range(connection, caller.workspace_id, metric_id)
    check_match(request, before)
    if body.low is not None and body.high is not None and body.low > body.high:
        raise InvalidInput("low is above high.", field="low")
    after = await trust.set_range(connection, caller.workspace_id, metric_id, body.low, body.high)
    return reply(request, after)
