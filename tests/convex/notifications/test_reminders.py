"""What still fires is told again; what was muted when it fired is told when the mute ends."""

from __future__ import annotations

from datetime import timedelta

from convex.db import Database
from convex.notifications.reminders import plan_reminders
from convex.notifications.service import plan_transitions
from convex.settings import Settings
from tests.conftest import Tenant
from tests.convex.notifications import rows


async def test_a_firing_is_repeated_after_its_interval_until_it_is_acknowledged(
    worker: Database, tenant: Tenant, settings: Settings
) -> None:
    now = rows.now()
    async with worker.transaction(tenant.flow) as connection:
        await rows.add_channel(
            connection, settings, tenant.workspace_id, "pager", "webhook", {"url": "https://x.org"}
        )
        await rows.wish(
            connection, tenant.workspace_id, repeat_interval_seconds=3600, group_by="none"
        )
        triggers = await rows.fire(connection, await rows.watch(connection, tenant.workspace_id))
        await plan_transitions(connection, now, email_works=False)
        await deliver(connection)
        early = now + timedelta(minutes=59)
        assert await plan_reminders(connection, early, email_works=False) == 0
        late = now + timedelta(minutes=61)
        assert await plan_reminders(connection, late, email_works=False) == 1
        assert await plan_reminders(connection, late, email_works=False) == 0
        await rows.move(connection, triggers, "acknowledged")
        await plan_transitions(connection, late, email_works=False)
        found = await rows.ledger(connection, tenant.workspace_id)
        repeat = next(row for row in found if row["kind"] == "repeat")
        assert (repeat["state"], repeat["reason"]) == ("withheld", "acknowledged")
        assert await plan_reminders(connection, now + timedelta(days=1), email_works=False) == 0


async def test_what_was_silenced_is_told_when_the_silence_is_over(
    worker: Database, tenant: Tenant
) -> None:
    now = rows.now()
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute(
            "INSERT INTO convex.silences (workspace_id, matchers, starts_at, ends_at, reason)"
            """ VALUES (%s, '[{"label": "severity", "operator": "=", "value": "critical"}]',"""
            " %s, %s, 'storm')",
            (tenant.workspace_id, now - timedelta(minutes=1), now + timedelta(minutes=30)),
        )
        await rows.fire(connection, await rows.watch(connection, tenant.workspace_id))
        await plan_transitions(connection, now, email_works=False)
        found = await rows.ledger(connection, tenant.workspace_id)
        assert {(row["state"], row["reason"]) for row in found} == {
            ("withheld", "silenced"),
            ("withheld", "no_channel"),
        }
        assert await plan_reminders(connection, now + timedelta(minutes=29), email_works=False) == 0
        assert await plan_reminders(connection, now + timedelta(minutes=31), email_works=False) == 1
        told = await rows.ledger(connection, tenant.workspace_id)
    assert [
        row["kind"]
        for row in told
        if (row["channel_kind"], row["state"]) == ("in_app", "delivered")
    ] == ["firing"]


async def deliver(connection: object) -> None:
    """As if all that is due had been sent."""
    await connection.execute(  # type: ignore[attr-defined]
        "UPDATE convex.alert_notifications SET state = 'delivered', delivered_at = due_at,"
        " attempts = 1 WHERE state = 'due'"
    )
