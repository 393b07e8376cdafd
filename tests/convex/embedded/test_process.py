"""A child process: whom it obeys, whom it outlives (nobody), how it is stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from signal import Signals

import pytest

from convex.embedded import child
from convex.embedded.process import (
    Account,
    Child,
    Command,
    choose_port,
    exclusive,
    holder,
    port_is_free,
    private_folder,
    reachable,
    rotate,
    write_private,
)
from convex.errors import Conflict, Unavailable

_SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def command(*arguments: str, **fields: object) -> Command:
    return Command("child", arguments, dict(os.environ), **fields)  # type: ignore[arg-type]


async def test_leads_its_own_session_and_logs(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "child.log"
    running = Child.start(command(*_SLEEP), log)
    assert eventually(lambda: log.read_text() == "up\n")
    assert os.getsid(running.pid) == running.pid
    assert await running.stop([(Signals.SIGTERM, 10)]) == -Signals.SIGTERM


async def test_stands_back_for_others_when_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = Child.start(
        command(sys.executable, "-c", "import os; print(os.nice(0))", nice=3), log
    )
    assert await running.wait() == 0
    assert int(log.read_text()) == os.nice(0) + 3


async def test_waits_only_as_long_as_asked(tmp_path: Path) -> None:
    running = Child.start(command(*_SLEEP), tmp_path / "log")
    assert await running.wait(0.05) is None
    assert await running.stop([]) == -Signals.SIGKILL


async def test_is_killed_when_it_ignores_the_polite_signals(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        " print('up', flush=True)\nwhile True: time.sleep(60)"
    )
    running = Child.start(command(sys.executable, "-c", code), log)
    assert eventually(lambda: log.read_text() == "up\n")
    assert await running.stop([(Signals.SIGTERM, 0.05)]) == -Signals.SIGKILL


async def test_obeys_interrupts_although_the_shell_ignored_them(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import signal; print(signal.getsignal(signal.SIGINT))"
    script = f"trap '' INT; exec {sys.executable} {child.__file__} -- {sys.executable} -c '{code}'"
    running = Child.start(command("/bin/sh", "-c", script), log)
    await running.wait()
    assert "default_int_handler" in log.read_text()


async def test_says_that_a_program_is_missing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = Child.start(command("/no/such/program"), log)
    assert await running.wait() == 127
    assert "/no/such/program: No such file" in log.read_text()


@pytest.mark.parametrize("sent", [Signals.SIGKILL, Signals.SIGTERM])
def test_dies_with_the_process_that_started_it(tmp_path: Path, sent: Signals) -> None:
    """Also its grandchild that is started by the wrapper, as flow runs are by a worker."""
    middle = tmp_path / "middle.py"
    middle.write_text(
        "import os, subprocess, sys\n"
        "print('middle', os.getpid(), flush=True)\n"
        "code = 'import os, time; print(\"inner\", os.getpid(), flush=True); time.sleep(600)'\n"
        "subprocess.run([sys.executable, '-m', 'convex.embedded.child', '--',"
        " sys.executable, '-c', code])\n"
    )
    outer = tmp_path / "outer.py"
    log = tmp_path / "log"
    outer.write_text(
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from convex.embedded.process import Child, Command\n"
        f"Child.start(Command('middle', [sys.executable, {str(middle)!r}], dict(os.environ)),"
        f" Path({str(log)!r}))\n"
        "time.sleep(600)\n"
    )
    first = subprocess.Popen([sys.executable, str(outer)])
    try:
        assert eventually(lambda: log.exists() and "inner" in log.read_text())
        pids = [int(line.split()[1]) for line in log.read_text().splitlines()]
        assert len(pids) == 2
        assert all(map(is_alive, pids))
    finally:
        first.send_signal(sent)
        first.wait()
    assert eventually(lambda: not any(map(is_alive, pids)))


def test_ends_at_once_when_its_parent_died_before_it_could_ask(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, child.__file__, "--", "/bin/true"],
        check=False,
        env={**os.environ, child.PARENT: "1"},
    )
    assert ended.returncode == child.ORPHANED


@pytest.mark.parametrize(
    "arguments", [[], ["--"], ["--signal", "--", "true"], ["--x", "y", "--", "z"]]
)
def test_explains_how_the_wrapper_is_used(arguments: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, child.__file__, *arguments], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "usage" in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give it up")
async def test_gives_up_root(tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = Child.start(command("/usr/bin/id", account=Account(65534, 65534)), log)
    assert await running.wait() == 0
    assert "uid=65534" in log.read_text()
    assert "root" not in log.read_text()


def test_port_is_kept_while_it_is_free_and_changed_when_it_is_not(tmp_path: Path) -> None:
    port = choose_port(tmp_path, "x")
    assert choose_port(tmp_path, "x") == port == choose_port(tmp_path, "x", port)
    with socket.create_server(("127.0.0.1", port)):
        assert not port_is_free(port)
        assert choose_port(tmp_path, "x", port) != port


def test_two_homes_look_for_their_ports_at_different_places(tmp_path: Path) -> None:
    assert choose_port(tmp_path / "a", "x") != choose_port(tmp_path / "b", "x")
    assert choose_port(tmp_path, "x") != choose_port(tmp_path, "y")


def test_lock_is_exclusive_ends_with_its_holder_and_names_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert holder(lock) is None
    with exclusive(lock, "taken"):
        assert holder(lock) == os.getpid()
        with pytest.raises(Conflict, match="taken"), exclusive(lock, "taken"):
            pass
    assert holder(lock) is None
    with exclusive(lock, "taken"):
        pass


def test_private_folder_refuses_what_somebody_else_put_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(Unavailable, match="move it away"):
        private_folder(tmp_path / "link", None)
    assert private_folder(tmp_path / "new", None).stat().st_mode & 0o777 == 0o700


def test_a_private_folder_above_makes_a_path_unreachable(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert reachable(closed / "x", None)
    assert not reachable(closed / "x", Account(65534, 65534))


def test_private_files_are_private_and_long_logs_make_room(tmp_path: Path) -> None:
    write_private(tmp_path / "secret", "text")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    log = tmp_path / "log"
    log.write_text("x" * 11)
    rotate(log, 10)
    assert log.read_text() == ""
    assert (tmp_path / "log.1").read_text() == "x" * 11
