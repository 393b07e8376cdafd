"""Planning against the database: one transaction from the queue to the outbox."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from convex.db import Database, Role
from convex.notifications import inbox
from convex.notifications.service import plan_transitions
from convex.settings import Settings
from tests.conftest import Tenant
from tests.convex.notifications import rows


async def test_a_transition_becomes_rows_events_and_nothing_is_left_in_the_queue(
    worker: Database, api: Database, tenant: Tenant, settings: Settings
) -> None:
    now = rows.now()
    async with worker.transaction(tenant.flow) as connection:
        watched = await rows.watch(connection, tenant.workspace_id)
        await rows.add_channel(
            connection, settings, tenant.workspace_id, "pager", "webhook", {"url": "https://x.org"}
        )
        triggers = await rows.fire(connection, watched, 3)
    async with worker.transaction(tenant.flow) as connection:
        planning = await plan_transitions(connection, now, email_works=True)
    assert planning.transitions == 3
    assert planning.states == {"delivered": 3, "due": 2, "carried": 4}
    assert planning.cursors.keys() == {tenant.workspace_id}
    async with worker.transaction(tenant.flow) as connection:
        again = await plan_transitions(connection, now, email_works=True)
        found = await rows.ledger(connection, tenant.workspace_id)
        events = await (
            await connection.execute("SELECT type, recipient_id, data FROM convex.live_events")
        ).fetchall()
    assert again.transitions == 0
    assert {row["trigger_id"] for row in found} == set(triggers)
    assert {(row["channel_kind"], row["state"]) for row in found} == {
        ("in_app", "delivered"),
        ("email", "due"),
        ("webhook", "due"),
        ("email", "carried"),
        ("webhook", "carried"),
    }
    assert {(event["type"], event["recipient_id"]) for event in events} == {
        ("notification", tenant.user_id)
    }
    async with api.transaction(tenant.identity()) as connection:
        page = await inbox.list_entries(connection, tenant.identity(), limit=2)
        unread = await inbox.count_unread(connection, tenant.identity())
        await inbox.mark_read(connection, tenant.identity(), page.items[0].id, now)
        left = await inbox.count_unread(connection, tenant.identity())
        rest = await inbox.list_entries(
            connection, tenant.identity(), unread=True, cursor=page.next_cursor
        )
        assert await inbox.mark_all_read(connection, tenant.identity(), now) == 2
    assert (unread, left, len(rest.items)) == (3, 2, 1)
    assert "Critical · Firing: Many cancellations" in inbox.describe(page.items[0])["title"]
    assert page.items[0].trigger_id in triggers


async def test_a_rollback_leaves_the_queue_as_it_was(worker: Database, tenant: Tenant) -> None:
    async with worker.transaction(tenant.flow) as connection:
        watched = await rows.watch(connection, tenant.workspace_id)
        await rows.fire(connection, watched)

    class Stop(Exception):
        pass

    with pytest.raises(Stop):
        async with worker.transaction(tenant.flow) as connection:
            await plan_transitions(connection, rows.now(), email_works=False)
            raise Stop
    async with worker.transaction(tenant.flow) as connection:
        planning = await plan_transitions(connection, rows.now(), email_works=False)
        found = await rows.ledger(connection, tenant.workspace_id)
    assert planning.transitions == 1
    assert {(row["channel_kind"], row["state"], row["reason"]) for row in found} == {
        ("in_app", "delivered", "sent"),
        ("email", "withheld", "no_channel"),
    }


async def test_two_planners_do_not_plan_one_workspace_at_once(
    worker: Database, tenant: Tenant
) -> None:
    async with worker.transaction(tenant.flow) as connection:
        watched = await rows.watch(connection, tenant.workspace_id)
        triggers = await rows.fire(connection, watched)
    async with worker.transaction(tenant.flow) as first:
        assert (await plan_transitions(first, rows.now(), email_works=False)).transitions == 1
        async with worker.transaction(tenant.flow) as connection:
            await rows.move(connection, triggers, "resolved")
        async with worker.transaction(tenant.flow) as second:
            assert (await plan_transitions(second, rows.now(), email_works=False)).transitions == 0
    async with worker.transaction(tenant.flow) as second:
        assert (await plan_transitions(second, rows.now(), email_works=False)).transitions == 1
        found = await rows.ledger(second, tenant.workspace_id)
    told = [row["kind"] for row in found if row["channel_kind"] == "in_app"]
    assert told == ["firing", "resolved"]


async def test_a_plan_waits_for_nobody_who_claims_and_sees_what_was_claimed(
    worker: Database, tenant: Tenant, settings: Settings
) -> None:
    async with worker.transaction(tenant.flow) as connection:
        watched = await rows.watch(connection, tenant.workspace_id, severity="warning")
        await rows.add_channel(
            connection, settings, tenant.workspace_id, "pager", "webhook", {"url": "https://x.org"}
        )
        await rows.fire(connection, watched)
    at = rows.now()
    async with worker.transaction(tenant.flow) as connection:
        await plan_transitions(connection, at, email_works=False)
        await rows.fire(connection, watched)

    async def claim() -> None:
        async with worker.transaction(tenant.flow) as connection:
            await connection.execute(
                "UPDATE convex.alert_notifications SET attempts = 1,"
                " leased_until = now() + interval '1 minute' WHERE state = 'due'"
            )
            claimed.set()
            await release.wait()

    claimed, release = asyncio.Event(), asyncio.Event()
    claiming = asyncio.create_task(claim())
    await claimed.wait()

    async def plan_again() -> None:
        async with worker.transaction(tenant.flow) as connection:
            await plan_transitions(connection, at + timedelta(seconds=1), email_works=False)

    planning = asyncio.create_task(plan_again())
    async with worker.transaction(tenant.flow) as connection:
        # the plan counted on the row that is being claimed, and waits for its lock
        await rows.until(connection, "SELECT 1 FROM pg_locks WHERE NOT granted")
    release.set()
    await asyncio.gather(claiming, planning)
    async with worker.read(tenant.flow) as connection:
        found = await rows.ledger(connection, tenant.workspace_id)
    hooks = [(row["state"], row["reason"]) for row in found if row["channel_kind"] == "webhook"]
    assert hooks == [("due", "sent"), ("due", "sent")], "nothing joins a message that is being sent"


async def test_members_see_their_own_inbox_only(
    worker: Database, api: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    async with worker.transaction(tenant.flow) as connection:
        await rows.fire(connection, await rows.watch(connection, tenant.workspace_id))
        await plan_transitions(connection, rows.now(), email_works=False)
    for identity in (other_tenant.identity(), tenant.identity(Role.OWNER, other_tenant.user_id)):
        async with api.read(identity) as connection:
            assert await inbox.count_unread(connection, identity) == 0
