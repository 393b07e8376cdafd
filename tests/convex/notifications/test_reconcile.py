"""The daily check finds what does not add up, says so once a day, and is silent otherwise."""

from __future__ import annotations

from datetime import timedelta

import pytest

from convex.db import Database
from convex.notifications.reconcile import reconcile
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
    async with worker.transaction(tenant.flow) as connection:
        late = now + timedelta(minutes=30)
        found = await reconcile(connection, late, email_works=True)
        await reconcile(connection, late, email_works=True)
        notices = [
            row
            for row in await rows.ledger(connection, tenant.workspace_id)
            if row["kind"] == "notice"
        ]
    if fault is None:
        assert not found
        assert not notices
    else:
        assert fault in {one.what for one in found}
        assert {row["channel_kind"] for row in notices} == {"in_app", "email"}
        assert len(notices) == 2
        assert any(fault in line for line in notices[0]["payload"]["lines"])
