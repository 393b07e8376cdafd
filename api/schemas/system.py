"""Convex's own condition."""

from __future__ import annotations

from pydantic import Field

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


class HealthPart(Shape):
    """One part of the score."""

    name: str
    weight: int
    points: int
    detail: str


SystemHealth.model_rebuild()
