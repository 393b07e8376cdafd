"""What is muted for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request, Response

from api.authentication import Caller
from api.dependencies import Editor, Owner, Pages, Reading, Viewer, Writing, after_commit
from api.replies import check_match, no_content, reply, reply_page
from api.resources import resources_of
from api.routes import PREFIX, new_router
from api.schemas import silences as schema
from api.schemas.shared import PageOf
from convex.alerts import silences, trigger_store
from convex.alerts.model import Matcher
from convex.alerts.present import trigger_json
from convex.db import Connection
from convex.notifications import model as planning
from convex.notifications.silence_preview import matching_triggers

router = new_router("silences")

_SHOWN = 100


@router.get("/silences", response_model=PageOf[schema.SilenceShape], summary="Silences")
async def list_silences(
    request: Request,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    state: Annotated[Literal["pending", "active", "expired"] | None, Query()] = None,
) -> Response:
    """The one that ends last comes first."""
    now = resources_of(request).now()
    page = await silences.list_silences(
        connection, caller.identity, now=now, state=state, limit=pages.limit, cursor=pages.cursor
    )
    return reply_page(request, page, lambda one: schema.silence_json(one, now))


@router.post(
    "/silences", response_model=schema.SilenceShape, status_code=201, summary="Mute for a while"
)
async def create_silence(
    request: Request, body: schema.SilenceNew, caller: Editor, connection: Writing
) -> Response:
    """Nothing that matches is told until the end; a resolve of what was told before still is.
    One that would mute more than anybody means is refused (409) until `confirm_broad` says so.
    """
    now = resources_of(request).now()
    matchers = schema.given_matchers(body.matchers)
    broad = None if body.confirm_broad else (await _fitting(connection, caller, matchers)).broad
    made = await silences.create_silence(
        connection,
        caller.identity,
        matchers=matchers,
        broad=broad,
        starts_at=body.starts_at or now,
        ends_at=body.ends_at,
        reason=body.reason,
        now=now,
    )
    headers = {"Location": f"{PREFIX}/silences/{made.id}"}
    return reply(request, schema.silence_json(made, now), status=201, headers=headers)


@router.post("/silences/preview", response_model=schema.Previewed, summary="What would be muted")
async def preview(
    request: Request, body: schema.SilencePreview, caller: Viewer, connection: Reading
) -> Response:
    """The open triggers that the matchers fit now. Changes nothing."""
    found = await _fitting(connection, caller, schema.given_matchers(body.matchers))
    triggers = await trigger_store.get_triggers(connection, caller.workspace_id, found.ids)
    newest = sorted(triggers, key=lambda one: one.opened_at, reverse=True)[:_SHOWN]
    return reply(
        request,
        {
            "matching": len(found.ids),
            "open": found.open_now,
            "too_broad": found.broad,
            "triggers": [trigger_json(trigger) for trigger in newest],
        },
    )


@dataclass(frozen=True, slots=True)
class _Fitting:
    """Which open triggers matchers fit, of how many, and why that is too much (None: it is not)."""

    ids: list[UUID]
    open_now: int
    broad: str | None


async def _fitting(connection: Connection, caller: Caller, matchers: Sequence[Matcher]) -> _Fitting:
    silences.check_matchers(matchers)
    found = await matching_triggers(
        connection,
        caller.workspace_id,
        [planning.Matcher(one.label, one.operator.value, one.value) for one in matchers],
    )
    open_now = await trigger_store.count_open(connection, caller.workspace_id)
    return _Fitting(found, open_now, silences.too_broad(matchers, len(found), open_now))


@router.get("/silences/{silence_id:uuid}", response_model=schema.SilenceShape, summary="One")
async def get_silence(
    request: Request, silence_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """A silence, over or not."""
    silence = await silences.get_silence(connection, caller.identity, silence_id)
    return reply(request, schema.silence_json(silence, resources_of(request).now()))


@router.patch("/silences/{silence_id:uuid}", response_model=schema.SilenceShape, summary="Change")
async def change_silence(
    request: Request,
    silence_id: UUID,
    body: schema.SilenceChange,
    caller: Editor,
    connection: Writing,
) -> Response:
    """What is given is changed; an end in the past ends it now. One that is over stays (422)."""
    resources = resources_of(request)
    now = resources.now()
    before = await silences.get_silence(connection, caller.identity, silence_id)
    check_match(request, schema.silence_json(before, now))
    matchers, broad = None, None
    if body.matchers is not None:
        matchers = schema.given_matchers(body.matchers)
        if not body.confirm_broad:
            broad = (await _fitting(connection, caller, matchers)).broad
    after = await silences.update_silence(
        connection,
        caller.identity,
        silence_id,
        matchers=matchers,
        broad=broad,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        reason=body.reason,
        now=now,
        expected_version=before.version if "if-match" in request.headers else None,
    )
    # What it muted may be told now: let the alert flow look.
    after_commit(request, lambda: resources.announcer.announce(caller.workspace_id, None))
    return reply(request, schema.silence_json(after, now))


@router.delete("/silences/{silence_id:uuid}", status_code=204, summary="Remove")
async def delete_silence(
    request: Request, silence_id: UUID, caller: Owner, connection: Writing
) -> Response:
    """Altogether; editors end a silence by changing its end. Owners only."""
    resources = resources_of(request)
    before = await silences.get_silence(connection, caller.identity, silence_id)
    check_match(request, schema.silence_json(before, resources.now()))
    await silences.delete_silence(connection, caller.identity, silence_id)
    after_commit(request, lambda: resources.announcer.announce(caller.workspace_id, None))
    return no_content()
