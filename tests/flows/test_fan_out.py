"""One run over many workspaces, by threads and on a real cluster of Dask."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from convex.db import Database
from convex.errors import Unavailable
from convex.settings import FlowSettings, Settings
from flows.fan_out import task_runner
from tests.conftest import make_tenant
from tests.flows.prefect_server import flow_environment, prefect_server

_SPREAD = """
import asyncio, json, os
from uuid import uuid4
from prefect import flow, task
from flows.fan_out import over_workspaces

@task
async def one(number):
    if number == 2:
        raise ValueError("not this one")
    return number, os.getpid()

@flow
async def spread():
    return await over_workspaces(one, {uuid4(): {"number": number} for number in range(6)})

async def main():
    done, failed = await spread()
    numbers, processes = zip(*done.values())
    print(json.dumps({
        "numbers": numbers, "failed": [str(error) for error in failed],
        "here": all(process == os.getpid() for process in processes),
        "elsewhere": os.getpid() not in processes,
    }))

if __name__ == "__main__":
    asyncio.run(main())
"""
_SCORE = """
import asyncio
from flows.score_frameworks import score_frameworks

if __name__ == "__main__":
    print("written", asyncio.run(score_frameworks()))
"""

_needs_dask = pytest.mark.skipif(
    find_spec("prefect_dask") is None, reason="prefect-dask is not installed: `make setup`"
)
RUNNERS = ["threads", pytest.param("dask", marks=_needs_dask)]


async def run(script: str, runner: str, settings: Settings, url: str, home: Path) -> str:
    """The script's output; a file, since the workers of Dask import it."""
    file = home / "script.py"
    file.write_text(script)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(file)),
        env=flow_environment(settings, url, home) | {"CONVEX_FLOWS__RUNNER": runner},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await child.communicate()
    assert child.returncode == 0, errors.decode()
    return output.decode()


@pytest.mark.parametrize("runner", RUNNERS)
async def test_each_workspace_is_a_task_and_one_that_fails_keeps_none_from_its_turn(
    runner: str, fresh_settings: Settings, fresh_worker: Database, tmp_path: Path
) -> None:
    await make_tenant(fresh_worker)
    await make_tenant(fresh_worker)
    async with prefect_server(tmp_path / "server") as url:
        said = json.loads(await run(_SPREAD, runner, fresh_settings, url, tmp_path))
        assert sorted(said["numbers"]) == [0, 1, 3, 4, 5]
        assert said["failed"] == ["not this one"]
        assert (said["here"], said["elsewhere"]) == (runner == "threads", runner == "dask")
        # A flow of ours, whose task opens the database wherever it is.
        assert "written 0" in await run(_SCORE, runner, fresh_settings, url, tmp_path)


def test_a_runner_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.fan_out.find_spec", lambda _: None)
    for runner in ("dask", "ray"):
        with pytest.raises(Unavailable, match=f"--extra {runner}"):
            task_runner(FlowSettings.model_validate({"runner": runner}))
