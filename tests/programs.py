"""Programs of other people that tests talk to: real ones, started as children and ended again."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest


def program(name: str) -> str:
    """Where the program is; without it the test is skipped, as `make test` says loudly."""
    beside = Path(sys.prefix) / "debian" / "usr" / "bin"
    found = shutil.which(name) or shutil.which(name, path=str(beside))
    if found is None:
        sys.stderr.write(
            f"*** NO {name.upper()}: install Debian's package; a test is skipped. ***\n"
        )
        pytest.skip(f"there is no {name} on this machine")
    return found


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def started(*command: str, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program while the block lasts; what it says goes to `log`."""
    with log.open("wb") as said:
        child = await asyncio.create_subprocess_exec(*command, stdout=said, stderr=said)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
            try:
                await asyncio.wait_for(child.wait(), 10)
            except TimeoutError:
                child.kill()
                await child.wait()


async def ran(*command: str) -> str:
    """The program's output. Raises `AssertionError` with what it said when it failed."""
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await child.communicate()
    assert child.returncode == 0, (out + err).decode()
    return out.decode()


async def until(
    holds: Callable[[], Awaitable[object]], seconds: float = 60.0, *, log: Path | None = None
) -> None:
    """Wait for a condition; what the program said is told when it never comes to hold."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await holds():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(_end_of(log))
        await asyncio.sleep(0.1)


def _end_of(log: Path | None) -> str:
    return "it never came to hold" if log is None else log.read_text()[-4000:]
