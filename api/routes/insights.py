"""What the figures mean, in words.

Writing an insight can take as long as Claude does, so no connection is held meanwhile: these routes
open their own transactions. Asking again for the same evidence gives the insight that is there, so
no Idempotency-Key is needed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from api.authentication import Caller
from api.dependencies import Editor, Pages, Reading, Viewer, Writing
from api.replies import reply, reply_page
from api.resources import resources_of
from api.routes import PREFIX, new_router
from api.routes.frameworks import FrameworkFilter, FrameworkKey, find_framework_id, key_of
from api.schemas import insights as schema
from api.schemas.shared import PageOf
from convex.frameworks import get_framework
from convex.insights import questions, service, store
from convex.insights.claude import Claude
from convex.insights.evidence import digest_pack, framework_pack, trigger_pack
from convex.insights.model import Insight
from convex.insights.strategy import keep_score, strategy_order

router = new_router("insights")

Kinds = Annotated[list[schema.KindName] | None, Query(description="Several may be given.")]


def _transactions(request: Request, caller: Caller) -> service.Transact:
    database = resources_of(request).database
    return lambda: database.transaction(caller.identity)


async def _write(request: Request, caller: Caller, order: service.Order) -> Insight:
    resources = resources_of(request)
    settings = resources.settings
    async with Claude.open(settings.anthropic_api_key, settings.insights) as claude:
        return await service.write(
            _transactions(request, caller), claude, settings.insights, order, now=resources.now()
        )


def _made(request: Request, insight: Insight) -> Response:
    headers = {"Location": f"{PREFIX}/insights/{insight.id}"}
    return reply(request, schema.insight_json(insight), status=201, headers=headers)


@router.get("/insights", response_model=PageOf[schema.InsightShape], summary="Insights")
async def list_insights(
    request: Request,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    kind: Kinds = None,
    framework: FrameworkFilter = None,
    trigger: Annotated[UUID | None, Query(description="Explanations of this one.")] = None,
) -> Response:
    """Of the whole workspace, newest first."""
    page = await store.list_insights(
        connection,
        caller.workspace_id,
        framework_id=await find_framework_id(connection, caller.workspace_id, framework),
        trigger_id=trigger,
        kinds=tuple(kind or ()),
        limit=pages.limit,
        cursor=pages.cursor,
    )
    return reply_page(request, page, schema.insight_json)


@router.get("/insights/quality", response_model=schema.QualityShape, summary="How good they were")
async def get_quality(
    request: Request,
    caller: Viewer,
    connection: Reading,
    days: Annotated[int, Query(ge=1, le=365)] = 30,
) -> Response:
    """Statements that held, were repaired, or were thrown away; what members said; what it cost."""
    resources = resources_of(request)
    now = resources.now()
    found = await store.measure_quality(connection, now - timedelta(days=days), caller.workspace_id)
    spent = await store.spent(connection, caller.workspace_id, now)
    budget = resources.settings.insights.daily_budget_usd
    return reply(request, schema.quality_json(found, days, spent, budget))


@router.get(
    "/insights/{insight_id:uuid}", response_model=schema.InsightShape, summary="One insight"
)
async def get_insight(
    request: Request, insight_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """With its evidence."""
    insight = await store.get_insight(connection, caller.workspace_id, insight_id)
    return reply(request, schema.insight_json(insight))


@router.post(
    "/insights/{insight_id:uuid}/feedback",
    response_model=schema.InsightShape,
    summary="Did it help",
)
async def feedback(
    request: Request,
    insight_id: UUID,
    body: schema.InsightFeedback,
    caller: Editor,
    connection: Writing,
) -> Response:
    """Counted in the quality of insights. Null takes it back."""
    insight = await store.set_feedback(connection, caller.workspace_id, insight_id, body.feedback)
    return reply(request, schema.insight_json(insight))


@router.get(
    "/frameworks/{framework}/insights",
    response_model=PageOf[schema.InsightShape],
    summary="Insights of a framework",
)
async def list_framework_insights(
    request: Request,
    framework: FrameworkKey,
    pages: Pages,
    caller: Viewer,
    connection: Reading,
    kind: Kinds = None,
) -> Response:
    """Newest first."""
    found = (await get_framework(connection, caller.workspace_id, key_of(framework))).framework
    page = await store.list_insights(
        connection,
        caller.workspace_id,
        framework_id=found.id,
        kinds=tuple(kind or ()),
        limit=pages.limit,
        cursor=pages.cursor,
    )
    return reply_page(request, page, schema.insight_json)


@router.post(
    "/frameworks/{framework}/insights",
    response_model=schema.InsightShape,
    status_code=201,
    summary="Write one now",
)
async def write_insight(
    request: Request,
    framework: FrameworkKey,
    caller: Editor,
    body: schema.InsightNew | None = None,
) -> Response:
    """About the last week, or about a version of the strategy, whose score enters its history."""
    wanted = body or schema.InsightNew()
    now = resources_of(request).now()
    transact = _transactions(request, caller)
    async with transact() as connection:
        found = (await get_framework(connection, caller.workspace_id, key_of(framework))).framework
        if wanted.kind == "strategy":
            order, version = await strategy_order(
                connection,
                caller.workspace_id,
                found.id,
                version=wanted.version,
                now=now,
                requested_by=caller.user_id,
            )
        else:
            pack = await framework_pack(connection, caller.workspace_id, found.id, now=now)
            order = service.Order(
                caller.workspace_id, pack, framework_id=found.id, requested_by=caller.user_id
            )
    insight = await _write(request, caller, order)
    if wanted.kind == "strategy":
        async with transact() as connection:
            await keep_score(connection, caller.workspace_id, version, insight)
    return _made(request, insight)


@router.post(
    "/insights/digest",
    response_model=schema.InsightShape,
    status_code=201,
    summary="The week in a digest, now",
)
async def write_digest(request: Request, caller: Editor) -> Response:
    """Of the whole workspace. It comes by itself once a week."""
    async with _transactions(request, caller)() as connection:
        pack = await digest_pack(connection, caller.workspace_id, now=resources_of(request).now())
    order = service.Order(caller.workspace_id, pack, requested_by=caller.user_id)
    return _made(request, await _write(request, caller, order))


@router.post(
    "/insights/ask", response_model=schema.InsightShape, status_code=201, summary="Ask the figures"
)
async def ask(
    request: Request,
    body: schema.QuestionBody,
    caller: Editor,
    framework: FrameworkFilter = None,
) -> Response:
    """Answered from the fact queries alone; what they do not hold is not answered."""
    resources = resources_of(request)
    settings = resources.settings
    transact = _transactions(request, caller)
    async with transact() as connection:
        framework_id = await find_framework_id(connection, caller.workspace_id, framework)
    async with Claude.open(settings.anthropic_api_key, settings.insights) as claude:
        insight = await questions.answer(
            transact,
            claude,
            settings.insights,
            caller.workspace_id,
            body.question,
            now=resources.now(),
            framework_id=framework_id,
            requested_by=caller.user_id,
        )
    return _made(request, insight)


@router.post(
    "/alert-triggers/{trigger_id:uuid}/explain",
    response_model=schema.InsightShape,
    status_code=201,
    summary="Why now",
)
async def explain(request: Request, trigger_id: UUID, caller: Editor) -> Response:
    """Whether it is unusual, what happened close to it, whether it was to be expected."""
    async with _transactions(request, caller)() as connection:
        pack = await trigger_pack(
            connection, caller.workspace_id, trigger_id, now=resources_of(request).now()
        )
    order = service.Order(
        caller.workspace_id, pack, trigger_id=trigger_id, requested_by=caller.user_id
    )
    return _made(request, await _write(request, caller, order))
