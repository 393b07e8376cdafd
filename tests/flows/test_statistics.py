"""The flows around the cache: it is filled, held against the marts, and told what changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import pytest_asyncio
from prefect.logging import disable_run_logger

from bench.trigger_history import write_trigger_history
from convex.analytics import build
from convex.analytics.answers import answer, kept_answer, usual
from convex.cache import Area, Cache, CacheServer
from convex.db import Database
from convex.settings import Settings
from flows import caches, check_cache, refresh_statistics
from tests.conftest import Tenant, make_tenant

TODAY = datetime.now(UTC).date()
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, fresh_settings: Settings, redis_url: str) -> Settings:
    """What the flows find in their environment."""
    settings = fresh_settings.model_copy(update={"redis_url": redis_url})
    for module in (caches, refresh_statistics, check_cache):
        if hasattr(module, "flow_settings"):
            monkeypatch.setattr(module, "flow_settings", lambda: settings)
    monkeypatch.setattr("flows.runtime.flow_settings", lambda: settings)
    return settings


@pytest_asyncio.fixture
async def tenant(fresh_worker: Database) -> Tenant:
    made = await make_tenant(fresh_worker)
    async with fresh_worker.transaction(made.flow) as connection:
        await write_trigger_history(
            connection, made.workspace_id, made.user_id, now=datetime.now(UTC), triggers=60
        )
    return made


@pytest_asyncio.fixture
async def server(redis_url: str) -> AsyncIterator[CacheServer]:
    async with CacheServer.open(redis_url) as opened:
        yield opened


async def kept(server: CacheServer, tenant: Tenant) -> list[bytes | None]:
    cache = Cache(server)
    return [
        await cache.peek(question.cache, tenant.workspace_id, question.key)
        for question in usual(TODAY)
    ]


async def test_what_dashboards_ask_is_there_before_they_ask(
    here: Settings, tenant: Tenant, server: CacheServer, fresh_api: Database
) -> None:
    with disable_run_logger():
        assert await refresh_statistics.refresh_workspace.fn(tenant.workspace_id, TODAY) is None
        assert (await asyncio.to_thread(build.build_marts, here)).succeeded
        assert await kept(server, tenant) == [None] * len(usual(TODAY))
        refreshed = await refresh_statistics.refresh_workspace.fn(tenant.workspace_id, TODAY)
    assert refreshed is not None
    assert (refreshed.answers, refreshed.wrong) == (len(usual(TODAY)), 0)
    assert None not in await kept(server, tenant)

    def refuse() -> None:
        raise AssertionError("a request had to compute")

    # what a member's request finds is what the flow computed for everybody
    cache = Cache(server)
    for question in usual(TODAY):
        found = await kept_answer(cache, tenant.workspace_id, question, refuse)  # type: ignore[arg-type]
        async with fresh_api.read(tenant.identity()) as connection:
            assert found == await answer(connection, question)


async def test_a_change_that_nobody_told_of_is_found_and_forgotten(
    here: Settings, tenant: Tenant, server: CacheServer
) -> None:
    assert (await asyncio.to_thread(build.build_marts, here)).succeeded
    first = usual(TODAY)[0]
    with disable_run_logger():
        await refresh_statistics.refresh_workspace.fn(tenant.workspace_id, TODAY)
        right = await check_cache.check_workspace.fn(tenant.workspace_id, TODAY)
        await Cache(server).put(first.cache, tenant.workspace_id, first.key, b'{"wrong": 1}')
        wrong = await check_cache.check_workspace.fn(tenant.workspace_id, TODAY)
    assert right is not None
    assert (right.answers, right.wrong) == (len(usual(TODAY)), 0)
    assert wrong is not None
    assert wrong.wrong == 1
    assert await kept(server, tenant) == [None] * len(usual(TODAY))


async def test_flows_tell_what_they_changed_everywhere(
    here: Settings, tenant: Tenant, server: CacheServer
) -> None:
    cache, other = Cache(server), uuid4()
    for area in (Area.STATISTICS, Area.HEALTH):
        for workspace_id in (tenant.workspace_id, other):
            await cache.put("x", workspace_id, area, b"value", area=area)
    await caches.forget_everywhere(Area.STATISTICS)
    found = {
        (area, workspace_id == other): await cache.peek("x", workspace_id, area, area=area)
        for area in (Area.STATISTICS, Area.HEALTH)
        for workspace_id in (tenant.workspace_id, other)
    }
    assert found == {
        (Area.STATISTICS, False): None,
        (Area.STATISTICS, True): b"value",  # not a workspace of this database
        (Area.HEALTH, False): b"value",
        (Area.HEALTH, True): b"value",
    }
