"""Where points are pulled from."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Query, Request, Response

from api.dependencies import Editor, Owner, Pages, Reading, Viewer, Writing
from api.replies import check_match, encode, no_content, reply, reply_page
from api.resources import resources_of
from api.routes import PREFIX, new_router
from api.schemas import sources as schema
from api.schemas.shared import PageOf
from convex.errors import InvalidInput, NotFound
from convex.metrics.sources import store
from convex.metrics.sources.model import Source
from convex.metrics.sources.reader import check_config
from convex.secrets import encrypt

router = new_router("sources")


def _seal(request: Request, secret: dict[str, Any] | None) -> bytes | None:
    if not secret:
        return None
    key = resources_of(request).secrets.encryption_key
    return encrypt(orjson.dumps(secret).decode(), key)


def _check_schedule(schedule: str | None) -> None:
    if schedule is not None and schedule.isdigit() and int(schedule) < 10:
        raise InvalidInput("A source runs every 10 seconds at most.", field="schedule")


async def _find(connection: Reading, workspace_id: UUID, source_id: UUID) -> Source:
    found = await store.get_source(connection, source_id)
    if found.workspace_id != workspace_id:
        raise NotFound(f"There is no source {source_id}.")
    return found


@router.get("/sources", response_model=PageOf[schema.SourceShape], summary="Sources")
async def list_sources(
    request: Request, pages: Pages, caller: Viewer, connection: Reading
) -> Response:
    """By name, each with how its newest run went. Secrets are never shown."""
    page = await store.list_sources(
        connection, caller.workspace_id, limit=pages.limit, cursor=pages.cursor
    )
    return reply_page(request, page, schema.source_json)


@router.post(
    "/sources", response_model=schema.SourceShape, status_code=201, summary="Pull from somewhere"
)
async def create_source(
    request: Request, body: schema.SourceNew, caller: Editor, connection: Writing
) -> Response:
    """The flows take it up within a minute, and then by its schedule, from its beginning (or
    `start`) on. Addresses must be public, unless the operator allows the host.
    """
    check_config(body.kind, body.config, body.secret or {})
    _check_schedule(body.schedule)
    made = await store.create_source(
        connection,
        caller.workspace_id,
        name=body.name,
        kind=body.kind,
        config=body.config,
        secret=_seal(request, body.secret),
        schedule=body.schedule,
        enabled=body.enabled,
    )
    headers = {"Location": f"{PREFIX}/sources/{made.id}"}
    return reply(request, schema.source_json(made), status=201, headers=headers)


@router.get("/sources/{source_id:uuid}", response_model=schema.SourceShape, summary="One source")
async def get_source(
    request: Request, source_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """Its settings, and how far it is."""
    return reply(
        request, schema.source_json(await _find(connection, caller.workspace_id, source_id))
    )


@router.patch("/sources/{source_id:uuid}", response_model=schema.SourceShape, summary="Change it")
async def change_source(
    request: Request,
    source_id: UUID,
    body: schema.SourceChange,
    caller: Editor,
    connection: Writing,
) -> Response:
    """What is given is changed. It goes on from where it was; see /run."""
    before = await _find(connection, caller.workspace_id, source_id)
    check_match(request, schema.source_json(before))
    changes: dict[str, Any] = {}
    for name in body.model_fields_set:
        value = getattr(body, name)
        if name == "secret":
            changes["secret"] = _seal(request, value)
        elif value is not None or name == "schedule":
            changes[name] = value
    given = body.secret or {} if "secret" in body.model_fields_set else None
    check_config(before.kind, changes.get("config", before.config), given)
    _check_schedule(body.schedule)
    after = await store.update_source(connection, caller.workspace_id, source_id, changes)
    return reply(request, schema.source_json(after))


@router.delete("/sources/{source_id:uuid}", status_code=204, summary="Forget it")
async def delete_source(
    request: Request, source_id: UUID, caller: Owner, connection: Writing
) -> Response:
    """Its points stay. Owners only."""
    check_match(
        request, schema.source_json(await _find(connection, caller.workspace_id, source_id))
    )
    await store.delete_source(connection, caller.workspace_id, source_id)
    return no_content()


@router.post(
    "/sources/{source_id:uuid}/run",
    response_model=schema.SourceRunRequested,
    status_code=202,
    summary="Run it now",
)
async def run_source(
    request: Request,
    source_id: UUID,
    caller: Editor,
    connection: Writing,
    again: Annotated[
        bool, Query(description="From its beginning: what is there already changes nothing.")
    ] = False,
) -> Response:
    """The flows take it up within a minute; the source says how far it is and how it went."""
    await _find(connection, caller.workspace_id, source_id)
    if again:
        await store.update_source(connection, caller.workspace_id, source_id, {"cursor": {}})
    request_id = await store.request_run(connection, caller.workspace_id, source_id, caller.user_id)
    return Response(encode({"request_id": request_id}), 202, media_type="application/json")
