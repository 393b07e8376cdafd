"""Runs of flows are counted by how they end, whatever process they ran in."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from flows.runtime import job
from tests.flows.prefect_server import prefect_server

_FLOWS = """
import asyncio
from flows.runtime import job

@job(name="goes-well")
async def goes_well() -> int:
    return 1

@job(name="goes-wrong")
async def goes_wrong() -> int:
    raise ValueError("no")

async def main():
    await goes_well(); await goes_well()
    try:
        await goes_wrong()
    except ValueError:
        pass

asyncio.run(main())
"""


async def test_runs_are_counted_for_the_scrape_of_another_process(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    async with prefect_server(tmp_path / "server") as url:
        environment = {
            **os.environ,
            "PREFECT_API_URL": url,
            "PREFECT_HOME": str(tmp_path),
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
            "PYTHONWARNINGS": "ignore",
        }
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _FLOWS), env=environment, stderr=asyncio.subprocess.DEVNULL
        )
        assert await child.wait() == 0
        scraping = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c"),
            "from convex.telemetry import exposition; print(exposition('')[0].decode())",
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await scraping.communicate()
    lines = [line for line in said.decode().splitlines() if line.startswith("convex_job_runs")]
    assert sorted(lines) == [
        'convex_job_runs_total{job="goes-well",state="completed"} 2.0',
        'convex_job_runs_total{job="goes-wrong",state="failed"} 1.0',
    ]


def test_every_flow_of_prefect_yaml_is_a_job() -> None:
    flows = Path(__file__).parents[2] / "flows"
    assert job.__module__ == "flows.runtime"
    left = [
        file.name
        for file in flows.glob("*.py")
        if file.name != "runtime.py" and "@flow" in file.read_text()
    ]
    assert left == []
