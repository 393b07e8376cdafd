"""Alertmanager's API, as far as a Prometheus and amtool use it, and its webhook."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from api import idempotency
from api.authentication import Caller
from api.dependencies import Editor, Reading, Viewer, Writing, after_commit
from api.idempotency import ConvexRoute
from api.ingestion import Ingester, identify_program
from api.problems import BadRequest
from api.replies import encode, reply
from api.resources import resources_of
from api.routes import new_router
from api.routes.prometheus import mapping_rules
from convex import __version__
from convex.alerts import alertmanager as words
from convex.alerts import external, silences, trigger_store
from convex.alerts.matchers import check_matcher, match_all
from convex.alerts.model import TriggerFilters
from convex.alerts.silences import Silence
from convex.errors import InvalidInput

_STARTED = datetime.now(UTC)
_MOST_SHOWN = 2000

webhook_router = new_router("points")
# Its clients know basic authentication at best; whoever comes first is known to what follows.
router = APIRouter(
    prefix="/api/v2",
    tags=["alertmanager"],
    route_class=ConvexRoute,
    dependencies=[Depends(identify_program)],
)

_BODY = {"schema": {"type": "array", "items": {"type": "object"}}}
Filters = Annotated[
    list[str] | None, Query(alias="filter", max_length=20, description='Such as severity="page".')
]


async def _report(
    request: Request, caller: Caller, reports: Sequence[external.Report], answer: Response
) -> Response:
    """Take reports in one transaction, and wake whoever waits once it is committed."""
    resources = resources_of(request)
    rules = await mapping_rules(request, caller)
    now = resources.now()
    async with resources.database.transaction(caller.ingesting) as connection:
        await idempotency.begin(request, connection, caller, now)
        placed = await words.place(connection, caller.workspace_id, reports, rules)
        reported = await external.report(connection, caller.workspace_id, placed, now=now)
        await idempotency.finish(request, answer)
    if reported.cursor is not None:
        resources.announcer.announce(caller.workspace_id, reported.cursor)
    return answer


async def _json(request: Request) -> Any:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None


@webhook_router.post(
    "/alertmanager/webhook",
    summary="A notification of an Alertmanager",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
)
async def take_webhook(request: Request, caller: Ingester) -> Response:
    """The JSON of Alertmanager's `webhook_configs` (version 4), with an API key as `authorization`
    or as the password of `basic_auth` of its `http_config`. Each alert is a trigger of its own;
    `resolved` ends it. The framework is that which the label `framework` or `job` names, if there
    is one.
    """
    reports = words.read_webhook(await _json(request))
    answer = Response(encode({"received": len(reports)}), media_type="application/json")
    return await _report(request, caller, reports, answer)


@router.post(
    "/alerts",
    summary="Alerts of a Prometheus",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": _BODY}}},
)
async def take_alerts(request: Request, caller: Ingester) -> Response:
    """As Alertmanager takes them: repeated while they fire, `endsAt` in the past resolves. An alert
    that is not repeated until its `endsAt` (five minutes without one) resolves as stale.
    """
    reports = words.read_alerts(await _json(request), resources_of(request).now())
    return await _report(request, caller, reports, Response(b"{}", media_type="application/json"))


@router.get("/status", summary="What answers here", response_model=dict[str, Any])
async def get_status(request: Request, caller: Viewer) -> Response:
    """Convex, in Alertmanager's form."""
    return reply(
        request,
        {
            "cluster": {"status": "disabled", "peers": []},
            "config": {"original": "# Convex: rules and channels are under /api/v1\n"},
            "uptime": _STARTED,
            "versionInfo": {
                "version": __version__,
                "branch": "convex",
                "revision": "",
                "buildDate": "",
                "buildUser": "",
                "goVersion": f"python {platform.python_version()}",
            },
        },
    )


@router.get("/receivers", summary="Receivers", response_model=list[dict[str, Any]])
async def list_receivers(request: Request, caller: Viewer) -> Response:
    """One: who is told is decided by each member's preferences."""
    return reply(request, [{"name": "convex"}])


@router.get("/alerts", summary="Open triggers as alerts", response_model=list[dict[str, Any]])
async def list_alerts(
    request: Request,
    caller: Viewer,
    connection: Reading,
    filters: Filters = None,
    active: bool = True,
    silenced: bool = True,
) -> Response:
    """Every open trigger of the workspace, whoever raised it; its rule is the label alertname. The
    newest 2,000.
    """
    wanted = words.read_filters(filters or ())
    for one in wanted:
        check_matcher(one, "filter")
    muting = await _silences(connection, caller, resources_of(request).now(), "active")
    page = await trigger_store.list_triggers(
        connection,
        caller.workspace_id,
        TriggerFilters(states=("firing", "acknowledged")),
        limit=_MOST_SHOWN,
    )
    shown = [words.alert_json(trigger, muting) for trigger in page.items]
    states = {"active": active, "suppressed": silenced}
    return reply(
        request,
        [
            one
            for one in shown
            if states[one["status"]["state"]] and match_all(tuple(wanted), one["labels"])
        ],
    )


@router.get("/silences", summary="Silences", response_model=list[dict[str, Any]])
async def list_silences(
    request: Request, caller: Viewer, connection: Reading, filters: Filters = None
) -> Response:
    """Those that end last come first. `filter` keeps those that have each of these matchers."""
    now = resources_of(request).now()
    wanted = {(one.label, one.value) for one in words.read_filters(filters or ())}
    shown = [words.silence_json(one, now) for one in await _silences(connection, caller, now, None)]
    kept = [
        one
        for one in shown
        if wanted <= {(matcher["name"], matcher["value"]) for matcher in one["matchers"]}
    ]
    return reply(request, kept)


@router.post(
    "/silences",
    summary="Mute for a while",
    response_model=dict[str, Any],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
)
async def post_silence(request: Request, caller: Editor, connection: Writing) -> Response:
    """With an `id`, the silence of that id ends and this takes its place, as Alertmanager does."""
    body = await _json(request)
    if not isinstance(body, dict):
        raise InvalidInput("The body is a silence.")
    resources = resources_of(request)
    now = resources.now()
    try:
        starts, ends = (datetime.fromisoformat(str(body.get(n))) for n in ("startsAt", "endsAt"))
        if starts.tzinfo is None or ends.tzinfo is None:
            raise ValueError
        former = UUID(body["id"]) if body.get("id") else None
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput(
            "startsAt and endsAt are RFC 3339 times, id is that of a silence."
        ) from None
    author, comment = (str(body.get(name) or "") for name in ("createdBy", "comment"))
    made = await silences.create_silence(
        connection,
        caller.identity,
        matchers=words.read_matchers(body.get("matchers")),
        starts_at=max(starts, now),
        ends_at=ends,
        reason=f"{comment} ({author})" if author else comment,
        now=now,
    )
    if former is not None:
        await _end(connection, caller, former, now)
    after_commit(request, lambda: resources.announcer.announce(caller.workspace_id, None))
    return reply(request, {"silenceID": made.id})


@router.get("/silence/{silence_id:uuid}", summary="One silence", response_model=dict[str, Any])
async def get_silence(
    request: Request, silence_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """Over or not."""
    found = await silences.get_silence(connection, caller.identity, silence_id)
    return reply(request, words.silence_json(found, resources_of(request).now()))


@router.delete("/silence/{silence_id:uuid}", summary="End a silence")
async def end_silence(
    request: Request, silence_id: UUID, caller: Editor, connection: Writing
) -> Response:
    """It ends now; it is not forgotten."""
    resources = resources_of(request)
    await _end(connection, caller, silence_id, resources.now())
    after_commit(request, lambda: resources.announcer.announce(caller.workspace_id, None))
    return Response(b"{}", media_type="application/json")


async def _end(connection: Reading, caller: Caller, silence_id: UUID, now: datetime) -> None:
    found = await silences.get_silence(connection, caller.identity, silence_id)
    if found.state(now) != "expired":
        await silences.update_silence(connection, caller.identity, silence_id, ends_at=now, now=now)


async def _silences(
    connection: Reading, caller: Caller, now: datetime, state: str | None
) -> list[Silence]:
    page = await silences.list_silences(
        connection, caller.identity, now=now, state=state, limit=_MOST_SHOWN
    )
    return list(page.items)
