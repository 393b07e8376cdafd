"""The live stream over real WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

import api.websocket
from convex.db import Database
from convex.settings import LiveSettings, Settings
from tests.api.conftest import Running, Team, make_team, serve, tenant_of
from tests.convex.live.events import append


async def say(socket: ClientConnection, kind: str, **facts: object) -> None:
    await socket.send(orjson.dumps({"type": kind, **facts}).decode())


async def hear(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        message: dict[str, Any] = orjson.loads(await socket.recv())
        return message


async def closing(socket: ClientConnection, seconds: float = 10) -> tuple[int, str]:
    """Read to the end; how the server closed."""
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(seconds):
            while True:
                await socket.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


@asynccontextmanager
async def opened(running: Running, token: str | None) -> AsyncIterator[ClientConnection]:
    async with connect(running.live_url, compression=None) as socket:
        if token is not None:
            await say(socket, "auth", token=token)
            assert (await hear(socket))["type"] == "auth_success"
        yield socket


async def test_alerts_arrive_and_ping_is_answered(
    running: Running, team: Team, worker: Database
) -> None:
    async with opened(running, team.token("viewer")) as socket:
        await say(socket, "subscribe", framework_id=None, since=None)
        assert await hear(socket) == {"type": "subscribed", "framework_id": None, "cursor": 0}
        cursor = await append(worker, tenant_of(team), [1])
        running.resources.announcer.announce(team.workspace_id, cursor)
        event = await hear(socket)
        assert (event["type"], event["cursor"], event["data"]) == ("alert", 1, {"n": 1})
        await say(socket, "ping")
        assert await hear(socket) == {"type": "pong"}
        await say(socket, "unsubscribe", framework_id=None)
        assert (await hear(socket))["type"] == "unsubscribed"


async def test_the_newest_cursor_resumes(running: Running, team: Team, worker: Database) -> None:
    await append(worker, tenant_of(team), range(5))
    async with opened(running, team.keys["read"]) as socket:
        await say(socket, "subscribe", framework_id=None, since=3)
        await hear(socket)
        assert [(await hear(socket))["cursor"] for _ in range(2)] == [4, 5]
        await say(socket, "subscribe", framework_id=None, since=99)
        assert (await hear(socket))["type"] == "resync"


@pytest.mark.parametrize("token", ["nonsense", "", None, 5])
async def test_a_bad_token_is_told_and_closed(running: Running, token: object) -> None:
    async with connect(running.live_url, compression=None) as socket:
        await say(socket, "auth", token=token)
        failed = await hear(socket)
        assert (failed["type"], failed["code"]) == ("auth_failed", "not_authenticated")
        assert (await closing(socket))[0] == 4401


async def test_a_key_that_may_only_ingest_may_not_listen(running: Running, team: Team) -> None:
    async with connect(running.live_url, compression=None) as socket:
        await say(socket, "auth", token=team.keys["ingest"])
        assert (await hear(socket))["type"] == "auth_failed"
        assert (await closing(socket))[0] == 4401


async def test_silence_before_auth_is_closed(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.websocket, "AUTH_SECONDS", 0.2)
    async with connect(running.live_url, compression=None) as socket:
        await say(socket, "subscribe", framework_id=None)
        assert (await hear(socket))["code"] == "not_authenticated"
        assert (await closing(socket))[0] == 4401


async def test_a_silent_client_is_closed(
    running: Running, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(running, team.token("viewer")) as socket:
        monkeypatch.setattr(api.websocket, "SILENCE_SECONDS", 0.2)
        await say(socket, "ping")
        assert (await closing(socket))[0] == 4410


async def test_a_connection_ends_with_its_token_unless_a_newer_one_comes(
    running: Running, team: Team
) -> None:
    key = running.resources.secrets.signing_key
    claims = jwt.decode(team.token("viewer"), options={"verify_signature": False})
    soon = int((datetime.now(UTC) + timedelta(seconds=2)).timestamp())
    short = jwt.encode({**claims, "exp": soon}, key, algorithm="HS256")
    async with opened(running, short) as renewed, opened(running, short) as left:
        await say(renewed, "auth", token=team.token("viewer"))
        assert (await hear(renewed))["type"] == "auth_success"
        assert (await closing(left))[0] == 4401
        await say(renewed, "ping")
        assert (await hear(renewed))["type"] == "pong"


async def test_a_connection_stays_with_who_opened_it(
    running: Running, team: Team, other_team: Team
) -> None:
    async with opened(running, team.token("viewer")) as socket:
        await say(socket, "auth", token=other_team.token("viewer"))
        assert (await hear(socket))["type"] == "auth_failed"
        assert (await closing(socket))[0] == 4401


@pytest.mark.parametrize("lost", ["membership", "key"])
async def test_a_connection_ends_soon_after_the_right_to_it(
    lost: str, running: Running, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.websocket, "RECHECK_SECONDS", 0.0)
    if lost == "key":
        made = await team.owner.post(
            "/api/v1/api-keys", json={"name": "short-lived", "scopes": ["read"]}
        )
        token = made.json()["key"]
        gone = f"/api/v1/api-keys/{made.json()['id']}"
    else:
        token = team.token("viewer")
        gone = f"/api/v1/members/{team.users['viewer']}"
    async with opened(running, token) as socket:
        await say(socket, "ping")
        assert (await hear(socket))["type"] == "pong"
        assert (await team.owner.delete(gone)).status_code == 204
        await say(socket, "ping")
        assert (await hear(socket))["type"] == "auth_failed"
        assert (await closing(socket))[0] == 4401


async def test_malformed_frames_are_told_and_ten_a_minute_close(
    running: Running, team: Team
) -> None:
    frames: list[str | bytes] = [
        "{",
        "[]",
        '"subscribe"',
        "{}",
        '{"type":5}',
        '{"type":"subscribe","framework_id":"x"}',
        '{"type":"subscribe","framework_id":null,"since":-1}',
        '{"type":"subscribe","framework_id":null,"since":true}',
        '{"type":"dance"}',
    ]
    async with opened(running, team.token("viewer")) as socket:
        for frame in frames:
            await socket.send(frame)
            answer = await hear(socket)
            assert answer["type"] == "error"
            assert answer["code"] in {"malformed", "unknown_type"}
        await say(socket, "ping")
        assert (await hear(socket))["type"] == "pong"
        await socket.send(b"\x00")
        assert (await closing(socket))[0] == 4400


async def test_a_slow_client_is_closed_with_the_cursor_to_resume_from(
    settings: Settings, worker: Database, password_hash: str
) -> None:
    small = settings.model_copy(update={"live": LiveSettings(buffer_bytes=100_000)})
    async with serve(small) as running:
        team = await make_team(running, worker, password_hash)
        tenant = tenant_of(team)
        async with connect(running.live_url, compression=None, max_queue=1) as socket:
            await say(socket, "auth", token=team.token("viewer"))
            await say(socket, "subscribe", framework_id=None)
            await hear(socket)
            await hear(socket)
            while running.resources.hub.connections:  # until the kernel's buffers are full too
                cursor = await append(worker, tenant, range(2000))
                running.resources.hub.wake(team.workspace_id, cursor)
                await asyncio.sleep(0.05)
            seen = []
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    seen.append((await hear(socket))["cursor"])
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4408
            assert closed.value.rcvd.reason == f"resume from {seen[-1]}"
            assert seen == list(range(1, len(seen) + 1))
        for client in team.clients.values():
            await client.aclose()


async def test_another_process_hears_what_this_one_announces(
    running: Running, settings: Settings, team: Team, worker: Database
) -> None:
    async with serve(settings) as other, opened(other, team.token("viewer")) as socket:
        await say(socket, "subscribe", framework_id=None)
        await hear(socket)
        cursor = await append(worker, tenant_of(team), [1])
        running.resources.announcer.announce(team.workspace_id, cursor)
        assert (await hear(socket))["cursor"] == 1


async def test_restarts_lose_nothing_and_repeat_nothing(
    settings: Settings, worker: Database, team: Team
) -> None:
    total = 200
    seen: list[int] = []
    reached = {goal: asyncio.Event() for goal in (20, 80, 140, total)}
    finished = reached[total]

    async def write() -> None:
        for number in range(total):
            await append(worker, tenant_of(team), [number])

    async def follow(port: int) -> None:
        while not finished.is_set():
            try:
                url = f"ws://127.0.0.1:{port}/api/v1/live"
                async with connect(url, compression=None, open_timeout=5) as socket:
                    await say(socket, "auth", token=team.token("viewer"))
                    await hear(socket)
                    await say(socket, "subscribe", framework_id=None, since=seen[-1] if seen else 0)
                    while not finished.is_set():
                        message = await hear(socket)
                        if message["type"] == "alert":
                            seen.append(message["cursor"])
                            if message["cursor"] in reached:
                                reached[message["cursor"]].set()
            except (ConnectionClosed, OSError):
                await asyncio.sleep(0.01)

    async with serve(settings) as first:
        port = int(first.url.rpartition(":")[2])
        follower = asyncio.create_task(follow(port))
        writer = asyncio.create_task(write())
        await reached[20].wait()
    for goal in (80, 140, total):
        async with serve(settings, port):
            await reached[goal].wait()
    await writer
    await follower
    assert seen == list(range(1, total + 1))
