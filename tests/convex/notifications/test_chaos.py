"""Nothing is lost and nothing is told twice without need, whatever breaks in mid-delivery."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio
from aiohttp import web

from convex.db import SYSTEM, Database
from convex.db.migrate import migrate
from convex.db.roles import role_url
from convex.embedded.postgres import EmbeddedPostgres, throwaway_postgres
from convex.live import Announcer
from convex.secrets import load_secrets
from convex.settings import Settings
from tests.conftest import Tenant
from tests.convex.notifications import rows
from tests.convex.notifications.receivers import HttpReceiver, open_http
from tests.convex.notifications.shifts import Seen, at_work, process, towards
from tests.convex.notifications.test_shift import prepare, settled

SEED = 20260310


class Moody:
    """Answers in every bad way, but each webhook-id well in the end."""

    def __init__(self, patience: int) -> None:
        self.rng = random.Random(SEED)
        self.seen: Counter[str] = Counter()
        self.patience = patience
        self.accepted: Counter[str] = Counter()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One of: 204, 500, 429, garbage, nothing at all, an end without an answer."""
        identity = request.headers["webhook-id"]
        self.seen[identity] += 1
        mood = self.rng.random()
        if self.seen[identity] > self.patience or mood < 0.6:
            self.accepted[identity] += 1
            return web.Response(status=204)
        if mood < 0.7:
            return web.Response(status=500)
        if mood < 0.8:
            return web.Response(status=429, headers={"Retry-After": "0"})
        transport = request.transport
        if mood < 0.88 and transport is not None:
            transport.write(b"\x00 nothing that HTTP knows \r\n\r\n")
        if mood < 0.96 and transport is not None:
            transport.close()
            return web.Response()
        await asyncio.sleep(2)
        return web.Response(status=204)


async def check(
    worker: Database, tenant: Tenant, http: HttpReceiver, count: int, accepted: Counter[str]
) -> None:
    """Every firing is delivered; a repeat follows only an attempt that nobody saw answered."""
    ledger = await settled(worker, tenant)
    hooks = [one for one in ledger if one["channel_kind"] == "webhook"]
    assert len(hooks) == count
    assert Counter(one["state"] for one in hooks) == {"delivered": count}
    wanted = {f"msg_{str(one['id']).replace('-', '')}" for one in hooks}
    assert set(http.ids) == wanted
    assert set(accepted) == wanted
    async with worker.read(SYSTEM) as connection:
        attempts = await (
            await connection.execute(
                "SELECT 'msg_' || replace(n.id::text, '-', '') AS id, n.attempts,"
                " count(d.status_code) AS answered,"
                " count(d.id) FILTER (WHERE d.outcome = 'delivered') AS delivered"
                " FROM convex.alert_notifications AS n"
                " LEFT JOIN convex.notification_deliveries AS d ON d.notification_id = n.id"
                " WHERE n.channel_kind = 'webhook' GROUP BY n.id"
            )
        ).fetchall()
    for row in attempts:
        assert row["delivered"] >= 1
        assert http.ids[row["id"]] <= row["attempts"], "each request was a claim of its own"
        unanswered = row["attempts"] - row["answered"]
        assert accepted[row["id"]] <= 1 + unanswered, "twice only within what nobody saw answered"


async def test_kill_9_at_random_moments_with_a_receiver_that_misbehaves(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    count, moody = 1_000, Moody(patience=2)
    rng = random.Random(SEED)
    async with open_http(moody.answer) as http:
        settings = towards(
            fresh_settings,
            http,
            timeout=timedelta(seconds=1),
            attempts=12,
        )
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        for part in range(4):
            async with fresh_worker.transaction(SYSTEM) as connection:
                await connection.execute(
                    "UPDATE convex.channels SET circuit_open_until = NULL, consecutive_failures = 0"
                )
                await rows.fire(connection, watched, count // 4)
            async with process(settings) as victim:
                await http.until(part * count // 4 + rng.randrange(20, 200))
                victim.kill()
                await victim.wait()
        moody.patience = 0
        async with fresh_worker.transaction(SYSTEM) as connection:
            await connection.execute("UPDATE convex.channels SET circuit_open_until = NULL")
            # As if the pauses between attempts, which grow to minutes, were over.
            await connection.execute(
                "UPDATE convex.alert_notifications SET due_at = now()"
                " WHERE state = 'due' AND due_at > now()"
            )
        async with process(settings):
            await check(fresh_worker, tenant, http, count, moody.accepted)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL that this test may restart."""
    async with throwaway_postgres() as found:
        await asyncio.to_thread(migrate, Settings(home=found.home))
        yield found


async def test_postgresql_restarted_in_mid_delivery(server: EmbeddedPostgres) -> None:
    settings = Settings(home=server.home, secrets=load_secrets(Settings(home=server.home)))
    moody, count = Moody(patience=0), 300
    free = asyncio.Event()

    async def hold(request: web.Request) -> web.StreamResponse:
        await free.wait()
        return await moody.answer(request)

    async with open_http(hold) as http:
        settings = towards(settings, http, timeout=timedelta(seconds=30))
        async with Database.open(role_url(settings, "convex_worker")) as worker:
            tenant, watched = await prepare(worker, settings, http.url())
            async with worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched, count)
            async with at_work(settings):
                await http.until(100)
                await server.stop()
                free.set()
                await server.start()
                await check(worker, tenant, http, count, moody.accepted)


async def test_without_valkey_all_is_told_all_the_same(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
    count, moody = 200, Moody(patience=0)
    url = role_url(fresh_settings, "convex_worker")
    async with open_http(moody.answer) as http, Announcer.open(url, nowhere) as wakes:
        settings = towards(fresh_settings, http)
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        seen = Seen()
        seen.announce = wakes.announce  # type: ignore[method-assign]
        async with at_work(settings, seen):
            async with fresh_worker.transaction(SYSTEM) as connection:
                triggers = await rows.fire(connection, watched, count)
            wakes.announce(tenant.workspace_id, None)
            await http.until(count)
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.move(connection, triggers, "resolved")
            await http.until(2 * count)
            await check(fresh_worker, tenant, http, 2 * count, moody.accepted)


async def test_a_channel_that_was_gone_and_comes_back_ends_what_it_told(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    """410 in the middle: nothing more goes there, each row says why, and ends follow the firings
    that had arrived once an owner has switched the channel on again.
    """
    count, gone = 40, False

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=410 if gone else 204)

    async with open_http(answer) as http:
        settings = towards(fresh_settings, http)
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        async with at_work(settings):
            async with fresh_worker.transaction(SYSTEM) as connection:
                told = await rows.fire(connection, watched, count)
            await settled(fresh_worker, tenant)
            gone = True
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched)
            await settled(fresh_worker, tenant)
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched, count)
            await settled(fresh_worker, tenant)
            assert len(http.ids) == count + 1
            gone = False
            async with fresh_worker.transaction(SYSTEM) as connection:
                await connection.execute(
                    "UPDATE convex.channels SET enabled = true, disabled_reason = NULL,"
                    " circuit_open_until = NULL, version = version + 1"
                )
                await rows.move(connection, told, "resolved")
            await http.until(2 * count + 1)
            ledger = await settled(fresh_worker, tenant)
    hooks = [one for one in ledger if one["channel_kind"] == "webhook"]
    states = Counter((one["kind"], one["state"], one["reason"]) for one in hooks)
    assert states == {
        ("firing", "delivered", "sent"): count,
        ("firing", "failed", "sent"): 1,
        ("firing", "withheld", "no_channel"): count,
        ("resolved", "delivered", "sent"): count,
    }
