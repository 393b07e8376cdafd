"""What has fired, and what people do about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from api.authentication import Caller
from api.dependencies import (
    Editor,
    Pages,
    Reading,
    Viewer,
    Writing,
    after_commit,
)
from api.replies import check_match, reply, reply_page
from api.resources import resources_of
from api.routes import new_router
from api.routes.frameworks import FrameworkFilter, find_framework_id
from api.schemas import triggers as schema
from api.schemas.rules import SeverityName, TypeName
from api.schemas.shared import Instant, PageOf
from convex.alerts import bulk, service, trigger_store
from convex.alerts.model import TriggerFilters
from convex.alerts.present import transition_json, trigger_json
from convex.db import Connection, Identity

router = new_router("triggers")


@router.get("/alert-triggers", response_model=PageOf[schema.TriggerShape], summary="Triggers")
async def list_triggers(
    request: Request,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    state: Annotated[list[schema.StateName] | None, Query()] = None,
    severity: Annotated[list[SeverityName] | None, Query()] = None,
    type_: Annotated[list[TypeName] | None, Query(alias="type")] = None,
    framework: FrameworkFilter = None,
    rule: Annotated[UUID | None, Query(description="Only of this rule.")] = None,
    assigned_to: Annotated[UUID | None, Query(description="Only of this member.")] = None,
    opened_from: Annotated[Instant | None, Query(alias="from")] = None,
    opened_until: Annotated[Instant | None, Query(alias="to")] = None,
    historical: Annotated[
        bool | None, Query(description="Only, or no, triggers of imported history.")
    ] = None,
) -> Response:
    """Newest first. `state`, `severity` and `type` may be given several times."""
    filters = TriggerFilters(
        states=tuple(state or ()),
        severities=tuple(severity or ()),
        types=tuple(type_ or ()),
        framework_id=await find_framework_id(connection, caller.workspace_id, framework),
        rule_id=rule,
        assigned_to=assigned_to,
        opened_from=opened_from,
        opened_until=opened_until,
        historical=historical,
    )
    page = await trigger_store.list_triggers(
        connection, caller.workspace_id, filters, limit=pages.limit, cursor=pages.cursor
    )
    return reply_page(request, page, trigger_json)


@router.get(
    "/alert-triggers/{trigger_id:uuid}", response_model=schema.TriggerDetail, summary="One trigger"
)
async def get_trigger(
    request: Request, trigger_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """With everything that happened to it."""
    trigger = await trigger_store.get_trigger(connection, caller.workspace_id, trigger_id)
    history = await trigger_store.list_transitions(connection, caller.workspace_id, trigger_id)
    transitions = [transition_json(transition) for transition in history]
    return reply(request, {**trigger_json(trigger), "transitions": transitions})


async def _expected(
    request: Request, connection: Connection, caller: Caller, trigger_id: UUID
) -> int | None:
    """The version that If-Match speaks of. Raises `PreconditionFailed`, `NotFound`."""
    if "if-match" not in request.headers:
        return None
    trigger = await trigger_store.get_trigger(connection, caller.workspace_id, trigger_id)
    history = await trigger_store.list_transitions(connection, caller.workspace_id, trigger_id)
    transitions = [transition_json(transition) for transition in history]
    short = trigger_json(trigger)
    check_match(request, short, {**short, "transitions": transitions})
    return trigger.version


@dataclass(frozen=True, slots=True)
class Act:
    """What every change of one trigger needs."""

    request: Request
    trigger_id: UUID
    caller: Caller
    connection: Connection
    now: datetime
    version: int | None

    @property
    def common(self) -> dict[str, Any]:
        """The keywords that the domain's functions share."""
        return {"now": self.now, "expected_version": self.version}

    @property
    def target(self) -> tuple[Connection, Identity, UUID]:
        """Their first arguments."""
        return self.connection, self.caller.identity, self.trigger_id

    def done(self, acted: service.Acted) -> Response:
        """Wake whoever waits once it is committed, and answer with the trigger."""
        if acted.cursor is not None:
            resources, cursor = resources_of(self.request), acted.cursor
            after_commit(
                self.request,
                lambda: resources.announcer.announce(self.caller.workspace_id, cursor),
            )
        return reply(self.request, trigger_json(acted.trigger))


async def _act(request: Request, trigger_id: UUID, caller: Editor, connection: Writing) -> Act:
    version = await _expected(request, connection, caller, trigger_id)
    now = resources_of(request).now()
    return Act(request, trigger_id, caller, connection, now, version)


Acting = Annotated[Act, Depends(_act)]
_ONE = "/alert-triggers/{trigger_id:uuid}"


@router.post(f"{_ONE}/acknowledge", response_model=schema.TriggerShape, summary="Acknowledge")
async def acknowledge(act: Acting, body: schema.NoteBody | None = None) -> Response:
    """Somebody cares: escalation stops. Again changes nothing; a resolved one is refused (409)."""
    note = body.note if body else None
    return act.done(await service.acknowledge(*act.target, note=note, **act.common))


@router.post(f"{_ONE}/resolve", response_model=schema.TriggerShape, summary="Resolve")
async def resolve(act: Acting, body: schema.NoteBody | None = None) -> Response:
    """It is over. While its condition holds, another opens after the deduplication window."""
    note = body.note if body else None
    return act.done(await service.resolve(*act.target, note=note, **act.common))


@router.post(f"{_ONE}/reopen", response_model=schema.TriggerShape, summary="Reopen")
async def reopen(act: Acting, body: schema.NoteBody | None = None) -> Response:
    """It was not over. Refused (409) while it, or another of the same rule and labels, is open."""
    note = body.note if body else None
    return act.done(await service.reopen(*act.target, note=note, **act.common))


@router.post(f"{_ONE}/comment", response_model=schema.TriggerShape, summary="Comment")
async def comment(act: Acting, body: schema.CommentBody) -> Response:
    """A few words in its history."""
    return act.done(await service.comment(*act.target, note=body.note, **act.common))


@router.post(f"{_ONE}/assign", response_model=schema.TriggerShape, summary="Assign")
async def assign(act: Acting, body: schema.AssignBody) -> Response:
    """Give it to a member of the workspace; null takes it back."""
    return act.done(
        await service.assign(*act.target, user_id=body.user_id, note=body.note, **act.common)
    )


@router.post(f"{_ONE}/feedback", response_model=schema.TriggerShape, summary="Was it worth it")
async def feedback(act: Acting, body: schema.FeedbackBody) -> Response:
    """Mark it as actionable or as a false positive; null takes the mark back."""
    return act.done(
        await service.give_feedback(
            *act.target, feedback=body.feedback, note=body.note, **act.common
        )
    )


@router.post("/alert-triggers/bulk", response_model=schema.BulkResult, summary="Several at once")
async def act_on_many(
    request: Request, body: schema.BulkBody, caller: Editor, connection: Writing
) -> Response:
    """One transaction; each trigger gets a transition of its own, and what cannot be changed is
    listed with the reason.
    """
    wanted = body.filter
    filters = None
    if wanted is not None:
        filters = TriggerFilters(
            states=wanted.state,
            severities=wanted.severity,
            types=wanted.type,
            framework_id=await find_framework_id(connection, caller.workspace_id, wanted.framework),
            rule_id=wanted.rule,
            assigned_to=wanted.assigned_to,
            opened_from=wanted.from_,
            opened_until=wanted.to,
            historical=wanted.historical,
        )
    done = await bulk.act_on_triggers(
        connection,
        caller.identity,
        bulk.TriggerAction(body.action, body.note, body.user_id, body.feedback),
        ids=body.ids,
        filters=filters,
        versions=body.versions,
        now=resources_of(request).now(),
    )
    return answer_bulk(request, caller, done)


def answer_bulk(request: Request, caller: Caller, done: bulk.BulkOutcome) -> Response:
    """Wake whoever waits once it is committed, and answer with what became of each."""
    if done.cursor is not None:
        resources, cursor = resources_of(request), done.cursor
        after_commit(request, lambda: resources.announcer.announce(caller.workspace_id, cursor))
    return reply(request, {"changed": done.changed, "failed": done.failed, "more": done.more})
