"""The standing alert flow under a real Prefect server: shifts, windows, kill -9, redelivery."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiohttp import web

from convex.db import SYSTEM, Database
from convex.settings import Settings
from tests.convex.notifications import rows
from tests.convex.notifications.receivers import open_http, open_mail
from tests.convex.notifications.shifts import towards
from tests.convex.notifications.test_shift import prepare, settled
from tests.flows.prefect_server import flow_environment, prefect_server


@pytest_asyncio.fixture(scope="module")
async def prefect(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        yield url


@asynccontextmanager
async def flow(
    code: str, settings: Settings, prefect_url: str, home: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A flow run in a process of its own, as a worker starts it."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"import asyncio\n{code}",
        env=flow_environment(settings, prefect_url, home),
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


SHIFT = "from flows.alert_flow import alert_flow\nasyncio.run(alert_flow())"


async def runs(prefect_url: str, kind: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient() as client:
        found = (await client.post(f"{prefect_url}/{kind}/filter", json={"limit": 200})).json()
    assert isinstance(found, list)
    return found


async def test_a_shift_that_is_killed_is_followed_by_one_that_loses_nothing_and_shows_its_windows(
    fresh_settings: Settings, fresh_worker: Database, prefect: str, tmp_path: Path
) -> None:
    free, held = asyncio.Event(), set[str]()

    async def hold_half(request: web.Request) -> web.StreamResponse:
        identity = request.headers["webhook-id"]
        if not free.is_set() and int(identity[-1], 16) % 2:
            held.add(identity)
            await asyncio.Event().wait()
        return web.Response(status=204)

    count = 40
    async with open_http(hold_half) as http, open_mail() as mail:
        settings = towards(fresh_settings, http, mail, shift=timedelta(seconds=12))
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        async with fresh_worker.transaction(SYSTEM) as connection:
            await rows.fire(connection, watched, count)
        async with flow(SHIFT, settings, prefect, tmp_path) as victim:
            await http.until(count)
            victim.kill()
            assert await victim.wait() == -9
        free.set()
        async with flow(SHIFT, settings, prefect, tmp_path) as successor:
            ledger = await settled(fresh_worker, tenant)
            async with asyncio.timeout(60):
                assert await successor.wait() == 0, "a shift ends cleanly by itself"
    assert held
    assert {one["state"] for one in ledger} == {"delivered"}
    assert len(ledger) == 3 * count
    assert len(http.ids) == count
    assert set(http.answered) == set(http.ids)
    assert len({str(one["Message-ID"]) for one in mail.mails}) == count
    shifts = [one for one in await runs(prefect, "flow_runs") if one["name"].startswith("shift-")]
    assert "COMPLETED" in {one["state_type"] for one in shifts}
    windows = await runs(prefect, "task_runs")
    assert {one["state_type"] for one in windows if one["name"].startswith("report-window-")} >= {
        "COMPLETED"
    }


async def test_what_has_failed_is_delivered_by_a_run_of_its_own(
    fresh_settings: Settings, fresh_worker: Database, prefect: str, tmp_path: Path
) -> None:
    async with open_http() as http:
        settings = towards(fresh_settings, http)
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        async with fresh_worker.transaction(SYSTEM) as connection:
            over, still = await rows.fire(connection, watched, 2)
            await connection.execute("DELETE FROM convex.planning_queue")
            await connection.execute(
                "UPDATE convex.alert_triggers SET state = 'resolved', resolved_at = now(),"
                " resolution = 'recovered' WHERE id = %s",
                (over,),
            )
            ids = [
                str(row["id"])
                for row in await (
                    await connection.execute(
                        "INSERT INTO convex.alert_notifications (workspace_id, trigger_id, kind,"
                        " channel_id, channel_kind, state, reason, severity, idempotency_key,"
                        " due_at, attempts)"
                        " SELECT c.workspace_id, t.id, 'firing', c.id, c.kind, 'failed', 'sent',"
                        " 'critical', t.id::text, now(), 5"
                        " FROM convex.channels AS c, convex.alert_triggers AS t RETURNING id"
                    )
                ).fetchall()
            ]
        code = (
            "from flows.redeliver_notifications import redeliver_notifications\n"
            f"assert asyncio.run(redeliver_notifications({ids!r})) == "
            "{'delivered': 1, 'failed': 0}"
        )
        async with flow(code, settings, prefect, tmp_path) as run:
            assert await run.wait() == 0
        ledger = await settled(fresh_worker, tenant)
    states = {one["trigger_id"]: (one["state"], one["attempts"]) for one in ledger}
    assert states == {over: ("failed", 5), still: ("delivered", 6)}
    assert len(http.got) == 1
