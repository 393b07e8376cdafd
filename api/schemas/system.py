"""Convex's own condition."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.schemas.insights import QualityShape
from api.schemas.shared import Shape


class Check(Shape):
    """One thing that Convex needs."""

    ok: bool
    detail: str


class Readiness(Shape):
    """Whether requests and alerts can be served."""

    status: str = Field(examples=["ready"])
    checks: dict[str, Check]


class Liveness(Shape):
    """The process answers."""

    status: str = Field(examples=["alive"])


class SystemHealth(Shape):
    """0 to 100, with its parts; each part is a share of its weight."""

    score: int = Field(ge=0, le=100)
    status: str
    parts: list[HealthPart]
    insights: QualityShape | None = Field(
        description="How good Claude's insights were in 30 days; null when nobody can tell."
    )


class HealthPart(Shape):
    """One part of the score."""

    name: str
    weight: int
    points: int
    detail: str


class QueueShape(Shape):
    """What waits: planning (transitions), deliveries by channel, jobs by kind."""

    queue: Literal["planning", "deliveries", "jobs"]
    name: str
    waiting: int = Field(description="Due now.")
    later: int = Field(description="Due at a time to come.")
    again: int = Field(description="Tried before; of jobs: at work now.")
    oldest_at: datetime | None


class Queues(Shape):
    """Every queue that is not empty, and planning."""

    items: list[QueueShape]


class CacheUse(Shape):
    """One kind of answer over the last 24 hours."""

    name: str
    requests: int
    hits: int = Field(description="Had, shared or waited for: not computed for this request.")
    hit_rate: float | None


class CacheReport(Shape):
    """How the cache does. `answers` false: everything is computed, nothing fails."""

    answers: bool
    hit_rate: float | None
    used_bytes: int | None
    limit_bytes: int | None
    evicted: int | None
    caches: list[CacheUse]


class Integration(Shape):
    """Something outside of Convex that it talks to."""

    kind: Literal["channel", "source", "email", "claude", "oidc", "prefect", "prometheus"]
    name: str
    state: Literal["healthy", "degraded", "down", "disconnected", "off"]
    detail: str


class Integrations(Shape):
    """Every one, what is set up and what could be."""

    items: list[Integration]


SystemHealth.model_rebuild()
