"""What the routes that take points in share: who may send, one transaction, and who is told."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response

from api import idempotency
from api.authentication import Caller
from api.dependencies import bearer, identify
from api.resources import resources_of
from convex.alerts.ingest import IngestResult, ingest_points
from convex.alerts.pooled import is_poolable
from convex.live import Announcer, Hub
from convex.metrics.model import PointBatch
from convex.metrics.partitions import ensure_partitions, partitions_known
from convex.telemetry import metrics


async def identify_program(request: Request) -> Caller:
    """As `identify`, and by basic authentication with an API key as the password, since many
    programs can do nothing else; the name is not looked at. Raises `NotAuthenticated`.
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        with suppress(binascii.Error, UnicodeDecodeError):
            _, _, password = base64.b64decode(given, validate=True).decode().partition(":")
            if password:
                caller = await resources_of(request).authenticator.authenticate(password)
                request.scope["state"]["authenticated"] = caller
                request.scope["state"]["caller"] = caller.name
                return caller
    return await identify(request)


async def _ingester(request: Request, _: Annotated[object, Depends(bearer)]) -> Caller:
    """Ingestion is not counted against the hourly limit."""
    caller = await identify_program(request)
    caller.ingesting  # noqa: B018  # refuse before the body is read
    return caller


Ingester = Annotated[Caller, Depends(_ingester)]


async def take(
    request: Request,
    caller: Caller,
    batch: PointBatch,
    answer: Callable[[IngestResult], Response],
) -> tuple[IngestResult | None, Response]:
    """Store and evaluate a batch in one transaction, and wake whoever waits once it is committed.

    No result where the request was answered before (Idempotency-Key).
    """
    resources = resources_of(request)
    identity, now = caller.ingesting, resources.now()
    if not partitions_known(resources.database_name, batch, now=now):
        async with resources.database.transaction(identity) as connection:
            await ensure_partitions(connection, batch, now=now)
    if "idempotency-key" not in request.headers and is_poolable(batch):
        pooled = await resources.gatherer.ingest(identity, batch, now)
        return pooled, answer(pooled)
    try:
        async with resources.database.transaction(identity) as connection:
            await idempotency.begin(request, connection, caller, now)
            result = await ingest_points(connection, caller.workspace_id, batch, now=now)
            response = answer(result)
            await idempotency.finish(request, response)
    except idempotency.Replayed as replayed:
        return None, replayed.response
    tell(resources.hub, resources.announcer, caller.workspace_id, result)
    return result, response


def tell(hub: Hub, announcer: Announcer, workspace_id: UUID, result: IngestResult) -> None:
    """Count what a batch did, and wake whoever waits for it; after the commit."""
    metrics.points_ingested.inc(result.accepted)
    for reason, count in result.refused.items():
        metrics.points_rejected.labels(reason).inc(count)
    for outcome, count in result.outcomes.items():
        metrics.rule_evaluations.labels(outcome).inc(count)
    for (kind, severity), count in result.opened.items():
        metrics.alert_triggers.labels(kind, severity).inc(count)
    hub.hand(workspace_id, result.events)
    if result.cursor is not None or result.transitions:
        announcer.announce(workspace_id, result.cursor, alert_flow=result.transitions > 0)
