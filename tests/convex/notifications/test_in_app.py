"""What was put off reaches the inbox as it would have at once: row, attempt, live event."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from convex.db import Database
from convex.notifications import in_app, inbox
from convex.notifications.service import plan_transitions
from tests.conftest import Tenant, make_tenant
from tests.convex.notifications import rows

QUIET: dict[str, Any] = {
    "quiet_hours_enabled": True,
    "quiet_hours_start": "00:00",
    "quiet_hours_end": "23:00",
}


async def test_what_was_put_off_is_told_in_one_statement(
    fresh_worker: Database, fresh_api: Database
) -> None:
    worker, api = fresh_worker, fresh_api
    tenant = await make_tenant(worker)
    now = (rows.now() - timedelta(days=1)).replace(hour=12)
    async with worker.transaction(tenant.flow) as connection:
        await rows.wish(connection, tenant.workspace_id, **QUIET)
        watched = await rows.watch(connection, tenant.workspace_id, severity="warning")
        await rows.fire(connection, watched, 3)
        planning = await plan_transitions(connection, now, email_works=False)
        assert planning.told_at_once == 0
    early, _ = await in_app.tell_prepared(worker, now.replace(hour=22))
    late, cursors = await in_app.tell_prepared(worker, now.replace(hour=23, minute=1))
    again, _ = await in_app.tell_prepared(worker, now.replace(hour=23, minute=2))
    assert (early, again) == (0, 0)
    async with worker.read(tenant.flow) as connection:
        told = [
            row
            for row in await rows.ledger(connection, tenant.workspace_id)
            if row["channel_kind"] == "in_app"
        ]
        logged = await fetch(
            connection,
            "SELECT * FROM convex.notification_deliveries WHERE workspace_id = %s",
            tenant,
        )
        events = await fetch(
            connection, "SELECT * FROM convex.live_events WHERE workspace_id = %s", tenant
        )
    assert late == len(told) == len(logged) == len(events) > 0
    assert {(row["state"], row["attempts"]) for row in told} == {("delivered", 1)}
    assert cursors[tenant.workspace_id] == max(row["cursor"] for row in events)
    identity = tenant.identity()
    async with api.read(identity) as connection:
        page = await inbox.list_entries(connection, identity)
    shown = {one["id"]: one for one in map(inbox.describe, page.items)}
    live = {row["data"]["id"]: row["data"] for row in events}
    assert shown
    for one, said in shown.items():
        assert live[one] == said
    assert {row["framework_id"] for row in events} == {watched.framework_id}


async def test_what_has_no_words_yet_goes_the_longer_way(worker: Database, tenant: Tenant) -> None:
    now = rows.now()
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute(
            "INSERT INTO convex.alert_notifications (workspace_id, kind, recipient_id,"
            " channel_kind, state, reason, severity, idempotency_key, payload, due_at)"
            " SELECT workspace_id, 'notice', user_id, 'in_app', 'due', 'sent', 'warning', 'x',"
            """ '{"title": "A channel was switched off", "lines": ["It is gone."]}', %s"""
            " FROM convex.members WHERE workspace_id = %s AND role = 'owner'",
            (now - timedelta(minutes=1), tenant.workspace_id),
        )
        told, cursors = await in_app.tell_others(connection, now)
        events = await fetch(
            connection, "SELECT * FROM convex.live_events WHERE workspace_id = %s", tenant
        )
    assert told >= 1
    assert tenant.workspace_id in cursors
    assert [row["data"]["title"] for row in events] == ["A channel was switched off"]


async def fetch(connection: Any, query: str, tenant: Tenant) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await (
        await connection.execute(query, (tenant.workspace_id,))
    ).fetchall()
    return found
