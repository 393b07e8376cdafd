"""A child process: started so that it dies with us, logged to a file, stopped step by step."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

from convex.embedded import child
from convex.errors import Conflict, Unavailable

LOG_BYTES = 20_000_000
_POLL_SECONDS = 0.02
_FIRST_PORT, _LAST_PORT = (
    20_000,
    32_000,
)  # below the range that outgoing connections are taken from


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a server runs as when we are root."""

    uid: int
    gid: int


def unprivileged() -> Account | None:
    """Whom to become: None when we are not root, else the user `convex` if there is one, `nobody`.

    PostgreSQL refuses to run as root and wants a user that has a name.
    """
    if os.geteuid() != 0:
        return None
    for name in ("convex", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    raise Unavailable(
        "Convex runs as root and found neither a user 'convex' nor 'nobody' to run its servers as;"
        " create one (useradd --system convex) or start Convex as an ordinary user."
    )


def reachable(path: Path, account: Account | None) -> bool:
    """Whether `account` may pass through every folder above `path`, which itself need not exist."""
    if account is None:
        return True
    for folder in path.resolve().parents:
        if not folder.exists():
            continue
        status = folder.stat()
        mode = status.st_mode
        if status.st_uid == account.uid:
            allowed = mode & stat.S_IXUSR
        elif status.st_gid == account.gid:
            allowed = mode & stat.S_IXGRP
        else:
            allowed = mode & stat.S_IXOTH
        if not allowed:
            return False
    return True


def private_folder(path: Path, account: Account | None, mode: int = 0o700) -> Path:
    """Make `path` a real folder that belongs to `account` (None: to us), and return it.

    Raises `Unavailable` when somebody else has put something there first.
    """
    owner = account or Account(os.geteuid(), os.getegid())
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (
            owner.uid,
            os.geteuid(),
        ):
            raise Unavailable(
                f"{path} is not a folder of the user with id {owner.uid}; move it away."
            ) from None
    if os.geteuid() == 0:
        os.chown(path, owner.uid, owner.gid)
    path.chmod(mode)
    return path


def home_hash(home: Path) -> str:
    """Eight letters that stand for a home, where its own path would be too long or private."""
    return f"{zlib.crc32(str(home.resolve()).encode()):08x}"


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_port(home: Path, name: str, remembered: int | None = None) -> int:
    """The remembered port if it is free, else a free one that depends on the home.

    Two homes start looking at different places, and neither can meet an outgoing connection.
    """
    if remembered is not None and port_is_free(remembered):
        return remembered
    width = _LAST_PORT - _FIRST_PORT
    start = zlib.crc32(f"{name}:{home.resolve()}".encode())
    for step in range(width):
        port = _FIRST_PORT + (start + step) % width
        if port != remembered and port_is_free(port):
            return port
    raise Unavailable(f"No port between {_FIRST_PORT} and {_LAST_PORT} is free for {name}.")


@contextmanager
def exclusive(path: Path, message: str) -> Iterator[None]:
    """Hold a lock that ends with this process, however it ends. Raises `Conflict(message)`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _lock(descriptor, patience=0.2):  # somebody may just be asking who holds it
            raise Conflict(message)
        os.truncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> int | None:
    """The process that holds the lock `path`, None when nobody does.

    The lock itself is asked, so a number that another process got since is never believed.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _lock(descriptor, patience=0.0):
            return None
        return int(os.read(descriptor, 32) or 0) or None
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def write_private(path: Path, text: str) -> None:
    """Replace `path` at once by a file that only we can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(draft, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    draft.replace(path)


def rotate(log: Path, limit: int = LOG_BYTES) -> None:
    """Move a long log aside, keeping one older piece; safe while a child appends to it."""
    if log.exists() and log.stat().st_size > limit:
        shutil.copyfile(log, log.with_suffix(log.suffix + ".1"))
        os.truncate(log, 0)


@dataclass(frozen=True, slots=True)
class Command:
    """What to run and how. `environment` is the whole environment of the child."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    account: Account | None = None
    death_signal: Signals = Signals.SIGKILL
    folder: Path | None = None
    nice: int = 0
    stdin: bytes = field(default=b"", repr=False)


class Child:
    """A running child. It dies with the *thread* that started it, so start it in the main one."""

    def __init__(self, command: Command, process: subprocess.Popen[bytes]) -> None:
        self.command = command
        self._process = process

    @classmethod
    def start(cls, command: Command, log: Path) -> Child:
        """Start it, its output appended to `log`. Raises `OSError` when there is no Python."""
        log.parent.mkdir(parents=True, exist_ok=True)
        rotate(log)
        wrapper = [sys.executable, "-I", "-S", str(Path(child.__file__).resolve())]
        wrapper += ["--signal", command.death_signal.name.removeprefix("SIG")]
        if command.nice:
            wrapper += ["--nice", str(command.nice)]
        if command.account is not None:
            wrapper += ["--account", f"{command.account.uid}:{command.account.gid}"]
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*wrapper, "--", *command.arguments],
                stdin=subprocess.PIPE if command.stdin else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**command.environment, child.PARENT: str(os.getpid())},
                cwd=command.folder or "/",
                start_new_session=True,
            )
        if process.stdin is not None:
            try:
                process.stdin.write(command.stdin)
                process.stdin.close()
            except BrokenPipeError:
                pass  # it ended already, which whoever waits for it will see
        return cls(command, process)

    @property
    def pid(self) -> int:
        """The process id, which is also that of its session and process group."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """How it ended (negative: the signal), or None while it runs."""
        return self._process.poll()

    def send(self, signal: Signals) -> None:
        """Send a signal, unless it has ended."""
        self._process.send_signal(signal)

    async def wait(self, seconds: float | None = None) -> int | None:
        """Wait until it ends, at most `seconds`; how it ended, or None when it still runs.

        Does not depend on the event loop in which the child was started.
        """
        loop = asyncio.get_running_loop()
        deadline = None if seconds is None else loop.time() + seconds
        while self._process.poll() is None:
            left = None if deadline is None else deadline - loop.time()
            if left is not None and left <= 0:
                return None
            await _sleep_or_end(self._process.pid, left)
        return self._process.returncode

    async def stop(self, steps: Sequence[tuple[Signals, float]]) -> int:
        """Send each signal in turn and wait its seconds; at last SIGKILL to the whole group."""
        for signal, seconds in steps:
            if self.status is not None:
                break
            self.send(signal)
            await self.wait(seconds)
        with suppress(ProcessLookupError, PermissionError):  # nothing is left of the group
            os.killpg(self.pid, Signals.SIGKILL)
        status = await self.wait()
        assert status is not None
        return status


async def _sleep_or_end(pid: int, seconds: float | None) -> None:
    """Return when the process ends or the seconds are over; without pidfd, after a short while."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        await asyncio.sleep(_POLL_SECONDS if seconds is None else min(_POLL_SECONDS, seconds))
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), seconds)
    except TimeoutError:
        pass
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
