"""What is secret in a channel is in no row, no answer and no line of a log."""

from __future__ import annotations

import orjson
import pytest
from aiohttp import web

from convex.db import SYSTEM, Database
from convex.notifications.deliver import redact
from convex.settings import Settings
from tests.conftest import make_tenant
from tests.convex.notifications import rows
from tests.convex.notifications.receivers import open_http
from tests.convex.notifications.shifts import at_work, towards
from tests.convex.notifications.test_shift import settled

TOKEN = "T0KENT0KENT0KEN"


@pytest.mark.parametrize("status", [404, 500])
async def test_a_receiver_that_says_back_what_it_got_reveals_nothing(
    fresh_settings: Settings,
    fresh_worker: Database,
    capfd: pytest.CaptureFixture[str],
    status: int,
) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=f"no {request.url} with {request.headers}")

    async with open_http(echo) as http:
        settings = towards(fresh_settings, http, attempts=1)
        tenant = await make_tenant(fresh_worker)
        async with fresh_worker.transaction(SYSTEM) as connection:
            for name, kind in (("hook", "webhook"), ("chat", "slack")):
                await rows.add_channel(
                    connection,
                    settings,
                    tenant.workspace_id,
                    name,
                    kind,
                    {},
                    {"url": http.url(f"/services/{TOKEN}?key={TOKEN}")},
                )
            await rows.wish(connection, tenant.workspace_id, group_by="none")
            await rows.fire(connection, await rows.watch(connection, tenant.workspace_id))
        async with at_work(settings):
            await settled(fresh_worker, tenant)
        async with fresh_worker.read(SYSTEM) as connection:
            written = []
            for table in ("alert_notifications", "notification_deliveries", "channels"):
                found = await connection.execute(f"SELECT to_jsonb(t) AS row FROM convex.{table} t")
                written += [row["row"] for row in await found.fetchall()]
    assert {one.path for one in http.got} == {f"/services/{TOKEN}"}
    assert f"HTTP {status}" in orjson.dumps(written).decode()
    assert TOKEN not in orjson.dumps(written).decode()
    said = capfd.readouterr()
    assert f"HTTP {status}" in said.out + said.err
    assert TOKEN not in said.out + said.err


def test_what_is_hidden() -> None:
    secret = {"url": "https://u:passw0rd@h.example/a/abcdefgh?t=12345678", "secrets": ["whsec_abc"]}
    text = "at /a/abcdefgh?t=12345678 of h.example: whsec_abc, passw0rd"
    assert redact(text, secret) == "at …?… of h.example: …, …"
    assert redact("plain", {}) == "plain"
