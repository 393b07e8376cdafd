"""Alert rules as files: planned, applied, written out."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query, Request, Response

from api.dependencies import Editor, Reading, Viewer, Writing, after_commit
from api.replies import reply
from api.resources import resources_of
from api.routes import new_router
from api.routes.frameworks import FrameworkFilter, find_framework_id
from api.schemas import rule_files as schema
from convex.alerts.code import service
from convex.alerts.code.plan import Orphans

router = new_router("rules")


def _texts(body: schema.RuleFiles) -> list[tuple[str, str]]:
    return [(file.name, file.text) for file in body.files]


@router.post(
    "/alert-rules/plan", response_model=schema.RulePlan, summary="What rule files would change"
)
async def plan_rules(
    request: Request, body: schema.RuleFiles, caller: Editor, connection: Reading
) -> Response:
    """Nothing is written. Problems of the files are part of the answer, each with file and line."""
    plan = await service.plan_files(
        connection, caller.workspace_id, _texts(body), orphans=Orphans(body.orphans)
    )
    return reply(request, plan.as_json())


@router.post("/alert-rules/apply", response_model=schema.RulePlan, summary="Apply rule files")
async def apply_rules(
    request: Request, body: schema.RuleFilesApply, caller: Editor, connection: Writing
) -> Response:
    """All or nothing, in one transaction. From then on these rules are kept as code and read-only
    (`kept_as_code`). Files that are applied already write nothing. The answer is the plan that was
    carried out; problems are refused (422), each with file, line and path.
    """
    resources = resources_of(request)
    applied = await service.apply_files(
        connection,
        caller.identity,
        _texts(body),
        now=resources.now(),
        orphans=Orphans(body.orphans),
        fingerprint=body.fingerprint,
    )
    if applied.cursor is not None:
        workspace_id, cursor = caller.workspace_id, applied.cursor
        after_commit(request, lambda: resources.announcer.announce(workspace_id, cursor))
    return reply(request, applied.plan.as_json())


@router.get(
    "/alert-rules/export",
    response_class=Response,
    responses={200: {"content": {"application/yaml": {}}, "description": "A file of rules."}},
    summary="The rules as a file",
)
async def export_rules(
    request: Request,
    caller: Viewer,
    connection: Reading,
    framework: FrameworkFilter = None,
    provenance: Annotated[
        Literal["api", "code"] | None, Query(description="Only rules kept there.")
    ] = None,
) -> Response:
    """YAML that can be planned and applied: it says what the rules say."""
    text = await service.export_rules(
        connection,
        caller.workspace_id,
        framework_id=await find_framework_id(connection, caller.workspace_id, framework),
        provenance=provenance,
    )
    return Response(text, media_type="application/yaml")
