"""Channels are kept with their secrets sealed, tested, and judged by their real deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from convex.db import SYSTEM, Database, Role
from convex.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from convex.notifications import channel_health
from convex.notifications import channel_store as channels
from convex.notifications.channel_store import ChannelDraft
from convex.notifications.model import ChannelKind
from convex.secrets import decrypt
from convex.settings import Settings
from tests.conftest import Tenant, make_tenant
from tests.convex.notifications import rows
from tests.convex.notifications.receivers import open_http
from tests.convex.notifications.shifts import at_work, towards

HOOK = ChannelDraft("pager", ChannelKind.WEBHOOK, {"url": "https://example.org/hook"})


async def test_a_channel_is_kept_and_its_secret_is_shown_once(
    api: Database, worker: Database, tenant: Tenant, settings: Settings
) -> None:
    key, identity = settings.secrets.encryption_key, tenant.identity(Role.EDITOR)
    async with api.transaction(identity) as connection:
        made = await channels.create_channel(connection, identity, HOOK, key)
        with pytest.raises(Conflict):
            await channels.create_channel(connection, identity, HOOK, key)
    assert made.revealed is not None
    assert made.revealed.startswith("whsec_")
    shown = orjson.dumps(channels.describe(made.channel)).decode()
    assert made.revealed not in shown
    assert channels.describe(made.channel)["has_secret"]
    async with worker.read(tenant.flow) as connection:
        row = await (await connection.execute("SELECT secret FROM convex.channels")).fetchone()
    assert row is not None
    assert made.revealed.encode() not in bytes(row["secret"])
    assert orjson.loads(decrypt(bytes(row["secret"]), key)) == {"secrets": [made.revealed]}
    assert made.revealed not in repr(made)
    assert "sealed" not in repr(HOOK)


async def test_changes_keep_the_secret_and_the_version(
    api: Database, tenant: Tenant, settings: Settings
) -> None:
    key, identity = settings.secrets.encryption_key, tenant.identity()
    now = rows.now()
    async with api.transaction(identity) as connection:
        made = (await channels.create_channel(connection, identity, HOOK, key)).channel
        changed = await channels.update_channel(
            connection, identity, made.id, {"name": "oncall", "enabled": False}, key, now=now
        )
        assert (changed.name, changed.enabled, changed.version) == ("oncall", False, 2)
        assert changed.has_secret
        with pytest.raises(PreconditionFailed):
            await channels.update_channel(
                connection, identity, made.id, {}, key, now=now, expected_version=1
            )
        with pytest.raises(InvalidInput):
            await channels.update_channel(
                connection, identity, made.id, {"kind": "slack"}, key, now=now
            )
        with pytest.raises(Conflict):
            await channels.send_test(connection, identity, made.id, now)
        await channels.delete_channel(connection, identity, made.id)
        with pytest.raises(NotFound):
            await channels.get_channel(connection, identity, made.id)


@pytest.mark.parametrize(
    "draft",
    [
        ChannelDraft("Bad name", ChannelKind.IN_APP),
        ChannelDraft("slack", ChannelKind.EMAIL),
        ChannelDraft("x", ChannelKind.WEBHOOK),
        ChannelDraft("x", ChannelKind.WEBHOOK, {"url": "file:///etc/passwd"}),
        ChannelDraft("x", ChannelKind.WEBHOOK, {"url": "https://x.org", "mode": "fax"}),
        ChannelDraft("x", ChannelKind.WEBHOOK, {"url": "https://x.org"}, "whsec_%%%"),
        ChannelDraft("x", ChannelKind.WEBHOOK, {"mode": "pagerduty"}),
        ChannelDraft("x", ChannelKind.SLACK),
        ChannelDraft("x", ChannelKind.SLACK, {}, "not a url"),
        ChannelDraft("x", ChannelKind.EMAIL, {"to": ["nobody"]}),
        ChannelDraft("x", ChannelKind.EMAIL, {}, "secret"),
        ChannelDraft("x", ChannelKind.APPRISE, {}, "syslog://"),
        ChannelDraft("x", ChannelKind.IN_APP, {"a": 1}),
    ],
)
async def test_what_cannot_work_is_refused_in_words(
    api: Database, tenant: Tenant, settings: Settings, draft: ChannelDraft
) -> None:
    identity = tenant.identity()
    async with api.transaction(identity) as connection:
        with pytest.raises(InvalidInput) as refused:
            await channels.create_channel(
                connection, identity, draft, settings.secrets.encryption_key
            )
    assert refused.value.message.endswith(".")


async def test_another_workspace_has_no_such_channel(
    api: Database, tenant: Tenant, other_tenant: Tenant, settings: Settings
) -> None:
    identity, theirs = tenant.identity(), other_tenant.identity()
    async with api.transaction(identity) as connection:
        made = await channels.create_channel(
            connection, identity, HOOK, settings.secrets.encryption_key
        )
    async with api.transaction(theirs) as connection:
        assert not await channels.list_channels(connection, theirs)
        with pytest.raises(NotFound):
            await channels.delete_channel(connection, theirs, made.channel.id)


async def test_a_test_notification_goes_the_whole_way(
    fresh_settings: Settings, fresh_worker: Database, fresh_api: Database
) -> None:
    tenant = await make_tenant(fresh_worker)
    identity = tenant.identity()
    async with open_http() as http:
        settings = towards(fresh_settings, http)
        key = settings.secrets.encryption_key
        draft = ChannelDraft("chat", ChannelKind.SLACK, {}, http.url("/services/x"))
        async with fresh_api.transaction(identity) as connection:
            made = (await channels.create_channel(connection, identity, draft, key)).channel
            inbox = await channels.create_channel(
                connection, identity, ChannelDraft("bell", ChannelKind.IN_APP), key
            )
            for one in (made.id, inbox.channel.id):
                await channels.send_test(connection, identity, one, rows.now())
        async with at_work(settings), fresh_worker.transaction(SYSTEM) as connection:
            await rows.until(
                connection,
                "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM convex.alert_notifications"
                " WHERE state = 'due')",
            )
        async with fresh_api.read(identity) as connection:
            health = await channel_health.measure_health(
                connection, identity, rows.now(), email_works=False
            )
    assert http.got[0].json["text"] == "This is a test"
    states = {one.name: one.state for one in health}
    assert states == {"bell": "healthy", "chat": "healthy", "email": "disconnected"}
    assert channel_health.describe_health(health[0])["state"] == "healthy"


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (["delivered"] * 3, "healthy"),
        (["delivered", "retry", "delivered"], "degraded"),
        (["retry", "retry", "failed"], "down"),
        ([], "disconnected"),
    ],
)
async def test_health_is_that_of_the_last_hour(
    worker: Database,
    api: Database,
    tenant: Tenant,
    settings: Settings,
    outcomes: list[str],
    state: str,
) -> None:
    async with worker.transaction(tenant.flow) as connection:
        channel_id = await rows.add_channel(
            connection, settings, tenant.workspace_id, "pager", "webhook", {"url": "https://x.org"}
        )
        await deliveries(connection, tenant, channel_id, outcomes)
    async with api.read(tenant.identity()) as connection:
        found = await channel_health.measure_health(
            connection, tenant.identity(), rows.now(), email_works=True
        )
    assert {one.name: one.state for one in found}["pager"] == state


async def deliveries(
    connection: Any, tenant: Tenant, channel_id: UUID, outcomes: list[str]
) -> None:
    """A notification with these attempts."""
    if not outcomes:
        return
    identity = uuid4()
    await connection.execute(
        "INSERT INTO convex.alert_notifications (id, workspace_id, kind, channel_id, channel_kind,"
        " state, reason, severity, idempotency_key, due_at)"
        " VALUES (%s, %s, 'test', %s, 'webhook', 'due', 'test', 'info', %s, now())",
        (identity, tenant.workspace_id, channel_id, str(identity)),
    )
    for attempt, outcome in enumerate(outcomes, start=1):
        at = rows.now() - timedelta(minutes=10 - attempt)
        await connection.execute(
            "INSERT INTO convex.notification_deliveries (workspace_id, notification_id, attempt,"
            " started_at, finished_at, outcome) VALUES (%s, %s, %s, %s, %s, %s)",
            (tenant.workspace_id, identity, attempt, at, at, outcome),
        )
