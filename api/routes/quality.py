"""Runs of the data quality suites."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from api.dependencies import Pages, Reading, Viewer
from api.replies import reply_page
from api.routes import new_router
from api.schemas import quality as schema
from api.schemas.shared import PageOf
from convex.quality import store

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
