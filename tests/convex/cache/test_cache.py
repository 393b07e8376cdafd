"""Read-through, single flight, limits, and all of it without Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from convex.cache import (
    Area,
    Cache,
    CacheCounts,
    CacheServer,
    RateLimiter,
    read_counts,
    read_memory,
)
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


async def test_a_change_forgets_its_area_and_no_other(server: CacheServer, workspace: UUID) -> None:
    cache, load = Cache(server), Loader()
    for area in Area:
        await cache.get(area, workspace, "k", load, area=area)
    load.value = b"newer"
    await cache.forget(workspace, Area.RULES, Area.PATTERNS)
    found = {area: await cache.get(area, workspace, "k", load, area=area) for area in Area}
    assert found == {
        Area.RULES: b"newer",
        Area.PATTERNS: b"newer",
        Area.STATISTICS: b"value",
        Area.HEALTH: b"value",
    }


async def test_what_was_computed_while_it_changed_is_not_kept(
    server: CacheServer, workspace: UUID
) -> None:
    cache, load = Cache(server), Loader(b"of before")
    load.gate = asyncio.Event()
    asking = asyncio.create_task(cache.get("summary", workspace, "k", load))
    while load.calls == 0:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await cache.forget(workspace)
    load.gate.set()
    assert await asking == b"of before"
    assert await cache.peek("summary", workspace, "k") is None
    load.value = b"newer"
    assert await cache.get("summary", workspace, "k", load) == b"newer"


@pytest.mark.parametrize(
    ("area", "longest"),
    [
        (Area.RULES, 300),
        (Area.STATISTICS, 3600),
        (Area.PATTERNS, 21_600),
        (Area.HEALTH, 60),
    ],
)
async def test_nothing_is_kept_longer_than_its_area_allows(
    redis_url: str, server: CacheServer, workspace: UUID, area: Area, longest: int
) -> None:
    cache = Cache(server)
    await cache.put("summary", workspace, "k", b"value", area=area)
    await cache.get("other", workspace, "k", Loader(), area=area, seconds=10**6)
    for name in ("summary", "other"):
        key = f"cache:{workspace}:{name}:k"
        lifetime = await server.ask(lambda redis, key=key: redis.ttl(key))  # type: ignore[misc]
        assert lifetime is not None
        assert 0.85 * longest <= lifetime <= longest


async def test_hits_are_counted_by_all_processes_together(
    server: CacheServer, workspace: UUID
) -> None:
    name = f"c-{uuid4().hex}"
    for cache in (Cache(server), Cache(server)):
        for _ in range(3):
            await cache.get(name, workspace, "k", Loader())
        await cache.flush()
    counts = await read_counts(server, hours=1)
    assert counts is not None
    assert dict(counts.by_cache[name]) == {"miss": 1, "hit": 5}
    memory = await read_memory(server)
    assert memory is not None
    assert memory.used > 0


def test_the_hit_rate_counts_what_was_spared() -> None:
    counts = CacheCounts({"a": {"hit": 7, "miss": 1}, "b": {"shared": 1, "waited": 1}})
    assert (counts.requests, counts.hit_rate) == (10, 0.9)
    assert CacheCounts({}).hit_rate is None
