"""Whether Convex itself is well: probes, metrics, the health score."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.dependencies import Viewer
from api.readiness import Check, check_all
from api.replies import encode, reply
from api.resources import resources_of
from api.routes import PREFIX
from api.schemas import system as schema
from convex.telemetry import exposition, metrics

router = APIRouter(tags=["system"])

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
    return reply(request, {"score": score, "status": status, "parts": parts})


def score_of(checks: dict[str, Check]) -> int:
    """The weighted share of checks that hold, 0 to 100."""
    return sum(weight for name, weight in _WEIGHTS.items() if checks[name].ok)
