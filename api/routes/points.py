"""Points in: one transaction from the body to the triggers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from api import idempotency
from api.authentication import Caller
from api.dependencies import Pages, Reading, Viewer, bearer, identify
from api.problems import UnsupportedMediaType
from api.replies import encode, reply_page
from api.resources import Resources, resources_of
from api.routes import new_router
from api.schemas import frameworks as schema
from api.schemas.shared import PageOf
from convex.alerts.ingest import IngestResult, ingest_points
from convex.metrics.model import PointBatch, Rejection
from convex.metrics.partitions import ensure_partitions, partitions_known
from convex.metrics.push import parse_csv, parse_json, parse_ndjson
from convex.metrics.rejected import list_rejected
from convex.telemetry import metrics

router = new_router("points")

_PARSERS: dict[str, Callable[[bytes], PointBatch]] = {
    "application/json": parse_json,
    "application/x-ndjson": parse_ndjson,
    "application/ndjson": parse_ndjson,
    "application/jsonl": parse_ndjson,
    "text/csv": parse_csv,
}
_LARGE = 512 * 1024  # bytes from which parsing would hold up the event loop

_EXAMPLE = {
    "points": [
        {
            "framework": "ewr",
            "metric": "cancel_rate",
            "labels": {},
            "timestamp": "2026-01-31T12:00:00Z",
            "value": 0.5,
        }
    ]
}


async def _ingester(request: Request, _: Annotated[object, Depends(bearer)]) -> Caller:
    """Ingestion is not counted against the hourly limit."""
    return await identify(request)


Ingester = Annotated[Caller, Depends(_ingester)]


@router.post(
    "/points",
    response_model=schema.Ingested,
    summary="Send points",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": schema.PointsNew.model_json_schema(
                        ref_template="#/components/schemas/{model}"
                    ),
                    "example": _EXAMPLE,
                },
                "application/x-ndjson": {
                    "schema": {"type": "string"},
                    "example": '{"framework":"ewr","metric":"cancel_rate",'
                    '"timestamp":"2026-01-31T12:00:00Z","value":0.5}\n',
                },
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "framework,metric,timestamp,value\n"
                    "ewr,cancel_rate,2026-01-31T12:00:00Z,0.5\n",
                },
            },
        }
    },
)
async def send_points(request: Request, caller: Ingester) -> Response:
    """Store a batch and evaluate it, in one transaction: all of it counts, or none.

    JSON, NDJSON, or CSV with the columns framework, metric, timestamp, value, and one column for
    each label. A point that cannot be taken is kept under /rejected-points with its reason and
    counted. The same points again change nothing; another value for the same instant is a
    correction, which never alerts. Needs the scope ingest, or the role editor.
    """
    started = time.perf_counter()
    resources = resources_of(request)
    caller.ingesting  # noqa: B018  # refuse before the body is read
    kind = request.headers.get("content-type", "application/json").partition(";")[0]
    parse = _PARSERS.get(kind.strip().lower())
    if parse is None:
        raise UnsupportedMediaType(
            "Send points as application/json, application/x-ndjson or text/csv."
        )
    body = await request.body()
    batch = await asyncio.to_thread(parse, body) if len(body) > _LARGE else parse(body)
    result, response = await _ingest(request, resources, caller, batch)
    if result is not None:
        _tell(resources, caller.workspace_id, result)
        metrics.alert_processing.observe(time.perf_counter() - started)
    return response


async def _ingest(
    request: Request, resources: Resources, caller: Caller, batch: PointBatch
) -> tuple[IngestResult | None, Response]:
    identity, now = caller.ingesting, resources.now()
    if not partitions_known(resources.database_name, batch, now=now):
        async with resources.database.transaction(identity) as connection:
            await ensure_partitions(connection, batch, now=now)
    try:
        async with resources.database.transaction(identity) as connection:
            await idempotency.begin(request, connection, caller, now)
            result = await ingest_points(connection, caller.workspace_id, batch, now=now)
            response = Response(
                encode(
                    {
                        "accepted": result.accepted,
                        "corrected": result.corrected,
                        "unchanged": result.unchanged,
                        "rejected": result.rejected,
                        "triggers": result.trigger_ids,
                    }
                ),
                media_type="application/json",
            )
            await idempotency.finish(request, response)
    except idempotency.Replayed as replayed:
        return None, replayed.response
    return result, response


def _tell(resources: Resources, workspace_id: UUID, result: IngestResult) -> None:
    metrics.points_ingested.inc(result.accepted)
    for reason, count in result.refused.items():
        metrics.points_rejected.labels(reason).inc(count)
    for outcome, count in result.outcomes.items():
        metrics.rule_evaluations.labels(outcome).inc(count)
    for (kind, severity), count in result.opened.items():
        metrics.alert_triggers.labels(kind, severity).inc(count)
    if result.cursor is not None or result.transitions:
        resources.announcer.announce(workspace_id, result.cursor, alert_flow=result.transitions > 0)


@router.get(
    "/rejected-points",
    response_model=PageOf[schema.RejectedShape],
    summary="Points that were not taken",
)
async def list_rejected_points(
    request: Request,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    reason: Annotated[Rejection | None, Query(description="Only for this reason.")] = None,
    source: Annotated[
        str | None,
        Query(max_length=200, pattern="^[^\\x00]*$", description="Only from this source."),
    ] = None,
) -> Response:
    """Newest first, each as it came, with its reason."""
    page = await list_rejected(
        connection,
        caller.workspace_id,
        reason=reason,
        source=source,
        limit=pages.limit,
        cursor=pages.cursor,
    )
    return reply_page(request, page, lambda one: one)
