"""Patterns in when alerts fire: what there is, why it is believed, and a look on request."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

import orjson
from fastapi import Query, Request, Response

from api.dependencies import Editor, Pages, Reading, Viewer, Writing
from api.replies import encode, reply, reply_encoded, reply_page
from api.resources import resources_of
from api.routes import new_router
from api.routes.frameworks import FrameworkFilter, find_framework_id
from api.schemas import patterns as schema
from api.schemas.shared import PageOf
from api.schemas.triggers import TriggerShape
from convex.alerts import trigger_store
from convex.alerts.present import trigger_json
from convex.cache import Area
from convex.db.pages import Page
from convex.patterns import present, read_store
from convex.patterns.read_store import PatternFilters
from convex.workspaces import job_requests
from convex.workspaces.job_requests import Job

router = new_router("patterns")

_KEPT_SECONDS = 300


@router.get("/patterns", response_model=schema.PatternPage, summary="Patterns")
async def list_patterns(
    request: Request,
    pages: Pages,
    caller: Viewer,
    state: Annotated[
        list[schema.PatternState] | None,
        Query(description="Without it, all but the ones that are gone."),
    ] = None,
    type_: Annotated[list[schema.PatternType] | None, Query(alias="type")] = None,
    framework: FrameworkFilter = None,
    rule: Annotated[UUID | None, Query(description="Only of this rule, first or second.")] = None,
) -> Response:
    """The most certain first. Only what two runs have found is there; `not_enough_history` says
    which types there is too little of a past for: of the rule asked for, or of all by the newest
    run. The answer is kept until the next run, for five minutes at most.
    """
    resources, workspace_id = resources_of(request), caller.workspace_id

    async def load() -> bytes:
        async with resources.database.read(caller.identity) as connection:
            filters = PatternFilters(
                types=tuple(type_ or ()),
                framework_id=await find_framework_id(connection, workspace_id, framework),
                rule_id=rule,
                **({"states": tuple(state)} if state else {}),
            )
            page = await read_store.list_patterns(
                connection, workspace_id, filters, limit=pages.limit, cursor=pages.cursor
            )
            run = await read_store.newest_run(connection, workspace_id)
            short = await present.shortages(connection, workspace_id, rule, resources.now())
        return encode(
            {
                "items": [present.pattern_json(row) for row in page.items],
                "next_cursor": page.next_cursor,
                "run": present.run_json(run),
                "not_enough_history": short,
            }
        )

    key = encode([state, type_, framework, rule, pages.limit, pages.cursor]).decode()
    body = await resources.cache.get(
        "patterns", workspace_id, key, load, area=Area.PATTERNS, seconds=_KEPT_SECONDS
    )
    return reply_encoded(request, body, headers=_link(request, orjson.loads(body)["next_cursor"]))


def _link(request: Request, cursor: str | None) -> dict[str, str]:
    if cursor is None:
        return {}
    asked = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
    target = f"{request.url.path}?{urlencode([*asked, ('cursor', cursor)])}"
    return {"Link": f'<{target}>; rel="next"'}


@router.post(
    "/patterns",
    response_model=schema.RunRequested,
    status_code=202,
    summary="Look now",
)
async def request_run(request: Request, caller: Editor, connection: Writing) -> Response:
    """Asks for a run of detect-patterns; one that waits already is given again."""
    row = await job_requests.request_run(
        connection, caller.workspace_id, Job.DETECT_PATTERNS, caller.user_id
    )
    return reply(request, row, status=202)


@router.get(
    "/patterns/{pattern_id:uuid}", response_model=schema.PatternDetail, summary="One pattern"
)
async def get_pattern(
    request: Request, pattern_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """With the evidence, and what to do about it where something follows."""
    row = await read_store.get_pattern(connection, caller.workspace_id, pattern_id)
    advice = await read_store.find_advice(connection, caller.workspace_id, row["fingerprint"])
    return reply(
        request,
        {**present.pattern_json(row), "evidence": row["evidence"], "recommendation": advice},
    )


@router.get(
    "/patterns/{pattern_id:uuid}/triggers",
    response_model=PageOf[TriggerShape],
    summary="The triggers behind it",
)
async def list_triggers(
    request: Request, pattern_id: UUID, pages: Pages, caller: Viewer, connection: Reading
) -> Response:
    """Newest first: those that lie in the season, met, followed or came in the second half."""
    await read_store.get_pattern(connection, caller.workspace_id, pattern_id)
    ids = await read_store.list_trigger_ids(
        connection, caller.workspace_id, pattern_id, limit=pages.limit, cursor=pages.cursor
    )
    found = await trigger_store.get_triggers(connection, caller.workspace_id, ids.items)
    return reply_page(request, Page(found, ids.next_cursor), trigger_json)
