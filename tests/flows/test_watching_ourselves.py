"""The flows that watch Convex itself, under a real Prefect server."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from convex.db import SYSTEM, Database
from convex.settings import Settings
from tests.conftest import make_tenant
from tests.convex.notifications import rows
from tests.flows.prefect_server import flow_environment, prefect_server

_FLOWS = """
import asyncio
from flows.reconcile_notifications import reconcile_notifications
from flows.send_heartbeat import send_heartbeat
print("wrong", asyncio.run(reconcile_notifications()), "beats", asyncio.run(send_heartbeat()))
"""
_OVERDUE = """
INSERT INTO convex.alert_notifications (
    workspace_id, kind, channel_kind, state, reason, severity, idempotency_key, due_at, leased_until
)
SELECT id, 'notice', 'webhook', 'due', 'sent', 'info', 'lost', now() - interval '1 hour', NULL
FROM convex.workspaces
"""


async def test_what_is_wrong_fires_and_hearts_beat(
    fresh_settings: Settings, fresh_worker: Database, tmp_path: Path
) -> None:
    tenant = await make_tenant(fresh_worker)
    async with fresh_worker.transaction(tenant.flow) as connection:
        await rows.add_channel(
            connection,
            fresh_settings,
            tenant.workspace_id,
            "outside",
            "webhook",
            {"url": "https://example.com", "heartbeat": True},
        )
        await connection.execute(_OVERDUE)
    async with prefect_server(tmp_path / "server") as url:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _FLOWS),
            env=flow_environment(fresh_settings, url, tmp_path),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await child.communicate()
    assert child.returncode == 0
    assert b"wrong 1 beats 1" in output
    async with fresh_worker.read(SYSTEM) as connection:
        found = await (
            await connection.execute("SELECT rule_name, state, source FROM convex.alert_triggers")
        ).fetchall()
    assert sorted((one["source"], one["rule_name"], one["state"]) for one in found) == [
        ("rule", "Heartbeat of Convex", "firing"),
        ("system", "Notifications do not add up", "firing"),
    ]
