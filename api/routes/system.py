"""Whether Convex itself is well: probes, metrics, the health score."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import httpx
from fastapi import APIRouter, Request, Response

from api.authentication import Caller
from api.dependencies import Reading, Viewer
from api.readiness import Check, check_all
from api.replies import encode, reply
from api.resources import Resources, resources_of
from api.routes import PREFIX
from api.schemas import system as schema
from api.schemas.insights import quality_json
from convex.cache import read_counts, read_memory
from convex.insights.store import measure_quality
from convex.insights.store import spent as spent_today
from convex.metrics.sources.model import Source
from convex.metrics.sources.store import list_sources
from convex.notifications import channel_health
from convex.notifications.queues import read_queues
from convex.telemetry import exposition, metrics

router = APIRouter(tags=["system"])

_INSIGHT_DAYS = 30
_FAILED_FOR_GOOD = 3  # runs in a row from which a source counts as down
_WEIGHTS = {"database": 40, "alert_flow": 30, "migrations": 15, "redis": 15}


@router.get("/livez", response_model=schema.Liveness, summary="Does the process answer")
async def livez(request: Request) -> Response:
    """For a supervisor: restart the process when this fails."""
    return reply(request, {"status": "alive"}, headers={"Cache-Control": "no-store"})


@router.get(
    "/readyz",
    response_model=schema.Readiness,
    summary="Is everything there",
    responses={503: {"model": schema.Readiness, "description": "Something is missing."}},
)
async def readyz(request: Request) -> Response:
    """For a balancer: database, Redis, migrations, and an alert flow at work; 503 without one."""
    checks = await check_all(resources_of(request))
    ready = all(check.ok for check in checks.values())
    return Response(
        encode({"status": "ready" if ready else "not_ready", "checks": checks}),
        200 if ready else 503,
        headers={"Cache-Control": "no-store"},
        media_type="application/json",
    )


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus or OpenMetrics."}},
    response_class=Response,
)
async def scrape(request: Request) -> Response:
    """All of Convex's own metrics; OpenMetrics when the Accept header asks for it."""
    metrics.health_score.set(score_of(await check_all(resources_of(request))))
    body, kind = exposition(request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": kind, "Cache-Control": "no-store"})


@router.get(
    f"{PREFIX}/system/health", response_model=schema.SystemHealth, summary="The health score"
)
async def system_health(request: Request, caller: Viewer) -> Response:
    """100 when everything that Convex needs answers; each part is listed with its weight."""
    checks = await check_all(resources_of(request))
    parts = [
        {
            "name": name,
            "weight": weight,
            "points": weight if checks[name].ok else 0,
            "detail": checks[name].detail,
        }
        for name, weight in _WEIGHTS.items()
    ]
    score = score_of(checks)
    status = "healthy" if score == 100 else "degraded" if checks["database"].ok else "down"
    metrics.health_score.set(score)
    insights = None
    if checks["database"].ok and checks["migrations"].ok:
        insights = await _insights(resources_of(request), caller)
    return reply(request, {"score": score, "status": status, "parts": parts, "insights": insights})


async def _insights(resources: Resources, caller: Caller) -> dict[str, object]:
    """How good Claude's insights were in this workspace; it says nothing about the score."""
    now = resources.now()
    since = now - timedelta(days=_INSIGHT_DAYS)
    async with resources.database.read(caller.identity) as connection:
        found = await measure_quality(connection, since, caller.workspace_id)
        spent = await spent_today(connection, caller.workspace_id, now)
    budget = resources.settings.insights.daily_budget_usd
    return quality_json(found, _INSIGHT_DAYS, spent, budget)


@router.get(f"{PREFIX}/system/queues", response_model=schema.Queues, summary="What waits")
async def system_queues(request: Request, caller: Viewer, connection: Reading) -> Response:
    """Transitions to plan, notifications to deliver, jobs asked for: of this workspace."""
    return reply(request, {"items": await read_queues(connection)})


@router.get(
    f"{PREFIX}/system/cache", response_model=schema.CacheReport, summary="How the cache does"
)
async def system_cache(request: Request, caller: Viewer) -> Response:
    """Of all workspaces together, over the last 24 hours."""
    server = resources_of(request).cache_server
    counts, memory = await read_counts(server), await read_memory(server)
    caches = [] if counts is None else [_use(name, each) for name, each in counts.by_cache.items()]
    return reply(
        request,
        {
            "answers": await server.answers(),
            "hit_rate": None if counts is None else counts.hit_rate,
            "used_bytes": None if memory is None else memory.used,
            "limit_bytes": None if memory is None else memory.limit,
            "evicted": None if memory is None else memory.evicted,
            "caches": sorted(caches, key=lambda use: str(use["name"])),
        },
    )


def _use(name: str, results: Mapping[str, int]) -> dict[str, object]:
    requests = sum(results.values())
    hits = requests - results.get("miss", 0)
    rate = hits / requests if requests else None
    return {"name": name, "requests": requests, "hits": hits, "hit_rate": rate}


@router.get(
    f"{PREFIX}/system/integrations", response_model=schema.Integrations, summary="Who is talked to"
)
async def system_integrations(request: Request, caller: Viewer, connection: Reading) -> Response:
    """Channels by their deliveries, sources by their runs, and what the operator has set up."""
    resources = resources_of(request)
    settings = resources.settings
    channels = await channel_health.measure_health(
        connection, caller.identity, resources.now(), email_works=bool(settings.smtp.host)
    )
    sources = await list_sources(connection, caller.workspace_id, limit=500, cursor=None)
    described = [channel_health.describe_health(one) for one in channels]
    items = [
        {
            "kind": "channel",
            "name": one["name"],
            "state": one["state"],
            "detail": one["explanation"],
        }
        for one in described
    ]
    items += [_source(one) for one in sources.items]
    items += [
        _option("email", settings.smtp.host, "CONVEX_SMTP__HOST"),
        _option("claude", "set up" if settings.anthropic_api_key else "", "ANTHROPIC_API_KEY"),
        _option("oidc", settings.oidc.issuer, "CONVEX_OIDC__ISSUER"),
        await _prefect(settings.prefect_api_url),
    ]
    return reply(request, {"items": items})


def _source(source: Source) -> dict[str, object]:
    if not source.enabled:
        state, detail = "off", "Switched off."
    elif source.last_run_at is None:
        state, detail = "disconnected", "It has not run yet."
    elif source.failed_runs:
        state = "degraded" if source.failed_runs < _FAILED_FOR_GOOD else "down"
        detail = f"{source.failed_runs} runs failed in a row: {source.last_error}"
    else:
        state, detail = "healthy", "The newest run took up all that there was."
    return {"kind": "source", "name": source.name, "state": state, "detail": detail}


def _option(kind: str, value: str, variable: str) -> dict[str, object]:
    """What the operator may set up; a secret is never `value`."""
    if not value:
        return {"kind": kind, "name": kind, "state": "off", "detail": f"Set {variable} to use it."}
    return {"kind": kind, "name": kind, "state": "healthy", "detail": f"Set up: {value}."}


async def _prefect(url: str) -> dict[str, object]:
    try:
        async with httpx.AsyncClient(timeout=2.0) as client:
            well = (await client.get(f"{url}/health")).status_code == 200
    except httpx.HTTPError:
        well = False
    detail = "The server answers." if well else "The server does not answer; see `convex doctor`."
    return {
        "kind": "prefect",
        "name": "prefect",
        "state": "healthy" if well else "down",
        "detail": detail,
    }


def score_of(checks: dict[str, Check]) -> int:
    """The weighted share of checks that hold, 0 to 100."""
    return sum(weight for name, weight in _WEIGHTS.items() if checks[name].ok)
