"""Whether the alerts were worth it: figures from the marts, kept for a minute per workspace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request, Response

from api.authentication import Caller
from api.dependencies import Viewer
from api.replies import encode, reply_encoded
from api.resources import resources_of
from api.routes import new_router
from api.schemas import analytics as schema
from convex.analytics import read
from convex.db import Connection
from convex.workspaces.service import check_timezone

router = new_router("analytics")

_KEPT_SECONDS = 60

Days = Annotated[int, Query(ge=1, le=read.LONGEST_DAYS, description="Up to today, in UTC.")]
Framework = Annotated[UUID | None, Query(description="Only this framework, by id.")]


async def _cached(
    request: Request,
    caller: Caller,
    name: str,
    key: object,
    compute: Callable[[Connection], Awaitable[dict[str, Any]]],
) -> Response:
    resources = resources_of(request)

    async def load() -> bytes:
        async with resources.database.read(caller.identity) as connection:
            return encode(await compute(connection))

    today = resources.now().date()
    body = await resources.cache.get(
        name, caller.workspace_id, f"{today} {key}", load, seconds=_KEPT_SECONDS
    )
    return reply_encoded(request, body)


@router.get("/analytics/summary", response_model=schema.Summary, summary="The figures of some days")
async def get_summary(
    request: Request, caller: Viewer, days: Days = 30, framework: Framework = None
) -> Response:
    """Triggers, response times and rates, with the same of as many days before."""
    today = resources_of(request).now().date()
    return await _cached(
        request,
        caller,
        "analytics_summary",
        (days, framework),
        lambda db: read.summary(db, today=today, days=days, framework_id=framework),
    )


@router.get("/analytics/trends", response_model=schema.Trends, summary="Figures over time")
async def get_trends(
    request: Request,
    caller: Viewer,
    period: Literal["daily", "weekly", "monthly"] = "daily",
    days: Days = 30,
    framework: Framework = None,
) -> Response:
    """By day, week (from Monday) or month, oldest first, without gaps."""
    today = resources_of(request).now().date()
    return await _cached(
        request,
        caller,
        "analytics_trends",
        (period, days, framework),
        lambda db: read.trends(db, today=today, period=period, days=days, framework_id=framework),
    )


@router.get(
    "/analytics/performance", response_model=schema.Performance, summary="Figures by framework"
)
async def get_performance(request: Request, caller: Viewer, days: Days = 30) -> Response:
    """Every framework, the one with the most triggers first."""
    today = resources_of(request).now().date()
    return await _cached(
        request,
        caller,
        "analytics_performance",
        days,
        lambda db: read.performance(db, today=today, days=days),
    )


@router.get(
    "/analytics/distribution", response_model=schema.Distribution, summary="When and of what kind"
)
async def get_distribution(
    request: Request,
    caller: Viewer,
    days: Days = 30,
    framework: Framework = None,
    timezone: Annotated[
        str, Query(max_length=64, description="In whose hours, such as Europe/Berlin.")
    ] = "UTC",
) -> Response:
    """By type, severity, state, hour of the week, framework."""
    today = resources_of(request).now().date()
    check_timezone(timezone)
    return await _cached(
        request,
        caller,
        "analytics_distribution",
        (days, framework, timezone),
        lambda db: read.distribution(
            db, today=today, days=days, framework_id=framework, timezone=timezone
        ),
    )


@router.get("/analytics/noise", response_model=schema.Noise, summary="What was not worth it")
async def get_noise(
    request: Request,
    caller: Viewer,
    days: Days = 30,
    limit: Annotated[int, Query(ge=1, le=100, description="Rules in each list.")] = 20,
) -> Response:
    """The noisiest rules, those that nobody acknowledges, and what was suppressed."""
    today = resources_of(request).now().date()
    return await _cached(
        request,
        caller,
        "analytics_noise",
        (days, limit, caller.role, caller.user_id),  # a viewer sees the pages of nobody else
        lambda db: read.noise(db, today=today, days=days, limit=limit),
    )
