"""A heartbeat takes the whole way, point to webhook, and nobody but its channel hears of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from convex.db import SYSTEM, Database
from convex.errors import InvalidInput
from convex.metrics.partitions import ensure_partitions
from convex.notifications import heartbeat
from convex.notifications.channel_store import ChannelDraft, create_channel
from convex.notifications.model import ChannelKind
from convex.settings import Settings
from tests.conftest import Tenant, make_tenant
from tests.convex.notifications import rows
from tests.convex.notifications.receivers import open_http
from tests.convex.notifications.shifts import at_work, towards
from tests.convex.notifications.test_shift import settled


async def beat(worker: Database, tenant: Tenant, now: datetime) -> None:
    async with worker.transaction(SYSTEM) as connection:
        await ensure_partitions(connection, heartbeat.heartbeat_points(0.0, now))
    async with worker.transaction(tenant.flow) as connection:
        assert await heartbeat.workspaces_with_heartbeat(connection) == {tenant.workspace_id}
        await heartbeat.beat(connection, tenant.workspace_id, now=now)


async def fetch(worker: Database, query: str) -> list[dict[str, Any]]:
    async with worker.read(SYSTEM) as connection:
        found: list[dict[str, Any]] = await (await connection.execute(query)).fetchall()
        return found


async def test_every_beat_is_a_message_outside_and_silences_do_not_hold_it(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    worker, tenant = fresh_worker, await make_tenant(fresh_worker)
    async with open_http() as http:
        settings = towards(fresh_settings, http)
        async with worker.transaction(tenant.flow) as connection:
            for name, config in (
                ("pager", {"url": http.url("/pager")}),
                ("outside", {"url": http.url("/beats"), "heartbeat": True}),
            ):
                await rows.add_channel(
                    connection, settings, tenant.workspace_id, name, "webhook", config
                )
            await connection.execute(
                "INSERT INTO convex.silences (workspace_id, matchers, starts_at, ends_at, reason)"
                """ VALUES (%s, '[{"label": "severity", "operator": "=~", "value": ".*"}]',"""
                " now() - interval '1 day', now() + interval '1 day', 'all')",
                (tenant.workspace_id,),
            )
        start = rows.now() - timedelta(minutes=60)
        async with at_work(settings):
            for number in range(8):
                await beat(worker, tenant, start + number * heartbeat.EVERY)
                await http.until(number + 1)
            ledger = await settled(worker, tenant)
    assert {one.path for one in http.got} == {"/beats"}
    kinds = [one.json["data"]["kind"] for one in http.got]
    assert kinds == ["firing", "resolved"] * 4
    assert {one["channel_kind"] for one in ledger} == {"webhook"}
    (trigger,) = await fetch(worker, "SELECT * FROM convex.alert_triggers")
    assert (trigger["rule_name"], trigger["state"]) == (heartbeat.RULE, "resolved")
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute("UPDATE convex.channels SET enabled = false")
        assert not await heartbeat.workspaces_with_heartbeat(connection)
        ended = await heartbeat.rest(connection, tenant.workspace_id, now=rows.now())
        assert ended is not None
        assert await heartbeat.rest(connection, tenant.workspace_id, now=rows.now()) is None
    (rule,) = await fetch(worker, "SELECT enabled FROM convex.alert_rules")
    assert not rule["enabled"]


async def test_only_places_take_heartbeats(
    settings: Settings, api: Database, tenant: Tenant
) -> None:
    key = settings.secrets.encryption_key
    async with api.transaction(tenant.identity()) as connection:
        for kind, config in (
            (ChannelKind.EMAIL, {"heartbeat": True}),
            (ChannelKind.WEBHOOK, {"url": "https://example.com", "heartbeat": "often"}),
        ):
            with pytest.raises(InvalidInput, match="heartbeat is true or false"):
                await create_channel(
                    connection, tenant.identity(), ChannelDraft("beats", kind, config), key
                )
        draft = ChannelDraft(
            "beats", ChannelKind.WEBHOOK, {"url": "https://example.com", "heartbeat": True}
        )
        made = await create_channel(connection, tenant.identity(), draft, key)
    assert made.channel.config["heartbeat"] is True
