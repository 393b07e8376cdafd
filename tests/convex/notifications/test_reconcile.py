"""The daily check finds what does not add up; an alert says so until it does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from convex.db import Database
from convex.notifications.reconcile import Discrepancy, raise_alert, reconcile
from convex.notifications.service import plan_transitions
from tests.conftest import Tenant
from tests.convex.notifications import rows

BREAK = {
    "A transition was not planned": (
        "DELETE FROM convex.alert_notifications WHERE kind = 'resolved'"
    ),
    "A notification is carried by none that is sent": (
        "UPDATE convex.alert_notifications SET state = 'carried', carried_by = gen_random_uuid(),"
        " delivered_at = NULL WHERE channel_kind = 'in_app' AND kind = 'firing'"
    ),
    "A notification is overdue": (
        "UPDATE convex.alert_notifications SET state = 'due', due_at = now() - interval '1 hour',"
        " delivered_at = NULL WHERE channel_kind = 'in_app' AND kind = 'resolved'"
    ),
    "A notification is called delivered without a delivery": (
        "DELETE FROM convex.notification_deliveries"
    ),
    "A firing was told and its resolve was not": (
        "UPDATE convex.alert_notifications SET state = 'withheld', reason = 'expired',"
        " delivered_at = NULL WHERE channel_kind = 'in_app' AND kind = 'resolved'"
    ),
}


@pytest.mark.parametrize("fault", [None, *BREAK])
async def test_what_does_not_add_up_is_found(
    worker: Database, tenant: Tenant, fault: str | None
) -> None:
    now = rows.now()
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute("UPDATE convex.members SET created_at = now() - interval '1 day'")
        triggers = await rows.fire(connection, await rows.watch(connection, tenant.workspace_id))
        await plan_transitions(connection, now, email_works=False)
    async with worker.transaction(tenant.flow) as connection:
        await rows.move(connection, triggers, "resolved")
        await plan_transitions(connection, now, email_works=False)
        if fault is not None:
            await connection.execute(BREAK[fault])
    late = now + timedelta(minutes=30)
    async with worker.transaction(tenant.flow) as connection:
        found = await reconcile(connection, late)
        told = await raise_alert(connection, tenant.workspace_id, found, late)
        again = await raise_alert(connection, tenant.workspace_id, found, late)
        alert = await (
            await connection.execute(
                "SELECT * FROM convex.alert_triggers WHERE source = 'system' AND workspace_id = %s",
                (tenant.workspace_id,),
            )
        ).fetchone()
        over = await raise_alert(connection, tenant.workspace_id, [], late + timedelta(days=1))
    if fault is None:
        assert not found
        assert alert is None
        assert not over.trigger_ids
    else:
        assert fault in {one.what for one in found}
        assert alert is not None
        assert (told.opened, again.repeated) == ([alert["id"]], [alert["id"]])
        assert (alert["severity"], alert["state"]) == ("critical", "firing")
        assert fault in alert["reason"]
        assert over.resolved == [alert["id"]]


async def test_the_alert_about_it_is_told_as_any_other(worker: Database, tenant: Tenant) -> None:
    now = rows.now()
    wrong = Discrepancy(tenant.workspace_id, "A notification is overdue", 3, None)
    async with worker.transaction(tenant.flow) as connection:
        await raise_alert(connection, tenant.workspace_id, [wrong], now)
    async with worker.transaction(tenant.flow) as connection:
        await plan_transitions(connection, now, email_works=False)
        found = await rows.ledger(connection, tenant.workspace_id)
    assert ("in_app", "delivered") in {(row["channel_kind"], row["state"]) for row in found}
