"""The application: routes, the page, and what is open while it runs.

`create_app` reads nothing and opens nothing; the lifespan does, so the module and its OpenAPI
document can be had without a database.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from fastapi import FastAPI
from psycopg.conninfo import conninfo_to_dict
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import WebSocketRoute

from api.authentication import Authenticator
from api.gathering import Gatherer
from api.ingestion import tell
from api.middleware import Edge
from api.openapi import install_openapi
from api.pages import install_pages
from api.problems import install_problem_handlers
from api.resources import Resources
from api.routes import (
    PREFIX,
    alertmanager,
    analytics,
    auth,
    channels,
    entry,
    frameworks,
    ingestion,
    inhibition_rules,
    insights,
    metrics,
    mute_windows,
    notifications,
    otlp,
    patterns,
    points,
    predictions,
    prometheus,
    quality,
    recommendations,
    rule_files,
    rules,
    silences,
    sources,
    strategies,
    system,
    tenancy,
    trials,
    triggers,
    workspaces,
)
from api.websocket import LiveEndpoint
from convex import __version__
from convex.cache import Cache, CacheServer, RateLimiter
from convex.db import Database
from convex.db.roles import role_url
from convex.embedded.valkey import redis_url
from convex.live import Announcer, Hub, listen
from convex.secrets import load_secrets
from convex.settings import Settings, load_settings
from convex.telemetry.traces import configure_traces, end_traces

LARGEST_BODY = 32 * 1024 * 1024

_ROUTERS = (
    points.router,  # the busiest first
    prometheus.router,
    otlp.router,
    alertmanager.webhook_router,
    alertmanager.router,
    auth.router,
    entry.router,
    triggers.router,
    rules.router,
    trials.router,
    rule_files.router,
    silences.router,
    mute_windows.router,
    inhibition_rules.router,
    frameworks.router,
    strategies.router,
    metrics.router,
    ingestion.router,
    sources.router,
    analytics.router,
    notifications.router,
    channels.router,
    workspaces.router,
    tenancy.router,
    patterns.router,
    predictions.router,
    quality.router,
    insights.router,
    recommendations.router,
    system.router,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The API with the page; settings come from the environment when none are given."""
    chosen = settings or load_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _open(chosen) as resources:
            app.state.resources = resources
            gc.freeze()  # what is there now stays until the end
            yield

    app = FastAPI(
        title="Convex",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Edge, largest_body=LARGEST_BODY)
    if chosen.allowed_origins:
        app.add_middleware(  # outermost: a refused preflight needs nothing of the rest
            CORSMiddleware,
            allow_origins=sorted(chosen.allowed_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match"],
            expose_headers=["ETag", "Link", "Location", "Retry-After", "X-Request-Id"],
            max_age=3600,
        )
    for router in _ROUTERS:  # flat, so that "405" can name every method of a path
        app.router.routes.extend(router.routes)
    app.router.routes.append(WebSocketRoute(f"{PREFIX}/live", LiveEndpoint()))
    install_problem_handlers(app)
    install_openapi(app)
    install_pages(app, chosen)
    return app


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[Resources]:
    secrets = load_secrets(settings)
    url, redis = role_url(settings, "convex_api"), redis_url(settings)
    async with AsyncExitStack() as stack:
        configure_traces(settings.traces, service="api")
        stack.push_async_callback(asyncio.to_thread, end_traces)
        database = await stack.enter_async_context(
            Database.open(url, settings.pool, application="convex-api")
        )
        cache_server = await stack.enter_async_context(CacheServer.open(redis))
        hub = Hub(database, buffer_bytes=settings.live.buffer_bytes)
        announcer = await stack.enter_async_context(Announcer.open(url, redis, wake=hub.wake))
        authenticator = Authenticator(database, secrets.signing_key)
        stack.push_async_callback(authenticator.flush)
        for standing in (hub.run(), listen(redis, hub.wake), authenticator.run()):
            stack.push_async_callback(_end, asyncio.create_task(standing))
        yield Resources(
            settings=settings,
            secrets=secrets,
            database=database,
            database_name=_name_of(url),
            authenticator=authenticator,
            announcer=announcer,
            hub=hub,
            gatherer=Gatherer(database, partial(tell, hub, announcer)),
            cache_server=cache_server,
            cache=Cache(cache_server),
            limiter=RateLimiter(cache_server),
        )


def _name_of(url: str) -> str:
    parts = conninfo_to_dict(url)
    return f"{parts.get('host')}:{parts.get('port') or 5432}/{parts.get('dbname')}"


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
