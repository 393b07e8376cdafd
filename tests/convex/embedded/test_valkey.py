"""The embedded Valkey: it answers, asks for its password, and forgets."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from signal import Signals

import pytest
import pytest_asyncio
import redis.asyncio
from redis.exceptions import AuthenticationError

from convex.embedded.valkey import EmbeddedValkey, read_url
from convex.errors import Conflict, Unavailable


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    embedded = EmbeddedValkey(tmp_path)
    yield embedded
    await embedded.stop()


async def test_keeps_port_and_password_but_no_data(server: EmbeddedValkey) -> None:
    url = await server.start()
    async with redis.asyncio.Redis.from_url(url) as client:
        await client.set("key", "value")
        policy = await client.config_get("maxmemory-policy")
        assert policy == {"maxmemory-policy": "allkeys-lru"}
    await server.stop()
    assert not await server.healthy()
    assert await server.start() == url == server.url
    async with redis.asyncio.Redis.from_url(url) as client:
        assert await client.get("key") is None
    assert await server.healthy()


async def test_asks_for_the_password(server: EmbeddedValkey) -> None:
    url = await server.start()
    async with redis.asyncio.Redis.from_url(f"redis://:wrong@{url.rpartition('@')[2]}") as client:
        with pytest.raises(AuthenticationError):
            await client.ping()


async def test_starts_again_after_it_was_killed(server: EmbeddedValkey) -> None:
    await server.start()
    assert server.child is not None
    server.child.send(Signals.SIGKILL)
    await server.child.wait()
    assert not await server.healthy()
    await server.stop()
    await server.start()
    assert await server.healthy()


async def test_takes_another_port_when_its_own_is_taken(server: EmbeddedValkey) -> None:
    url = await server.start()
    await server.stop()
    port = int(url.rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        assert await server.start() != url
        assert await server.healthy()


async def test_says_that_a_home_is_in_use(server: EmbeddedValkey) -> None:
    await server.start()
    with pytest.raises(Conflict, match="another process"):
        await EmbeddedValkey(server.home).start()


async def test_says_how_to_start_what_was_never_started(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="convex up"):
        read_url(tmp_path)
