"""Points in: one transaction from the body to the triggers."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse

from api.authentication import Caller
from api.dependencies import Editor, Pages, Reading, Viewer, Writing, after_commit
from api.ingestion import Ingester, take, tell
from api.problems import UnsupportedMediaType
from api.replies import encode, reply_page
from api.resources import resources_of
from api.routes import new_router
from api.schemas import frameworks as schema
from api.schemas.shared import PageOf
from convex.alerts.ingest import IngestResult, ingest_points
from convex.metrics.model import PointBatch, Rejection
from convex.metrics.partitions import ensure_partitions
from convex.metrics.pieces import pieces_of
from convex.metrics.push import parse_csv, parse_json, parse_ndjson
from convex.metrics.rejected import (
    EXPORTED,
    correct,
    export_row,
    get_rejected,
    list_rejected,
    mark_reingested,
)
from convex.telemetry import metrics

router = new_router("points")

_PARSERS: dict[str, Callable[[bytes], PointBatch]] = {
    "application/json": parse_json,
    "application/x-ndjson": parse_ndjson,
    "application/ndjson": parse_ndjson,
    "application/jsonl": parse_ndjson,
    "text/csv": parse_csv,
}
_WHOLE = 8 * 1024 * 1024  # bytes up to which a body of lines is one batch
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
    correction, which never alerts. NDJSON and CSV of more than 8 MB, or of unknown length, may be
    as long as they like: they are taken piece by piece, each a batch of its own, so that sending
    the same again after an error goes on. Needs the scope ingest, or the role editor.
    """
    started = time.perf_counter()
    kind = request.headers.get("content-type", "application/json").partition(";")[0]
    parse = _PARSERS.get(kind.strip().lower())
    if parse is None:
        raise UnsupportedMediaType(
            "Send points as application/json, application/x-ndjson or text/csv."
        )
    if _is_streamed(request, parse):
        return await _take_pieces(request, caller, parse)
    body = await request.body()
    batch = await asyncio.to_thread(parse, body) if len(body) > _LARGE else parse(body)
    result, response = await take(request, caller, batch, _answer)
    if result is not None:
        metrics.alert_processing.observe(time.perf_counter() - started)
    return response


def _is_streamed(request: Request, parse: Callable[[bytes], PointBatch]) -> bool:
    """Lines of unknown or great length; an Idempotency-Key wants one transaction for them all."""
    if parse is parse_json or "idempotency-key" in request.headers:
        return False
    length = request.headers.get("content-length", "")
    return not length.isdigit() or int(length) > _WHOLE


async def _take_pieces(
    request: Request, caller: Caller, parse: Callable[[bytes], PointBatch]
) -> Response:
    """Batch by batch, each a transaction of its own: what was sent before an error stays."""
    total = IngestResult()
    async for piece in pieces_of(request.stream(), csv=parse is parse_csv):
        batch = await asyncio.to_thread(parse, piece)
        result, _ = await take(request, caller, batch, _answer)
        if result is not None:
            total.accepted += result.accepted
            total.corrected += result.corrected
            total.unchanged += result.unchanged
            total.rejected += result.rejected
            total.trigger_ids += result.trigger_ids
    return _answer(total)


def _answer(result: IngestResult) -> Response:
    return Response(
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


@router.get(
    "/rejected-points/export",
    summary="Points that were not taken, as CSV",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export_rejected(
    request: Request,
    caller: Viewer,
    reason: Annotated[Rejection | None, Query(description="Only for this reason.")] = None,
) -> Response:
    """All of them, newest first. Put right what was wrong and send the rows again."""
    database, identity = resources_of(request).database, caller.identity

    async def rows() -> AsyncIterator[str]:
        yield _csv([EXPORTED])
        cursor: str | None = None
        while True:
            async with database.read(identity) as connection:
                page = await list_rejected(
                    connection, caller.workspace_id, reason=reason, limit=1000, cursor=cursor
                )
            yield _csv([export_row(one) for one in page.items])
            if (cursor := page.next_cursor) is None:
                return

    return StreamingResponse(
        rows(),
        media_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="rejected-points.csv"'},
    )


def _csv(rows: Iterable[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue()


@router.post(
    "/rejected-points/reingest",
    response_model=schema.Ingested,
    summary="Send rejected points again",
)
async def reingest(
    request: Request, body: schema.Reingest, caller: Editor, connection: Writing
) -> Response:
    """With what was wrong put right: what is given replaces what came. Each id counts once; what
    still cannot be taken is a rejected point anew.
    """
    resources = resources_of(request)
    now = resources.now()
    corrections = {
        one.id: one.model_dump(mode="json", exclude={"id"}, exclude_none=True)
        for one in body.points
    }
    found = await get_rejected(connection, caller.workspace_id, list(corrections))
    batch = correct(found, corrections)
    await ensure_partitions(connection, batch, now=now)
    await mark_reingested(connection, caller.workspace_id, list(found), now)
    result = await ingest_points(connection, caller.workspace_id, batch, now=now)
    hub, announcer = resources.hub, resources.announcer
    after_commit(request, lambda: tell(hub, announcer, caller.workspace_id, result))
    return _answer(result)
