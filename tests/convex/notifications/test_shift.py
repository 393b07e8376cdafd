"""A shift delivers, repeats, hands over and takes over; receivers are real local servers."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from convex.db import SYSTEM, Database
from convex.notifications.channels.webhook import new_key
from convex.settings import Settings
from tests.conftest import Tenant, make_tenant
from tests.convex.notifications import rows
from tests.convex.notifications.receivers import open_http, open_mail
from tests.convex.notifications.shifts import Seen, at_work, process, towards

KEY = new_key()


async def prepare(
    worker: Database, settings: Settings, url: str, **watched: object
) -> tuple[Tenant, rows.Watched]:
    """A workspace with a signed webhook, in which nothing is grouped."""
    tenant = await make_tenant(worker)
    async with worker.transaction(SYSTEM) as connection:
        await rows.add_channel(
            connection,
            settings,
            tenant.workspace_id,
            "pager",
            "webhook",
            {"url": url},
            {"secrets": [KEY]},
        )
        await rows.wish(connection, tenant.workspace_id, group_by="none")
        found = await rows.watch(connection, tenant.workspace_id, **watched)  # type: ignore[arg-type]
    return tenant, found


async def settled(worker: Database, tenant: Tenant) -> list[dict[str, object]]:
    """The ledger once nothing is due or queued any more."""
    async with worker.transaction(SYSTEM) as connection:
        await rows.until(
            connection,
            "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM convex.planning_queue)"
            " AND NOT EXISTS (SELECT 1 FROM convex.alert_notifications WHERE state = 'due')",
        )
        return await rows.ledger(connection, tenant.workspace_id)


async def test_firing_and_resolve_reach_inbox_mail_and_webhook(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    async with open_http() as http, open_mail() as mail:
        settings, seen = towards(fresh_settings, http, mail), Seen()
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        async with at_work(settings, seen):
            async with fresh_worker.transaction(SYSTEM) as connection:
                triggers = await rows.fire(connection, watched)
            await http.until(1)
            await mail.until(1)
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.move(connection, triggers, "resolved")
            await http.until(2)
            await mail.until(2)
            ledger = await settled(fresh_worker, tenant)
    assert {(one["channel_kind"], one["kind"], one["state"]) for one in ledger} == {
        (channel, kind, "delivered")
        for channel in ("in_app", "email", "webhook")
        for kind in ("firing", "resolved")
    }
    for got in http.got:
        Webhook(KEY).verify(got.body, got.headers)
    assert [one.json["type"] for one in http.got] == ["alert.firing", "alert.resolved"]
    assert http.got[0].json["data"]["alerts"][0]["id"] == str(triggers[0])
    first, second = mail.mails
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]
    assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.recipients == [tenant.email] * 2
    assert seen.announced.keys() == {tenant.workspace_id}
    counted = sum(window["outcomes"].get("webhook delivered", 0) for window in seen.windows)
    assert counted == 2


async def test_what_fails_for_a_while_is_repeated_with_the_same_id_and_body(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    answers = iter([503, 429, 204])

    async def moody(_: web.Request) -> web.StreamResponse:
        return web.Response(status=next(answers), headers={"Retry-After": "1"})

    async with open_http(moody) as http:
        settings = towards(fresh_settings, http)
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        async with at_work(settings):
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched)
            ledger = await settled(fresh_worker, tenant)
            async with fresh_worker.read(SYSTEM) as connection:
                attempts = await (
                    await connection.execute(
                        "SELECT d.attempt, d.outcome, d.status_code"
                        " FROM convex.notification_deliveries AS d"
                        " INNER JOIN convex.alert_notifications AS n ON n.id = d.notification_id"
                        " WHERE n.channel_kind = 'webhook' ORDER BY d.attempt"
                    )
                ).fetchall()
    hook = next(one for one in ledger if one["channel_kind"] == "webhook")
    assert (hook["state"], hook["attempts"]) == ("delivered", 3)
    assert [tuple(one.values()) for one in attempts] == [
        (1, "retry", 503),
        (2, "retry", 429),
        (3, "delivered", 204),
    ]
    assert len(http.ids) == 1
    assert len({one.body for one in http.got}) == 1


@pytest.mark.parametrize("status", [400, 302])
async def test_a_refusal_fails_at_once(
    fresh_settings: Settings, fresh_worker: Database, status: int
) -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="no", headers={"Location": "http://127.0.0.1/"})

    async with open_http(refuse) as http:
        settings, seen = towards(fresh_settings, http), Seen()
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        async with at_work(settings, seen):
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched)
            ledger = await settled(fresh_worker, tenant)
    hook = next(one for one in ledger if one["channel_kind"] == "webhook")
    assert (hook["state"], hook["attempts"]) == ("failed", 1)
    assert str(hook["last_error"]).startswith(f"HTTP {status}: no")
    assert len(http.got) == 1
    assert not seen.exhausted


async def test_the_body_is_the_same_from_memory_and_from_the_database(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    answers = iter([503, 204])

    async def moody(_: web.Request) -> web.StreamResponse:
        return web.Response(status=next(answers))

    async with open_http(moody) as http:
        settings = towards(fresh_settings, http)
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        async with at_work(settings):
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.until(connection, "SELECT 1 WHERE convex.alert_flow_alive()")
            async with fresh_worker.transaction(SYSTEM) as connection:
                (fired,) = await rows.fire(connection, watched)
                await connection.execute(
                    "UPDATE convex.alert_triggers SET value = 1e30, threshold = 3,"
                    """ labels = '{"zone": "a", "b": "2", "ccc": "3"}' WHERE id = %s""",
                    (fired,),
                )
            ledger = await settled(fresh_worker, tenant)
    hook = next(one for one in ledger if one["channel_kind"] == "webhook")
    assert (hook["state"], hook["attempts"]) == ("delivered", 2)
    assert len({one.body for one in http.got}) == 1
    assert http.got[0].json["data"]["alerts"][0]["value"] == 1e30


async def test_gone_switches_the_channel_off_and_tells_the_owners(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    async def gone(_: web.Request) -> web.StreamResponse:
        return web.Response(status=410)

    async with open_http(gone) as http, open_mail() as mail:
        settings = towards(fresh_settings, http, mail)
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        async with at_work(settings):
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched)
            await mail.until(2)
            await settled(fresh_worker, tenant)
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched)
            ledger = await settled(fresh_worker, tenant)
    notices = {one["channel_kind"] for one in ledger if one["kind"] == "notice"}
    assert notices == {"in_app", "email"}
    assert "The channel pager was switched off" in [one["Subject"] for one in mail.mails]
    hooks = [one for one in ledger if one["channel_kind"] == "webhook"]
    assert [(one["state"], one["reason"]) for one in hooks] == [
        ("failed", "sent"),
        ("withheld", "no_channel"),
    ]


async def test_what_runs_out_of_attempts_is_handed_on(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    async def broken(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    async with open_http(broken) as http:
        settings, seen = towards(fresh_settings, http, attempts=2), Seen()
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        async with at_work(settings, seen):
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched)
            ledger = await settled(fresh_worker, tenant)
    hook = next(one for one in ledger if one["channel_kind"] == "webhook")
    assert (hook["state"], hook["attempts"]) == ("failed", 2)
    assert seen.exhausted == [hook["id"]]


async def test_a_destination_that_keeps_failing_is_left_alone_for_a_while(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    async def broken(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    async with open_http(broken) as http:
        settings = towards(fresh_settings, http)
        _, watched = await prepare(fresh_worker, settings, http.url())
        async with at_work(settings):
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched, 8)
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.until(
                    connection, "SELECT 1 FROM convex.channels WHERE circuit_open_until > now()"
                )
        sent = len(http.got)
        async with at_work(settings):
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched)
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.until(
                    connection,
                    "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM convex.planning_queue)",
                )
    assert len(http.got) == sent


async def test_a_slow_destination_does_not_hold_up_the_others(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    free = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        if request.path == "/slow":
            await free.wait()
        return web.Response(status=204)

    async with open_http(slow) as http:
        settings = towards(fresh_settings, http)
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        async with fresh_worker.transaction(SYSTEM) as connection:
            await rows.add_channel(
                connection,
                settings,
                tenant.workspace_id,
                "slow",
                "webhook",
                {"url": http.url("/slow")},
            )
        async with at_work(settings):
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched, 5)
            await http.until(10)
            assert sum(http.answered.values()) == 5
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched, 5)
            await http.until(20)
            free.set()
            ledger = await settled(fresh_worker, tenant)
    assert {one["state"] for one in ledger if one["channel_kind"] == "webhook"} == {"delivered"}


async def test_a_burst_goes_out_once_each_and_inboxes_do_not_wait_for_it(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    free = asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        await free.wait()
        return web.Response(status=204)

    async with open_http(slow) as http:
        settings = towards(fresh_settings, http, claim_size=20)
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        async with at_work(settings):
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched, 350)
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.until(
                    connection,
                    "SELECT 1 FROM convex.alert_notifications WHERE workspace_id = %s"
                    " AND channel_kind = 'in_app' AND state = 'delivered' HAVING count(*) = 350",
                    (tenant.workspace_id,),
                )
            assert not http.answered
            free.set()
            ledger = await settled(fresh_worker, tenant)
    hooks = [one for one in ledger if one["channel_kind"] == "webhook"]
    assert {(one["state"], one["attempts"]) for one in hooks} == {("delivered", 1)}
    assert len(hooks) == len(http.ids) == 350
    assert set(http.ids.values()) == {1}


async def test_an_answer_that_postgresql_cannot_keep_is_recorded_without_what_it_cannot(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=400, body=b"not\0now\xff")

    async with open_http(refuse) as http:
        settings = towards(fresh_settings, http)
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        async with at_work(settings):
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.fire(connection, watched)
            ledger = await settled(fresh_worker, tenant)
    hook = next(one for one in ledger if one["channel_kind"] == "webhook")
    assert (hook["state"], hook["last_error"]) == ("failed", "HTTP 400: notnow\ufffd")


async def test_kill_9_in_mid_delivery_loses_nothing_and_repeats_only_what_was_not_answered(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    holding = asyncio.Event()
    held: set[str] = set()

    async def hold_half(request: web.Request) -> web.StreamResponse:
        identity = request.headers["webhook-id"]
        if not holding.is_set() and int(identity[-1], 16) % 2:
            held.add(identity)
            await asyncio.Event().wait()
        return web.Response(status=204)

    count = 60
    async with open_http(hold_half) as http, open_mail() as mail:
        settings = towards(fresh_settings, http, mail, lease=timedelta(seconds=30))
        tenant, watched = await prepare(fresh_worker, settings, http.url())
        async with fresh_worker.transaction(SYSTEM) as connection:
            triggers = await rows.fire(connection, watched, count)
        async with process(settings) as victim:
            await http.until(count)
            assert held
            victim.kill()
            await victim.wait()
        holding.set()
        known = dict(http.answered)
        async with process(settings):
            ledger = await settled(fresh_worker, tenant)
            async with fresh_worker.transaction(SYSTEM) as connection:
                await rows.move(connection, triggers[:5], "resolved")
            await http.until(count + 5)
            ledger = await settled(fresh_worker, tenant)
    firings = [one for one in ledger if one["kind"] == "firing"]
    assert len(firings) == 3 * count
    assert {one["state"] for one in ledger} == {"delivered"}
    assert len(http.ids) == count + 5
    assert set(http.answered) == set(http.ids)
    for identity, times in http.ids.items():
        if times > 1:
            assert identity in held or known.get(identity, 0) == 1
    assert all(http.ids[identity] >= 2 for identity in held)
    assert {str(mail["Message-ID"]) for mail in mail.mails} == {
        f"<{one['id']}@convex.test>" for one in ledger if one["channel_kind"] == "email"
    }
