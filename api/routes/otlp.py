"""OpenTelemetry metrics over HTTP."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from fastapi import Request, Response

from api.ingestion import Ingester, take
from api.problems import UnsupportedMediaType
from api.routes import new_router
from api.routes.prometheus import mapping_rules
from convex.alerts.ingest import IngestResult
from convex.metrics.otlp import answer_otlp, parse_otlp
from convex.telemetry import metrics

router = new_router("points")

_LARGE = 64 * 1024  # bytes from which parsing would hold up the event loop
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"


@router.post(
    "/otlp/v1/metrics",
    summary="OpenTelemetry metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Taken; `partial_success` counts data points that were not.",
            "content": {
                _PROTOBUF: {"schema": {"type": "string", "format": "binary"}},
                _JSON: {"schema": {"type": "object"}},
            },
        }
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                _PROTOBUF: {"schema": {"type": "string", "format": "binary"}},
                _JSON: {"schema": {"type": "object"}, "example": {"resourceMetrics": []}},
            },
        }
    },
)
async def take_otlp(request: Request, caller: Ingester) -> Response:
    """An ExportMetricsServiceRequest as protobuf or JSON, as every OpenTelemetry SDK and collector
    sends it (`OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`). `service.name` is the framework unless the
    workspace's mapping says otherwise (see /ingestion). Data points that cannot be taken are kept
    under /rejected-points and counted in the answer; the others are stored.
    """
    started = time.perf_counter()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (_PROTOBUF, _JSON):
        raise UnsupportedMediaType(f"Send OTLP metrics as {_PROTOBUF} or {_JSON}.")
    rules = await mapping_rules(request, caller)
    body = await request.body()
    parse = partial(parse_otlp, body, rules, json=kind == _JSON)
    batch = await asyncio.to_thread(parse) if len(body) > _LARGE else parse()

    def answer(result: IngestResult) -> Response:
        message = "; ".join(f"{why}: {said}" for why, said in result.why_refused.items())
        content = answer_otlp(result.rejected, message[:1000], json=kind == _JSON)
        return Response(content, media_type=kind)

    result, response = await take(request, caller, batch, answer)
    if result is not None:
        metrics.alert_processing.observe(time.perf_counter() - started)
    return response
