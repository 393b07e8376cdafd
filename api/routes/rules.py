"""When to alert."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request, Response

from api.authentication import Caller
from api.dependencies import Editor, Owner, Pages, Reading, Viewer, Writing, after_commit
from api.kept import reply_kept_page
from api.replies import check_match, no_content, reply
from api.resources import resources_of
from api.routes import PREFIX, new_router
from api.routes.frameworks import FrameworkFilter, find_framework_id
from api.routes.triggers import answer_bulk
from api.schemas import rules as schema
from api.schemas.shared import PageOf, ShortText, Tag
from api.schemas.triggers import BulkResult
from convex.alerts import bulk, rule_service, rule_store
from convex.alerts.model import Provenance, Rule
from convex.alerts.present import rule_json
from convex.cache import Area
from convex.db import Connection
from convex.db.pages import Page

router = new_router("rules")


def _tell(request: Request, caller: Caller, saved: rule_service.RuleSaved) -> None:
    """Wake whoever waits, when triggers were resolved by the change."""
    if saved.cursor is not None:
        announcer, cursor = resources_of(request).announcer, saved.cursor
        after_commit(request, lambda: announcer.announce(caller.workspace_id, cursor))


@router.get("/alert-rules", response_model=PageOf[schema.RuleShape], summary="Rules")
async def list_rules(
    request: Request,
    pages: Pages,
    caller: Viewer,
    framework: FrameworkFilter = None,
    metric: Annotated[UUID | None, Query(description="Only of this metric, by id.")] = None,
    enabled: Annotated[bool | None, Query()] = None,
    type_: Annotated[list[schema.TypeName] | None, Query(alias="type")] = None,
    severity: Annotated[list[schema.SeverityName] | None, Query()] = None,
    tag: Annotated[Tag | None, Query(description="Only with this tag.")] = None,
    provenance: Annotated[
        Literal["api", "code"] | None, Query(description="Only those kept here, or in files.")
    ] = None,
    search: Annotated[ShortText | None, Query(description="Part of the name.")] = None,
    deleted: Annotated[bool, Query(description="Those that were deleted instead.")] = False,
) -> Response:
    """By name. Kept until a rule changes."""

    async def find(connection: Connection) -> Page[Rule]:
        filters = rule_store.RuleFilters(
            framework_id=await find_framework_id(connection, caller.workspace_id, framework),
            metric_id=metric,
            enabled=enabled,
            types=tuple(type_ or ()),
            severities=tuple(severity or ()),
            tag=tag,
            provenance=None if provenance is None else Provenance(provenance),
            search=search,
            deleted=deleted,
        )
        return await rule_store.list_rules(
            connection, caller.workspace_id, filters, limit=pages.limit, cursor=pages.cursor
        )

    return await reply_kept_page(request, caller, "alert_rules", Area.RULES, find, rule_json)


@router.post(
    "/alert-rules", response_model=schema.RuleShape, status_code=201, summary="Make a rule"
)
async def create_rule(
    request: Request, body: schema.RuleNew, caller: Editor, connection: Writing
) -> Response:
    """It watches from the next point on. What cannot work is refused, naming the field."""
    now = resources_of(request).now()
    saved = await rule_service.create_rule(
        connection, caller.identity, schema.new_draft(body), now=now
    )
    headers = {"Location": f"{PREFIX}/alert-rules/{saved.rule.id}"}
    return reply(request, rule_json(saved.rule), status=201, headers=headers)


@router.post("/alert-rules/bulk", response_model=BulkResult, summary="Several at once")
async def act_on_many(
    request: Request, body: schema.RuleBulk, caller: Editor, connection: Writing
) -> Response:
    """One transaction; what cannot be changed is listed with the reason. Deleting, and bringing
    back, is for owners.
    """
    wanted = body.filter
    filters = None
    if wanted is not None:
        filters = rule_store.RuleFilters(
            framework_id=await find_framework_id(connection, caller.workspace_id, wanted.framework),
            metric_id=wanted.metric,
            enabled=wanted.enabled,
            types=wanted.type,
            severities=wanted.severity,
            tag=wanted.tag,
            provenance=None if wanted.provenance is None else Provenance(wanted.provenance),
            search=wanted.search,
            deleted=wanted.deleted,
        )
    done = await bulk.act_on_rules(
        connection,
        caller.identity,
        body.action,
        ids=body.ids,
        filters=filters,
        versions=body.versions,
        now=resources_of(request).now(),
    )
    return answer_bulk(request, caller, done)


@router.get("/alert-rules/{rule_id:uuid}", response_model=schema.RuleShape, summary="One rule")
async def get_rule(
    request: Request, rule_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """Everything about a rule."""
    rule = await rule_store.get_rule(connection, caller.workspace_id, rule_id)
    return reply(request, rule_json(rule))


@router.patch(
    "/alert-rules/{rule_id:uuid}", response_model=schema.RuleShape, summary="Change a rule"
)
async def change_rule(
    request: Request,
    rule_id: UUID,
    body: schema.RuleChange,
    caller: Editor,
    connection: Writing,
) -> Response:
    """What is given is changed. Disabling resolves its open triggers; a rule kept as code is not
    changed here (409).
    """
    before = await rule_store.get_rule(connection, caller.workspace_id, rule_id)
    check_match(request, rule_json(before))
    saved = await rule_service.update_rule(
        connection,
        caller.identity,
        rule_id,
        schema.draft_changes(body),
        now=resources_of(request).now(),
        expected_version=before.version if "if-match" in request.headers else None,
    )
    _tell(request, caller, saved)
    return reply(request, rule_json(saved.rule))


@router.delete("/alert-rules/{rule_id:uuid}", status_code=204, summary="Remove a rule")
async def delete_rule(
    request: Request, rule_id: UUID, caller: Owner, connection: Writing
) -> Response:
    """Its open triggers are resolved; what it has found stays. Owners only."""
    before = await rule_store.get_rule(connection, caller.workspace_id, rule_id)
    check_match(request, rule_json(before))
    saved = await rule_service.delete_rule(
        connection,
        caller.identity,
        rule_id,
        now=resources_of(request).now(),
        expected_version=before.version if "if-match" in request.headers else None,
    )
    _tell(request, caller, saved)
    return no_content()


@router.post(
    "/alert-rules/{rule_id:uuid}/undelete",
    response_model=schema.RuleShape,
    summary="Undo a removal",
)
async def undelete_rule(
    request: Request, rule_id: UUID, caller: Owner, connection: Writing
) -> Response:
    """The rule as it was, watching from the next point on. Refused (409) if it is not removed, or
    another one has its name by now. Owners only.
    """
    before = await rule_store.get_rule(connection, caller.workspace_id, rule_id, deleted=True)
    check_match(request, rule_json(before))
    saved = await rule_service.undelete_rule(
        connection,
        caller.identity,
        rule_id,
        now=resources_of(request).now(),
        expected_version=before.version if "if-match" in request.headers else None,
    )
    return reply(request, rule_json(saved.rule))
