"""The flow that looks for silence, under a real Prefect server."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from convex.alerts.model import NoData
from convex.db import Database
from convex.metrics.model import PointBatch, to_microseconds
from convex.settings import Settings
from tests.conftest import make_tenant
from tests.convex.alerts.conftest import make_bench
from tests.flows.prefect_server import flow_environment, prefect_server

_FLOW = """
import asyncio
from flows.check_no_data import check_no_data
print("changed", asyncio.run(check_no_data()))
"""


async def test_a_silent_series_opens_its_alert_once(
    fresh_settings: Settings, fresh_worker: Database, fresh_api: Database, tmp_path: Path
) -> None:
    bench = await make_bench(fresh_api, await make_tenant(fresh_worker))
    bench.now = datetime.now(UTC)
    await bench.rule(no_data=NoData.ALERT, no_data_after_seconds=60)
    seen = np.array([to_microseconds(bench.now - timedelta(minutes=3))], np.int64)
    await bench.push_batch(
        PointBatch(["airport"], ["delay"], [{}], seen, np.array([1.0]), "test", history=False)
    )
    async with prefect_server(tmp_path / "server") as url:
        for changed in (b"changed 1", b"changed 0"):
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _FLOW),
                env=flow_environment(fresh_settings, url, tmp_path),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            output, _ = await child.communicate()
            assert child.returncode == 0
            assert changed in output
    (transition,) = await bench.transitions()
    assert (transition["kind"], transition["planned"]) == ("opened", True)
