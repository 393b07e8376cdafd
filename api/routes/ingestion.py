"""How points come in: limits, mapping of foreign labels, retention."""

from __future__ import annotations

from fastapi import Request, Response

from api.dependencies import Owner, Reading, Viewer, Writing
from api.replies import check_match, reply
from api.routes import new_router
from api.schemas import ingestion as schema
from convex.metrics.policy import IngestionPolicy, read_policy, save_policy

router = new_router("points")


@router.get("/ingestion", response_model=schema.IngestionShape, summary="How points come in")
async def get_ingestion(request: Request, caller: Viewer, connection: Reading) -> Response:
    """Limits, how the labels of Prometheus and OpenTelemetry are read, and what is kept."""
    return reply(request, await read_policy(connection, caller.workspace_id))


@router.put("/ingestion", response_model=schema.IngestionShape, summary="Change how")
async def put_ingestion(
    request: Request, body: schema.IngestionBody, caller: Owner, connection: Writing
) -> Response:
    """Replaces it. Owners only. It counts within a few seconds for what comes in then."""
    before = await read_policy(connection, caller.workspace_id)
    check_match(request, before)
    said = body.model_dump(exclude={"mappings"})
    mappings = [one.model_dump(exclude_none=True) for one in body.mappings]
    policy = IngestionPolicy(**said, mappings=mappings)
    return reply(request, await save_policy(connection, caller.workspace_id, policy))
