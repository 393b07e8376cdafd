"""Predictions are told to those who want them, once, and the ledger says why not to others."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from convex.db import Connection, Database
from convex.notifications.foresight import notify_predictions
from tests.conftest import Tenant
from tests.convex.notifications import rows


async def predict(connection: Connection, watched: rows.Watched, now: datetime) -> UUID:
    row = await (
        await connection.execute(
            "INSERT INTO convex.alert_predictions (workspace_id, framework_id, rule_id, kind,"
            " made_at, window_start, window_end, probability, climatology, confidence, risk_score,"
            " preventive_actions, model, inputs) VALUES (%s, %s, %s, 'next_alert', %s, %s, %s, 81,"
            """ 12, 'high', 65, '[{"action": "Call the crew."}]', 'mixture', '{}') RETURNING id""",
            (
                watched.workspace_id,
                watched.framework_id,
                watched.rule_id,
                now,
                now,
                now + timedelta(hours=24),
            ),
        )
    ).fetchone()
    assert row is not None
    return UUID(str(row["id"]))


async def test_who_wants_predictions_is_told_once(worker: Database, tenant: Tenant) -> None:
    now = rows.now()
    async with worker.transaction(tenant.flow) as connection:
        watched = await rows.watch(connection, tenant.workspace_id)
        prediction = await predict(connection, watched, now)
        unwanted = await notify_predictions(
            connection, tenant.workspace_id, [prediction], now, email_works=False
        )
        assert unwanted.written == 0
        await rows.wish(connection, tenant.workspace_id, predictions=True)
        told = await notify_predictions(
            connection, tenant.workspace_id, [prediction], now, email_works=False
        )
        assert told.told_at_once >= 1
        assert tenant.workspace_id in told.cursors
        hour = now + timedelta(hours=1)
        newer = await predict(connection, watched, hour)
        again = await notify_predictions(
            connection, tenant.workspace_id, [prediction, newer], hour, email_works=False
        )
        assert again.written == 0
        found = await rows.ledger(connection, tenant.workspace_id)
    inbox = [row for row in found if row["channel_kind"] == "in_app"]
    assert {(row["kind"], row["state"]) for row in inbox} == {("prediction", "delivered")}
    assert "probability of 81 %" in inbox[0]["payload"]["lines"][0]
    assert inbox[0]["payload"]["lines"][1] == "You could: Call the crew."


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        ({"min_severity": "critical"}, "below_severity"),
        (
            {"quiet_hours_enabled": True, "quiet_hours_start": "00:00", "quiet_hours_end": "23:59"},
            "deferred_quiet_hours",
        ),
    ],
)
async def test_preferences_hold_for_predictions_too(
    worker: Database, tenant: Tenant, wishes: dict[str, Any], reason: str
) -> None:
    now = rows.now().replace(hour=12)
    async with worker.transaction(tenant.flow) as connection:
        watched = await rows.watch(connection, tenant.workspace_id, severity="warning")
        prediction = await predict(connection, watched, now)
        await rows.wish(connection, tenant.workspace_id, predictions=True, **wishes)
        await notify_predictions(
            connection, tenant.workspace_id, [prediction], now, email_works=False
        )
        found = await rows.ledger(connection, tenant.workspace_id)
    inbox = [row for row in found if row["channel_kind"] == "in_app"]
    assert {row["reason"] for row in inbox} == {reason}
