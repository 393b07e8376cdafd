"""The flows that predict and verify, under a real Prefect server."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from convex.db import SYSTEM, Database
from convex.settings import Settings
from convex.workspaces.job_requests import Job, request_run, take_requests
from tests.conftest import make_tenant
from tests.convex.predictions.conftest import NOW, make_watched
from tests.flows.prefect_server import flow_environment, prefect_server

_FLOWS = """
import asyncio
from flows.forecast_alerts import forecast_alerts
from flows.verify_predictions import verify_predictions
print("made", asyncio.run(forecast_alerts()))
print("verified", asyncio.run(verify_predictions()))
"""


async def run_flows(environment: dict[str, str]) -> bytes:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _FLOWS),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await child.communicate()
    assert child.returncode == 0, errors.decode()[-2000:]
    return output


@pytest.mark.timeout(600)
async def test_runs_predict_what_was_asked_for_and_verify_what_is_over(
    fresh_settings: Settings, fresh_worker: Database, tmp_path: Path
) -> None:
    tenant = await make_tenant(fresh_worker)
    watched = await make_watched(fresh_worker, tenant)
    old = NOW - timedelta(days=3)
    async with fresh_worker.transaction(tenant.flow) as connection:
        await request_run(connection, tenant.workspace_id, Job.FORECAST_ALERTS, None)
        await connection.execute(
            "INSERT INTO convex.alert_predictions (workspace_id, framework_id, rule_id, kind,"
            " made_at, window_start, window_end, probability, climatology, confidence, risk_score,"
            " model, inputs) VALUES (%s, %s, %s, 'next_alert', %s, %s, %s, 90, 50, 'medium', 90,"
            " 'mixture-1', '{}')",
            (
                *(tenant.workspace_id, watched.framework_id, watched.busy),
                *(old, old, old + timedelta(hours=72)),
            ),
        )
    async with fresh_worker.transaction(SYSTEM) as connection:
        assert len(await take_requests(connection, Job.FORECAST_ALERTS)) == 1
    async with prefect_server(tmp_path / "server") as url:
        output = await run_flows(flow_environment(fresh_settings, url, tmp_path))
    assert b"made 6" in output
    assert b"verified 1" in output
    async with fresh_worker.read(tenant.flow) as connection:
        rows = await connection.execute(
            "SELECT was_accurate, actual_alert_triggered_at IS NOT NULL AS fired,"
            " (SELECT state FROM convex.job_requests) AS request"
            " FROM convex.alert_predictions WHERE verified_at IS NOT NULL"
        )
        (row,) = await rows.fetchall()
    assert row == {"was_accurate": True, "fired": True, "request": "done"}
