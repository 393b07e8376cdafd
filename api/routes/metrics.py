"""Metrics, their series, and the points of a series."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response

from api.dependencies import Editor, Owner, Pages, Reading, Viewer, Writing
from api.replies import check_match, no_content, reply, reply_page
from api.resources import resources_of
from api.routes import PREFIX, new_router
from api.routes.frameworks import FrameworkFilter, find_framework_id
from api.schemas import frameworks as schema
from api.schemas.shared import Instant, PageOf
from convex.alerts.describe import parse_duration
from convex.metrics import definitions, history

router = new_router("metrics")

SeriesId = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("/metrics", response_model=PageOf[schema.MetricShape], summary="Metrics")
async def list_metrics(
    request: Request,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    framework: FrameworkFilter = None,
) -> Response:
    """By name, of one framework or of all."""
    page = await definitions.list_metrics(
        connection,
        caller.workspace_id,
        framework_id=await find_framework_id(connection, caller.workspace_id, framework),
        cursor=pages.cursor,
        limit=pages.limit,
    )
    return reply_page(request, page, lambda metric: metric)


@router.post(
    "/metrics", response_model=schema.MetricShape, status_code=201, summary="Define a metric"
)
async def create_metric(
    request: Request, body: schema.MetricNew, caller: Editor, connection: Writing
) -> Response:
    """Points create their metric by themselves; this says unit, target and limit beforehand."""
    metric = await definitions.create_metric(
        connection,
        caller.workspace_id,
        body.framework_id,
        body.name,
        **schema.metric_values(body),
    )
    headers = {"Location": f"{PREFIX}/metrics/{metric.id}"}
    return reply(request, metric, status=201, headers=headers)


@router.get("/metrics/{metric_id:uuid}", response_model=schema.MetricShape, summary="One metric")
async def get_metric(
    request: Request, metric_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """What is known about a metric."""
    return reply(request, await definitions.get_metric(connection, metric_id))


@router.patch("/metrics/{metric_id:uuid}", response_model=schema.MetricShape, summary="Describe it")
async def change_metric(
    request: Request,
    metric_id: UUID,
    body: schema.MetricChange,
    caller: Editor,
    connection: Writing,
) -> Response:
    """What is given is changed; its name stays, since points come by it."""
    before = await definitions.get_metric(connection, metric_id)
    check_match(request, before)
    changes = schema.metric_values(body)
    after = await definitions.update_metric(
        connection, metric_id, changes, expected_version=before.version
    )
    return reply(request, after)


@router.delete("/metrics/{metric_id:uuid}", status_code=204, summary="Remove a metric")
async def delete_metric(
    request: Request, metric_id: UUID, caller: Owner, connection: Writing
) -> Response:
    """With its series, points and rules. Owners only."""
    check_match(request, await definitions.get_metric(connection, metric_id))
    await definitions.delete_metric(connection, metric_id)
    return no_content()


@router.get("/series", response_model=PageOf[schema.SeriesShape], summary="Series")
async def list_series(
    request: Request,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    framework: FrameworkFilter = None,
    metric: Annotated[UUID | None, Query(description="Only this metric, by id.")] = None,
) -> Response:
    """Each metric with each set of labels that points have come with."""
    page = await history.list_series(
        connection,
        caller.workspace_id,
        framework_id=await find_framework_id(connection, caller.workspace_id, framework),
        metric_id=metric,
        cursor=pages.cursor,
        limit=pages.limit,
    )
    return reply_page(request, page, lambda series: series)


@router.get("/series/{series_id}", response_model=schema.SeriesShape, summary="One series")
async def get_series(
    request: Request, series_id: SeriesId, caller: Viewer, connection: Reading
) -> Response:
    """Its metric, labels and newest point."""
    return reply(request, await history.get_series(connection, series_id))


@router.get(
    "/series/{series_id}/points",
    response_model=schema.SeriesPoints,
    summary="Points of a series",
)
async def read_points(
    request: Request,
    series_id: SeriesId,
    caller: Viewer,
    connection: Reading,
    start: Annotated[
        Instant | None, Query(alias="from", description="Default: a day before `to`.")
    ] = None,
    end: Annotated[Instant | None, Query(alias="to", description="Default: now.")] = None,
    step: Annotated[
        str | None,
        Query(
            max_length=20,
            description='Such as "5m", or seconds; "0s": as measured. Default: at most 1,000.',
        ),
    ] = None,
) -> Response:
    """Thinned out by the server: mean, extremes and number of the points of each step."""
    until = end or resources_of(request).now()
    since = start or until - timedelta(days=1)
    if step is None:
        seconds = history.choose_step(since, until)
    else:
        seconds = parse_duration(int(step) if step.isdigit() else step, "step")
    points = await history.read_steps(connection, series_id, since, until, seconds)
    return reply(request, {"series_id": series_id, "step_seconds": seconds, "points": points})
