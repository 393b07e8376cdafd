"""Read-through, single flight, limits, and all of it without Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from convex.cache import Cache, CacheServer, RateLimiter
from convex.embedded.valkey import EmbeddedValkey


class Loader:
    """Counts how often it was asked."""

    def __init__(self, value: bytes = b"value") -> None:
        self.calls = 0
        self.value = value
        self.gate: asyncio.Event | None = None

    async def __call__(self) -> bytes:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        return self.value


@pytest_asyncio.fixture
async def server(redis_url: str) -> AsyncIterator[CacheServer]:
    async with CacheServer.open(redis_url) as opened:
        yield opened


@pytest.fixture
def workspace() -> UUID:
    return uuid4()


async def test_the_second_asking_is_a_hit(server: CacheServer, workspace: UUID) -> None:
    cache, load = Cache(server), Loader()
    for _ in range(3):
        assert await cache.get("summary", workspace, "k", load, seconds=60) == b"value"
    assert load.calls == 1


async def test_another_workspace_has_its_own(server: CacheServer, workspace: UUID) -> None:
    cache = Cache(server)
    mine, theirs = Loader(b"mine"), Loader(b"theirs")
    assert await cache.get("summary", workspace, "k", mine, seconds=60) == b"mine"
    assert await cache.get("summary", uuid4(), "k", theirs, seconds=60) == b"theirs"


async def test_a_change_forgets_all_of_a_workspace(server: CacheServer, workspace: UUID) -> None:
    cache, load = Cache(server), Loader()
    await cache.get("summary", workspace, "k", load, seconds=60)
    await cache.forget(workspace)
    load.value = b"newer"
    assert await cache.get("summary", workspace, "k", load, seconds=60) == b"newer"


async def test_many_at_once_cost_one_computation_in_a_process_and_among_processes(
    server: CacheServer, redis_url: str, workspace: UUID
) -> None:
    load = Loader()
    load.gate = asyncio.Event()
    async with CacheServer.open(redis_url) as other:
        asking = [
            asyncio.create_task(cache.get("summary", workspace, "k", load, seconds=60))
            for cache in (Cache(server), Cache(other))
            for _ in range(1)
        ]
        first = Cache(server)
        asking += [
            asyncio.create_task(first.get("summary", workspace, "k", load, seconds=60))
            for _ in range(20)
        ]
        while load.calls == 0:  # noqa: ASYNC110  # the loader tells by counting
            await asyncio.sleep(0.01)
        load.gate.set()
        assert set(await asyncio.gather(*asking)) == {b"value"}
    assert load.calls == 1


async def test_an_error_reaches_everybody_and_nothing_is_kept(
    server: CacheServer, workspace: UUID
) -> None:
    cache, load = Cache(server), Loader()

    async def fail() -> bytes:
        await asyncio.sleep(0)
        raise ValueError("no")

    answers = await asyncio.gather(
        *(cache.get("summary", workspace, "k", fail, seconds=60) for _ in range(3)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [ValueError] * 3
    assert await cache.get("summary", workspace, "k", load, seconds=60) == b"value"


async def test_a_limit_counts_down_and_starts_afresh(server: CacheServer) -> None:
    limiter, name = RateLimiter(server), uuid4().hex
    now = datetime(2026, 1, 31, 12, 59, 50, tzinfo=UTC)
    windows = [await limiter.hit(name, 2, 3600, now) for _ in range(3)]
    assert [w and (w.remaining, w.reset, w.exceeded) for w in windows] == [
        (1, 10, False),
        (0, 10, False),
        (0, 10, True),
    ]
    later = await limiter.hit(name, 2, 3600, now + timedelta(seconds=10))
    assert later is not None
    assert (later.remaining, later.reset) == (1, 3600)


async def test_what_is_forgiven_is_not_counted(server: CacheServer) -> None:
    limiter, name, now = RateLimiter(server), uuid4().hex, datetime(2026, 1, 31, tzinfo=UTC)
    for _ in range(5):
        window = await limiter.hit(name, 1, 60, now)
        assert window is not None
        assert not window.exceeded
        await limiter.forgive(name, 60, now)


async def test_a_lost_server_costs_no_answer_and_comes_back(
    tmp_path: Path, workspace: UUID
) -> None:
    valkey = EmbeddedValkey(tmp_path)
    url = await valkey.start()
    async with CacheServer.open(url) as server:
        cache, load, limiter = Cache(server), Loader(), RateLimiter(server)
        await cache.get("summary", workspace, "k", load, seconds=60)
        await valkey.stop()
        assert not await server.answers()
        for _ in range(3):
            assert await cache.get("summary", workspace, "k", load, seconds=60) == b"value"
            assert await limiter.hit("x", 1, 60, datetime.now(UTC)) is None
        assert load.calls == 4
        await valkey.start()
        async with asyncio.timeout(10):
            while await limiter.hit("x", 9, 60, datetime.now(UTC)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await cache.get("summary", workspace, "k", load, seconds=60)
        calls = load.calls
        assert await cache.get("summary", workspace, "k", load, seconds=60) == b"value"
        assert load.calls == calls
    await valkey.stop()
