"""The process of a flow run: its event loop, and the garbage collector."""

from __future__ import annotations

import gc
import subprocess
import sys

from flows.engine import settled
from flows.setup.pool import job_template


def test_what_is_loaded_is_passed_over_only_while_the_work_lasts() -> None:
    before = gc.get_threshold()
    with settled():
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold() > before
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == before


def test_event_loops_of_a_run_are_uvloops() -> None:
    program = (
        "import asyncio; from flows.engine import use_fast_loop\n"
        "async def loop(): return type(asyncio.get_running_loop()).__module__\n"
        "use_fast_loop(); print(asyncio.run(loop()))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert said.stdout.strip() == "uvloop", said.stderr


def test_the_engine_of_the_pool_is_prefects() -> None:
    command = job_template()["variables"]["properties"]["command"]["default"]
    assert command.endswith("-m flows.engine")
    said = subprocess.run(
        [sys.executable, "-m", "flows.engine", "no-run"], capture_output=True, text=True
    )
    assert said.returncode == 1
    assert "Invalid flow run id" in said.stdout + said.stderr
