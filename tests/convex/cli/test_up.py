"""A whole Convex, really started: it says that it is ready, survives, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any
from urllib.error import URLError

import pytest

from convex.embedded.process import choose_port
from tests.convex.cli.conftest import CODE, Ended, run_convex

pytestmark = pytest.mark.timeout(600)

PARTS = ("postgres", "valkey-server", "prefect server", "-m api", "flows.work", "flows.engine")


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    command: str


def processes() -> dict[int, Process]:
    """Every process of this machine that runs (zombies do not)."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if state != "Z":
            found[int(entry.name)] = Process(int(entry.name), int(parent), command)
    return found


def descendants(pid: int) -> list[Process]:
    """Children, their children, and so on."""
    everybody = processes()
    below = [process for process in everybody.values() if process.parent == pid]
    for process in below:
        below += [other for other in everybody.values() if other.parent == process.pid]
    return below


def marked(home: Path) -> set[int]:
    """Processes that carry the home in their environment, whoever their parent is now."""
    mark = f"CONVEX_HOME={home}".encode()
    found = set()
    for pid in processes():
        try:
            if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.add(pid)
        except OSError:
            continue
    return found


def eventually(condition: Callable[[], bool], seconds: float = 120.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


class Instance:
    """One home with ports of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.variables = {
            "CONVEX_HOME": str(home),
            "CONVEX_API_PORT": str(choose_port(home, "api")),
            "CONVEX_PREFECT_PORT": str(choose_port(home, "prefect")),
        }
        self._line: dict[str, Any] = {}

    def convex(self, *arguments: str) -> Ended:
        return run_convex(*arguments, variables=self.variables)

    def up(self) -> dict[str, Any]:
        """What `convex up --detach` said, of the one that runs or of one that starts now."""
        if not self._line or self._line["pid"] not in processes():
            ended = self.convex("up", "--detach")
            assert ended.status == 0, ended.err + self.logs()
            self._line = json.loads(ended.out)
        return self._line

    def is_ready(self) -> bool:
        url = f"http://127.0.0.1:{self.variables['CONVEX_API_PORT']}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def logs(self) -> str:
        """The end of each log, for who has to find out what went wrong."""
        files = sorted((self.home / "logs").glob("*.log"))
        return "".join(f"\n== {file.name}\n{file.read_text()[-1500:]}" for file in files)


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    home = Path(tempfile.mkdtemp(prefix="convex-test-up-"))
    home.chmod(0o755)
    made = Instance(home)
    yield made
    made.convex("down")
    shutil.rmtree(home)


def test_detached_it_returns_when_it_is_ready_and_says_how_to_reach_it(instance: Instance) -> None:
    line = instance.up()
    assert instance.is_ready()
    assert line["url"] == f"http://127.0.0.1:{instance.variables['CONVEX_API_PORT']}"
    assert line["prefect_url"] == f"http://127.0.0.1:{instance.variables['CONVEX_PREFECT_PORT']}"
    assert {"email", "password", "api_key"} <= set(line)
    commands = [process.command for process in descendants(line["pid"])]
    assert [part for part in PARTS if not any(part in command for command in commands)] == []


@pytest.mark.parametrize("more", [[], ["--detach"]])
def test_a_second_one_on_the_same_home_says_so(instance: Instance, more: list[str]) -> None:
    instance.up()
    ended = instance.convex("up", *more)
    assert ended.status == 1
    assert ended.err.count("\n") == 1
    assert "is running on" in ended.err
    assert "`convex down`" in ended.err
    assert instance.is_ready()


def test_the_doctor_finds_it_well(instance: Instance) -> None:
    instance.up()
    assert eventually(lambda: instance.convex("doctor").status == 0), instance.convex("doctor").out
    findings = instance.convex("doctor", "--json").json["findings"]
    assert {"workers", "ready", "prefect", "migrations"} <= {each["check"] for each in findings}


def test_a_killed_worker_is_replaced_and_so_is_the_shift_that_died_with_it(
    instance: Instance,
) -> None:
    pid = instance.up()["pid"]

    def named(part: str) -> set[int]:
        return {process.pid for process in descendants(pid) if part in process.command}

    assert eventually(lambda: len(named("flows.engine")) >= 2), instance.logs()
    shifts = named("flows.engine")
    (worker,) = named("flows.work convex-notifications")
    os.kill(worker, Signals.SIGKILL)
    assert eventually(lambda: not shifts & set(processes()))
    assert eventually(lambda: len(named("flows.engine") - shifts) >= 2), instance.logs()
    assert eventually(instance.is_ready), instance.logs()


def test_kill_9_leaves_no_process_and_the_next_start_recovers_and_ends_on_an_interrupt(
    instance: Instance,
) -> None:
    pid = instance.up()["pid"]
    made = instance.convex("user", "create", f"{os.urandom(4).hex()}@example.com", "--json").json
    family = {process.pid for process in descendants(pid)}
    assert len(family) > len(PARTS)
    os.kill(pid, Signals.SIGKILL)
    assert eventually(lambda: not family & set(processes()), 30)
    assert not marked(instance.home)

    # From the background of a shell, which makes its children ignore interrupts.
    command = f"trap '' INT; exec {sys.executable} -m convex.cli up --json"
    again = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=CODE,
        env={**os.environ, **instance.variables},
    )
    try:
        assert again.stdout is not None
        line = json.loads(again.stdout.readline() or "{}")
        assert line.get("pid") == again.pid, instance.logs()
        assert instance.is_ready()
        ended = instance.convex("user", "create", made["email"])
        assert "has an account" in ended.err or ended.status == 1
        family = {process.pid for process in descendants(again.pid)}
    finally:
        again.send_signal(Signals.SIGINT)
        said = again.communicate(timeout=90)[1]
    assert again.returncode == 0, said
    assert "Stopping" in said
    assert not family & set(processes())
    assert not marked(instance.home)
    assert instance.convex("down", "--json").json["stopped"] is False
