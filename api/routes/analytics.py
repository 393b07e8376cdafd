"""Whether the alerts were worth it: figures from the marts, kept until the marts change."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import Query, Request, Response

from api.authentication import Caller
from api.dependencies import Viewer
from api.replies import encode, etag_of, is_known, reply_encoded
from api.resources import resources_of
from api.routes import new_router
from api.schemas import analytics as schema
from convex.analytics import answers, export
from convex.analytics.answers import Question
from convex.analytics.window import LONGEST_DAYS
from convex.workspaces.service import check_timezone

router = new_router("analytics")

Days = Annotated[int, Query(ge=1, le=LONGEST_DAYS, description="Up to today, in UTC.")]
Framework = Annotated[UUID | None, Query(description="Only this framework, by id.")]
Format = Annotated[
    Literal["json", "rows", "csv", "parquet"],
    Query(description="rows: flat JSON objects, for Grafana; csv and parquet: the same as a file."),
]
_PARQUET = "application/vnd.apache.parquet"
_FORMATS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            _PARQUET: {"schema": {"type": "string", "format": "binary"}},
        }
    }
}


async def _reply(request: Request, caller: Caller, question: Question, form: str) -> Response:
    resources = resources_of(request)
    body = await answers.kept_answer(
        resources.cache,
        caller.workspace_id,
        question,
        lambda: resources.database.read(caller.identity),
    )
    if form == "json":
        return reply_encoded(request, body)
    rows = export.rows_of(question.report, orjson.loads(body))
    if form == "rows":
        return reply_encoded(request, encode(rows))
    # Parquet's library takes its time to import, and both are work for the processor.
    write = export.to_csv if form == "csv" else export.to_parquet
    file = await asyncio.to_thread(write, rows)
    tag = etag_of(file)
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'attachment; filename="convex-{question.report}.{form}"',
    }
    if is_known(request, tag):
        return Response(status_code=304, headers=headers)
    kind = "text/csv; charset=utf-8" if form == "csv" else _PARQUET
    return Response(file, headers=headers, media_type=kind)


@router.get(
    "/analytics/summary",
    response_model=schema.Summary | list[schema.Row],
    responses=_FORMATS,
    summary="The figures of some days",
)
async def get_summary(
    request: Request,
    caller: Viewer,
    days: Days = 30,
    framework: Framework = None,
    format: Format = "json",  # noqa: A002 - the parameter's name on the wire
) -> Response:
    """Triggers, response times and rates, with the same of as many days before."""
    today = resources_of(request).now().date()
    return await _reply(request, caller, answers.summary(today, days, framework), format)


@router.get(
    "/analytics/trends",
    response_model=schema.Trends | list[schema.Row],
    responses=_FORMATS,
    summary="Figures over time",
)
async def get_trends(
    request: Request,
    caller: Viewer,
    period: Literal["daily", "weekly", "monthly"] = "daily",
    days: Days = 30,
    framework: Framework = None,
    format: Format = "json",  # noqa: A002
) -> Response:
    """By day, week (from Monday) or month, oldest first, without gaps."""
    today = resources_of(request).now().date()
    return await _reply(request, caller, answers.trends(today, period, days, framework), format)


@router.get(
    "/analytics/performance",
    response_model=schema.Performance | list[schema.Row],
    responses=_FORMATS,
    summary="Figures by framework",
)
async def get_performance(
    request: Request,
    caller: Viewer,
    days: Days = 30,
    format: Format = "json",  # noqa: A002
) -> Response:
    """Every framework, the one with the most triggers first."""
    today = resources_of(request).now().date()
    return await _reply(request, caller, answers.performance(today, days), format)


@router.get(
    "/analytics/distribution",
    response_model=schema.Distribution | list[schema.Row],
    responses=_FORMATS,
    summary="When and of what kind",
)
async def get_distribution(
    request: Request,
    caller: Viewer,
    days: Days = 30,
    framework: Framework = None,
    timezone: Annotated[
        str, Query(max_length=64, description="In whose hours, such as Europe/Berlin.")
    ] = "UTC",
    format: Format = "json",  # noqa: A002
) -> Response:
    """By type, severity, state, hour of the week, framework."""
    today = resources_of(request).now().date()
    check_timezone(timezone)
    question = answers.distribution(today, days, framework, timezone)
    return await _reply(request, caller, question, format)


@router.get(
    "/analytics/noise",
    response_model=schema.Noise | list[schema.Row],
    responses=_FORMATS,
    summary="What was not worth it",
)
async def get_noise(
    request: Request,
    caller: Viewer,
    days: Days = 30,
    limit: Annotated[int, Query(ge=1, le=100, description="Rules in each list.")] = 20,
    format: Format = "json",  # noqa: A002
) -> Response:
    """The noisiest rules, those that nobody acknowledges, who was woken, what was suppressed."""
    today = resources_of(request).now().date()
    question = answers.noise(today, caller.identity, days, limit)
    return await _reply(request, caller, question, format)
