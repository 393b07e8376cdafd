"""The routes, one file per concept. Each has a `router` whose paths are complete."""

from __future__ import annotations

from fastapi import APIRouter

from api.idempotency import ConvexRoute

PREFIX = "/api/v1"


def new_router(tag: str) -> APIRouter:
    """A router of the API proper."""
    return APIRouter(prefix=PREFIX, tags=[tag], route_class=ConvexRoute)
