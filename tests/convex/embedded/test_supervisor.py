"""Services side by side: what dies is started again, the end comes in order."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from signal import Signals

import pytest
import pytest_asyncio

from convex.embedded.process import Child, Command
from convex.embedded.supervisor import ProcessService, Supervisor
from convex.errors import Unavailable

_TERM = ((Signals.SIGTERM, 10.0),)


def service(name: str, folder: Path, code: str = "import time; time.sleep(600)") -> ProcessService:
    command = Command(name, [sys.executable, "-c", code], dict(os.environ))
    return ProcessService(command, folder / f"{name}.log", _TERM)


class Broken:
    """A service that cannot start."""

    name = "broken"
    child: Child | None = None

    async def start(self) -> None:
        raise Unavailable("no")

    async def stop(self) -> None:
        return


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest_asyncio.fixture
async def supervisor(lines: list[str]) -> AsyncIterator[Supervisor]:
    made = Supervisor(lines.append)
    yield made
    await made.stop()


async def until(condition: object) -> None:
    async with asyncio.timeout(30):
        while not condition():  # type: ignore[operator] # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_starts_again_what_dies_and_says_so(
    supervisor: Supervisor, lines: list[str], tmp_path: Path
) -> None:
    kept = service("kept", tmp_path)
    await supervisor.start(kept)
    assert kept.child is not None
    first = kept.child.pid
    kept.child.send(Signals.SIGKILL)
    await until(lambda: kept.child is not None and kept.child.pid != first)
    assert lines == ["kept was ended by SIGKILL; started again in 0.5 s"]


async def test_waits_longer_each_time_it_dies(
    supervisor: Supervisor, lines: list[str], tmp_path: Path
) -> None:
    await supervisor.start(service("short", tmp_path, "raise SystemExit(3)"))
    await until(lambda: len(lines) == 2)
    assert lines == [
        "short ended with status 3; started again in 0.5 s",
        "short ended with status 3; started again in 1.0 s",
    ]


async def test_nothing_is_started_again_after_the_end(
    supervisor: Supervisor, lines: list[str], tmp_path: Path
) -> None:
    services = [service(name, tmp_path) for name in ("a", "b")]
    await supervisor.start(*services)
    children = [each.child for each in services]
    await supervisor.stop()
    assert [child.status for child in children if child] == [-Signals.SIGTERM] * 2
    assert lines == []


async def test_groups_end_one_after_the_other_and_unnamed_ones_first(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    order = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    open({order!r}, 'a').write({name!r})\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n"
        "while True: time.sleep(60)\n"
    )
    made = {
        name: service(name, tmp_path, code.format(order=str(order), name=name)) for name in "abc"
    }
    await supervisor.start(*made.values())
    await until(lambda: all(each.log.read_text() == "up\n" for each in made.values()))
    await supervisor.stop([[made["c"]], [made["a"]]])
    assert order.read_text() == "bca"


async def test_tells_what_kept_a_service_from_starting_and_still_ends_the_others(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    other = service("other", tmp_path)
    with pytest.raises(Unavailable, match="no"):
        await supervisor.start(other, Broken())
    child = other.child
    assert child is not None
    await supervisor.stop()
    assert child.status == -Signals.SIGTERM
