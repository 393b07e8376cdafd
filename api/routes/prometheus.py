"""Prometheus remote write."""

from __future__ import annotations

import asyncio
import time

from fastapi import Request, Response

from api.authentication import Caller
from api.ingestion import Ingester, take
from api.problems import UnsupportedMediaType, problem
from api.resources import resources_of
from api.routes import new_router
from convex.alerts.ingest import IngestResult
from convex.metrics.mapping import MappingRule
from convex.metrics.model import Rejection
from convex.metrics.policy import policy_of, remembered_policy
from convex.metrics.remote_write import memory_of, parse_remote_write
from convex.telemetry import metrics

router = new_router("points")

_LARGE = 256 * 1024  # bytes, packed, from which parsing would hold up the event loop
# A summary without observations is NaN: that is how Prometheus speaks, and no mistake.
_ORDINARY = {Rejection.NOT_A_NUMBER.value, Rejection.INFINITE.value}


async def mapping_rules(request: Request, caller: Caller) -> list[MappingRule]:
    """The workspace's mapping of foreign labels."""
    policy = remembered_policy(caller.workspace_id)
    if policy is None:
        async with resources_of(request).database.read(caller.ingesting) as connection:
            policy = await policy_of(connection, caller.workspace_id)
    return policy.rules() if policy.mappings else []


@router.post(
    "/prometheus/write",
    status_code=204,
    summary="Prometheus remote write",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/x-protobuf": {
                    "schema": {"type": "string", "format": "binary"},
                }
            },
        }
    },
)
async def remote_write(request: Request, caller: Ingester) -> Response:
    """Version 1.0: a snappy block around a protobuf WriteRequest. Any `remote_write` of Prometheus
    can send here, with an API key as `authorization` credentials or as the password of
    `basic_auth`. The labels are mapped to framework and metric as the workspace says (see
    /ingestion); stale markers end series.

    Samples that cannot be taken are kept under /rejected-points; the rest of the request is stored
    all the same, and the answer is 422 with the first reason, so that the sender's log tells of it
    and nothing is sent again. What may be sent again is answered by 5xx or 429.
    """
    started = time.perf_counter()
    kind = request.headers.get("content-type", "").partition(";")
    if kind[0].strip().lower() != "application/x-protobuf" or "write.v2" in kind[2]:
        raise UnsupportedMediaType(
            "Send a prometheus.WriteRequest (remote write 1.0) as application/x-protobuf."
        )
    memory = memory_of(caller.workspace_id, await mapping_rules(request, caller))
    body = await request.body()
    if len(body) > _LARGE:
        batch = await asyncio.to_thread(parse_remote_write, body, memory)
    else:
        batch = parse_remote_write(body, memory)
    if not len(batch):  # metadata only
        return Response(status_code=204)

    def answer(result: IngestResult) -> Response:
        return _answer(request, result)

    result, response = await take(request, caller, batch, answer)
    if result is not None:
        metrics.alert_processing.observe(time.perf_counter() - started)
    return response


def _answer(request: Request, result: IngestResult) -> Response:
    wrong = {reason: count for reason, count in result.refused.items() if reason not in _ORDINARY}
    if not wrong:
        return Response(status_code=204)
    said = "; ".join(
        f"{count} {reason.replace('_', ' ')} (such as: {result.why_refused[reason]})"
        for reason, count in wrong.items()
    )
    return problem(
        422,
        f"{result.accepted} samples were stored; these were not: {said}. They are kept"
        " under /api/v1/rejected-points.",
        code="samples_rejected",
        instance=request.url.path,
    )
