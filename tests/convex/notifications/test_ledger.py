"""The ledger answers in words, and shows nobody what is not theirs to see."""

from __future__ import annotations

from datetime import timedelta

from convex.db import Database, Role
from convex.notifications import ledger
from convex.notifications.ledger import Filters
from convex.notifications.service import plan_transitions
from convex.notifications.simulate import load_rehearsal, run_rehearsal
from convex.settings import Settings
from tests.conftest import Tenant
from tests.convex.notifications import rows


async def test_each_row_says_why(
    worker: Database, api: Database, tenant: Tenant, settings: Settings
) -> None:
    async with worker.transaction(tenant.flow) as connection:
        await rows.add_channel(
            connection, settings, tenant.workspace_id, "pager", "webhook", {"url": "https://x.org"}
        )
        await rows.wish(connection, tenant.workspace_id, tenant.user_id, min_severity="critical")
        watched = await rows.watch(connection, tenant.workspace_id, severity="warning")
        first, second = await rows.fire(connection, watched, 2)
        await plan_transitions(connection, rows.now(), email_works=True)
    me = tenant.identity()
    async with api.read(me) as connection:
        page = await ledger.list_entries(connection, me, Filters(trigger_id=second))
        mine = await ledger.list_entries(connection, me, Filters(member_id=tenant.user_id), limit=3)
        rest = await ledger.list_entries(
            connection, me, Filters(member_id=tenant.user_id), cursor=mine.next_cursor
        )
    said = {entry["channel"]: entry for entry in map(ledger.describe, page.items)}
    assert said["email"]["explanation"].endswith(
        "was not told of the firing by email. It is warning; only critical is wanted here."
    )
    assert said["pager"]["state"] == "carried"
    assert "in one message with others, at" in said["pager"]["explanation"]
    assert said["pager"]["recipient"] is None
    assert (len(mine.items), len(rest.items)) == (3, 1)
    assert {entry["trigger_id"] for entry in map(ledger.describe, [*mine.items, *rest.items])} == {
        str(first),
        str(second),
    }


async def test_a_viewer_sees_what_concerns_them_and_the_workspace(
    worker: Database, api: Database, tenant: Tenant, other_tenant: Tenant, settings: Settings
) -> None:
    async with worker.transaction(tenant.flow) as connection:
        await rows.add_channel(
            connection, settings, tenant.workspace_id, "pager", "webhook", {"url": "https://x.org"}
        )
        await rows.fire(connection, await rows.watch(connection, tenant.workspace_id))
        await plan_transitions(connection, rows.now(), email_works=True)
    stranger = tenant.identity(Role.VIEWER, other_tenant.user_id)
    async with api.read(stranger) as connection:
        page = await ledger.list_entries(connection, stranger, Filters())
    assert [entry.row["channel"] for entry in page.items] == ["pager"]


async def test_other_preferences_are_tried_on_the_past_before_they_are_kept(
    worker: Database, api: Database, tenant: Tenant
) -> None:
    async with worker.transaction(tenant.flow) as connection:
        watched = await rows.watch(connection, tenant.workspace_id, severity="warning")
        triggers = await rows.fire(connection, watched, 6)
        await rows.move(connection, triggers[:2], "resolved")
    me, now = tenant.identity(), rows.now() + timedelta(hours=30)
    async with api.read(me) as connection:
        asleep = await load_rehearsal(
            connection,
            me,
            {"quiet_hours_enabled": True, "quiet_hours_start": "00:00", "quiet_hours_end": "23:59"},
            now,
            email_works=True,
        )
        picky = await load_rehearsal(
            connection, me, {"min_severity": "critical"}, now, email_works=True
        )
    quiet, strict = run_rehearsal(asleep), run_rehearsal(picky)
    assert quiet["transitions"] == 8
    assert quiet["current"]["messages"] == {"in_app": 8, "email": 1}
    assert quiet["current"]["firings_told"] == 6
    assert quiet["proposed"]["outcomes"]["deferred_quiet_hours"] >= 1
    assert quiet["proposed"]["firings_told"] == 4, "two were over before the quiet hours were"
    assert strict["proposed"] == {
        "messages": {},
        "total": 0,
        "outcomes": {"below_severity": 16},
        "firings_told": 0,
        "firings_not_told": 6,
        "in_sleep_hours": 0,
        "busiest_hour": 0,
    }
