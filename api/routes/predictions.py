"""What is likely to fire next, how good such sayings were, and the next hours of a series."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from api.dependencies import Editor, Pages, Reading, Viewer, Writing
from api.replies import check_match, reply, reply_page
from api.resources import resources_of
from api.routes import new_router
from api.routes.frameworks import FrameworkFilter, find_framework_id
from api.schemas import predictions as schema
from convex.predictions import record, series_service, service, store
from convex.predictions.present import prediction_json
from convex.predictions.store import PredictionFilters
from convex.workspaces import job_requests
from convex.workspaces.job_requests import Job

router = new_router("predictions")


@router.get("/predictions", response_model=schema.PredictionPage, summary="Predictions")
async def list_predictions(
    request: Request,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    kind: Annotated[list[schema.KindName] | None, Query()] = None,
    confidence: Annotated[list[schema.ConfidenceName] | None, Query()] = None,
    framework: FrameworkFilter = None,
    rule: Annotated[UUID | None, Query(description="Only of this rule.")] = None,
    running: Annotated[bool, Query(description="Only those whose window is running now.")] = False,
    verified: Annotated[
        bool | None, Query(description="Only those that have, or have not, been verified.")
    ] = None,
    least_probability: Annotated[float, Query(ge=0, le=100)] = 0.0,
) -> Response:
    """The newest run first, and in it the greatest risk. Each carries the scorecard of its kind."""
    now = resources_of(request).now()
    filters = PredictionFilters(
        kinds=tuple(kind or ()),
        confidences=tuple(confidence or ()),
        framework_id=await find_framework_id(connection, caller.workspace_id, framework),
        rule_id=rule,
        open_at=now if running else None,
        verified=verified,
        least_probability=least_probability,
    )
    page = await store.list_predictions(
        connection, caller.workspace_id, filters, limit=pages.limit, cursor=pages.cursor
    )
    cards = await record.read_references(connection, caller.workspace_id, now=now)
    run = await store.newest_run(connection, caller.workspace_id)
    if run is not None:
        run.pop("horizons")
    return reply_page(request, page, lambda one: prediction_json(one, cards[one.kind]), run=run)


@router.post(
    "/predictions",
    response_model=schema.ForecastRequested,
    status_code=202,
    summary="Predict now",
)
async def request_run(request: Request, caller: Editor, connection: Writing) -> Response:
    """Asks for a run of forecast-alerts; one that waits already is given again."""
    row = await job_requests.request_run(
        connection, caller.workspace_id, Job.FORECAST_ALERTS, caller.user_id
    )
    return reply(request, row, status=202)


@router.get("/predictions/scorecard", response_model=schema.Scorecard, summary="Scorecard")
async def get_scorecard(
    request: Request,
    caller: Viewer,
    connection: Reading,
    framework: FrameworkFilter = None,
    rule: Annotated[UUID | None, Query(description="Only of this rule.")] = None,
    kind: Annotated[schema.KindName | None, Query(description="Only of this kind.")] = None,
) -> Response:
    """Verified predictions, since the beginning and over the last 8 weeks, and the hindcast of the
    newest run. Brier score, skill against each rule's own base rate, AUC, calibration, n.
    """
    card = await record.read_scorecard(
        connection,
        caller.workspace_id,
        now=resources_of(request).now().replace(second=0, microsecond=0),
        rule_id=rule,
        framework_id=await find_framework_id(connection, caller.workspace_id, framework),
        kind=kind,
    )
    return reply(request, card)


@router.get(
    "/predictions/{prediction_id:uuid}",
    response_model=schema.PredictionShape,
    summary="One prediction",
)
async def get_prediction(
    request: Request, prediction_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """With what it was made from."""
    found = await store.get_prediction(connection, caller.workspace_id, prediction_id)
    now = resources_of(request).now()
    cards = await record.read_references(connection, caller.workspace_id, now=now)
    return reply(request, prediction_json(found, cards[found.kind]))


@router.post(
    "/predictions/{prediction_id:uuid}/actions",
    response_model=schema.PredictionShape,
    status_code=201,
    summary="Note what was done",
)
async def take_action(
    request: Request,
    prediction_id: UUID,
    body: schema.ActionBody,
    caller: Editor,
    connection: Writing,
) -> Response:
    """So that a prediction that did not come true for a reason is not taken for a wrong one, and
    what works is proposed again. Refused (409) once the window is over.
    """
    now = resources_of(request).now()
    cards = await record.read_references(connection, caller.workspace_id, now=now)
    before = await store.get_prediction(connection, caller.workspace_id, prediction_id)
    check_match(request, prediction_json(before, cards[before.kind]))
    found = await service.take_action(
        connection,
        caller.identity,
        prediction_id,
        action=body.action,
        note=body.note,
        now=now,
    )
    return reply(request, prediction_json(found, cards[found.kind]), status=201)


@router.get(
    "/series/{series_id:int}/forecast",
    response_model=schema.SeriesForecastShape,
    summary="The next hours of a series",
)
async def forecast_series(
    request: Request,
    series_id: int,
    caller: Viewer,
    connection: Reading,
    horizon: Annotated[int, Query(ge=1, le=72, description="Hours ahead.")] = 48,
) -> Response:
    """By the hour, with bands of 50, 80 and 95 %, from the hours of the last 26 weeks."""
    found = await series_service.read_forecast(
        connection,
        caller.workspace_id,
        series_id,
        horizon=horizon,
        now=resources_of(request).now(),
    )
    return reply(request, found)
