"""What one API process holds open, made by the lifespan and found on the application's state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import HTTPConnection

from api.authentication import Authenticator
from api.gathering import Gatherer
from convex.cache import Cache, CacheServer, RateLimiter
from convex.db import Database
from convex.live import Announcer, Hub
from convex.settings import SecretSettings, Settings


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything with a lifetime."""

    settings: Settings
    secrets: SecretSettings
    database: Database
    database_name: str  # host:port/name, as the domain remembers partitions by
    authenticator: Authenticator
    announcer: Announcer
    hub: Hub
    gatherer: Gatherer
    cache_server: CacheServer
    cache: Cache
    limiter: RateLimiter

    def now(self) -> datetime:
        """The time, with its zone."""
        return datetime.now(UTC)


def resources_of(request: HTTPConnection) -> Resources:
    """Those of the application that answers `request`."""
    held = request.app.state.resources
    assert isinstance(held, Resources)
    return held
