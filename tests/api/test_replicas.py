"""Several API processes on one database and one Valkey, and what they count together."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api import dependencies
from convex.db import Database
from convex.embedded.valkey import EmbeddedValkey
from convex.settings import Settings
from tests.api.conftest import Running, Team, make_team, serve


async def test_a_limit_is_of_all_replicas_together(
    running: Running, settings: Settings, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, "HOURLY_REQUESTS", 10)
    async with serve(settings) as other:
        for name in ("editor", "key_read"):
            headers = {"authorization": f"Bearer {team.token(name)}"}
            async with httpx.AsyncClient(headers=headers, timeout=20) as client:
                answers = [
                    await client.get(f"{replica.url}/api/v1/me")
                    for _ in range(6)
                    for replica in (running, other)
                ]
            left = [int(answer.headers["ratelimit-remaining"]) for answer in answers]
            assert left == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]
            assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2
    assert (await team.viewer.get("/api/v1/me")).status_code == 200


async def test_guesses_are_counted_by_all_replicas_together(
    running: Running, settings: Settings, anonymous: httpx.AsyncClient
) -> None:
    email = f"{uuid4().hex}@example.com"
    guess = {"email": email, "password": "wrong wrong wrong"}
    async with serve(settings) as other:
        statuses = [
            (await anonymous.post(f"{replica.url}/api/v1/auth/sign-in", json=guess)).status_code
            for _ in range(11)
            for replica in (running, other)
        ]
    assert statuses == [401] * 20 + [429] * 2


async def test_an_address_that_only_guesses_tokens_is_turned_away(
    running: Running, settings: Settings, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, "REFUSED_TOKENS", 4)
    address = f"192.0.2.{uuid4().int % 250}"  # said by the proxy in front, which is this machine
    async with (
        serve(settings) as other,
        httpx.AsyncClient(headers={"x-forwarded-for": address}, timeout=20) as client,
    ):
        statuses = []
        for number in range(6):
            replica = (running, other)[number % 2]
            headers = {"authorization": f"Bearer cvx_{uuid4().hex}"}
            answer = await client.get(f"{replica.url}/api/v1/me", headers=headers)
            statuses.append(answer.status_code)
        assert statuses == [401] * 4 + [429] * 2
        good = {"authorization": f"Bearer {team.token('viewer')}"}
        assert (await client.get(f"{running.url}/api/v1/me", headers=good)).status_code == 200


async def test_valkey_dies_and_comes_back_under_traffic_and_nobody_sees_an_error(
    settings: Settings, worker: Database, password_hash: str, tmp_path: Path
) -> None:
    valkey = EmbeddedValkey(tmp_path)
    url = await valkey.start()
    statuses: list[int] = []
    stopped = asyncio.Event()

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        while not stopped.is_set():
            paths = ("alert-rules", "me", "alert-triggers", "system/cache")
            answer = await client.get(f"/api/v1/{paths[number % len(paths)]}")
            statuses.append(answer.status_code)
            number += 1

    async def enough(more: int) -> None:
        goal = len(statuses) + more
        async with asyncio.timeout(60):
            while len(statuses) < goal:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async with serve(settings.model_copy(update={"redis_url": url})) as running:
        team = await make_team(running, worker, password_hash)
        asking = [
            asyncio.create_task(ask(team.clients[name], number))
            for number, name in enumerate(("owner", "editor", "viewer"))
        ]
        await enough(30)
        for _ in range(2):
            await valkey.stop()
            await enough(60)
            await valkey.start()
            async with asyncio.timeout(30):
                while not await running.resources.cache_server.answers():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await enough(60)
        stopped.set()
        await asyncio.gather(*asking)
        rule: dict[str, Any] = (await team.viewer.get("/api/v1/alert-rules")).json()
        assert rule["items"] == []
        for client in team.clients.values():
            await client.aclose()
    await valkey.stop()
    assert set(statuses) == {200}


async def test_a_page_of_elsewhere_reads_answers_only_where_it_is_allowed(
    settings: Settings, anonymous: httpx.AsyncClient
) -> None:
    asks = {"origin": "https://status.example.com", "access-control-request-method": "GET"}
    asks["access-control-request-headers"] = "authorization"
    none = await anonymous.options("/api/v1/me", headers=asks)
    assert "access-control-allow-origin" not in none.headers
    allowed = frozenset({"https://status.example.com"})
    async with serve(settings.model_copy(update={"allowed_origins": allowed})) as running:
        url = f"{running.url}/api/v1/me"
        asked = await anonymous.options(url, headers=asks)
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == asks["origin"]
        assert "access-control-allow-credentials" not in asked.headers
        answer = await anonymous.get(url, headers={"origin": asks["origin"]})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == asks["origin"]
        assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()
        other = await anonymous.get(url, headers={"origin": "https://evil.example.com"})
        assert "access-control-allow-origin" not in other.headers
