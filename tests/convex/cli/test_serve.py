"""`convex serve`: each part as the very process that was started."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from convex.settings import Settings
from tests.convex.cli.conftest import run_convex
from tests.flows.prefect_server import flow_environment


@pytest.mark.parametrize(
    ("part", "module"),
    [("api", "api"), ("setup", "flows.bootstrap"), ("worker", "flows.work")],
)
def test_json_says_what_would_run(part: str, module: str, tmp_path: Path) -> None:
    ended = run_convex("serve", part, "--json", variables={"CONVEX_HOME": str(tmp_path)})
    said = json.loads(ended.out)
    assert said["arguments"][1:3] == ["-m", module]
    assert "PREFECT_SERVER_ANALYTICS_ENABLED" in said["environment"]


def test_a_worker_of_a_pool_of_jobs_is_prefects_own(tmp_path: Path) -> None:
    variables = {"CONVEX_HOME": str(tmp_path), "CONVEX_FLOWS__POOL": "kubernetes"}
    ended = run_convex("serve", "worker", "--queue", "alerts", "--json", variables=variables)
    arguments = json.loads(ended.out)["arguments"]
    assert arguments[1:5] == ["-m", "prefect", "worker", "start"]
    assert arguments[-2:] == ["--work-queue", "alerts"]


def test_prefects_server_is_given_its_database(settings: Settings, tmp_path: Path) -> None:
    variables = flow_environment(settings, "http://127.0.0.1:9/api", tmp_path)
    ended = run_convex("serve", "prefect", "--json", variables=variables)
    said = json.loads(ended.out)
    assert said["arguments"][1:] == ["-m", "prefect", "server", "start"]
    assert "PREFECT_API_DATABASE_CONNECTION_URL" in said["environment"]


def test_the_api_is_served_by_the_process_that_was_started(
    settings: Settings, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = flow_environment(settings, "http://127.0.0.1:9/api", tmp_path)
    environment |= {"CONVEX_API_PORT": str(port), "CONVEX_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "convex.cli", "serve", "api"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as child:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    with urlopen(f"http://127.0.0.1:{port}/livez") as answer:
                        assert answer.status == 200
                        break
                except URLError:
                    assert child.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            said = Path(f"/proc/{child.pid}/cmdline").read_bytes().split(b"\0")
            assert said[1:3] == [b"-m", b"api"]
        finally:
            child.terminate()
