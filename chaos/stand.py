"""`convex up` as a child, and which of the processes below it can be killed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from convex.cli.up import read_state
from convex.embedded.process import Child, Command, choose_port

_CODE = Path(__file__).parents[1]
_READY_SECONDS = 660.0  # more than `convex up` waits itself, which says why


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine, as /proc shows it."""

    pid: int
    parent: int
    state: str
    arguments: tuple[str, ...]

    @property
    def is_a_run(self) -> bool:
        """Whether it is a flow run."""
        return self.arguments[-2:] in (("-m", "flows.engine"), ("-m", "prefect.engine"))

    def says(self, *words: str) -> bool:
        """Whether its command line holds all of the words, each as a part of an argument."""
        return all(any(word in argument for argument in self.arguments) for word in words)


_KINDS: Mapping[str, Callable[[Process], bool]] = {
    "api": lambda one: one.arguments[-2:] == ("-m", "api"),
    "worker": lambda one: one.says("flows.work", "convex-notifications"),
    "others": lambda one: one.says("flows.work", "convex-others"),
    "postgres": lambda one: (
        one.arguments[:1] != () and one.says("/postgres") and "-D" in one.arguments
    ),
    "valkey": lambda one: one.arguments[:1] != () and "valkey-server" in one.arguments[0],
    "prefect": lambda one: one.arguments[-3:] == ("prefect", "server", "start"),
}
# `alert-flow`: one run of the standing flow, which its worker does not outlive either way;
# `node`: `convex up` itself, and everything below it with it.
VICTIMS = (*_KINDS, "alert-flow", "node")


class Stand:
    """One home with ports of its own, started and started again."""

    def __init__(self, home: Path, variables: Mapping[str, str]) -> None:
        self.home = home
        self.api_port = choose_port(home, "api")
        self.variables = {
            **variables,
            "CONVEX_HOME": str(home),
            "CONVEX_API_PORT": str(self.api_port),
            "CONVEX_PREFECT_PORT": str(choose_port(home, "prefect")),
        }
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.api_port}"

    async def start(self) -> float:
        """Start everything and wait until it is ready; the seconds that took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("CONVEX_")
        }
        command = Command(
            name="up",
            arguments=[sys.executable, "-m", "convex.cli", "up", "--json"],
            environment={**environment, **self.variables},
            folder=_CODE,
        )
        self._child = child = Child.start(command, self.home / "logs" / "up.log")
        while loop.time() < began + _READY_SECONDS:
            if await child.wait(0.1) is not None:
                raise RuntimeError(f"convex up ended with {child.status}: {self.last_words()}")
            state = read_state(self.home)
            if state and state["pid"] == child.pid and state["state"] == "ready":
                return loop.time() - began
        raise RuntimeError(f"convex up is not ready after {_READY_SECONDS:.0f} s")

    async def stop(self) -> int:
        """Ask it to end, as Ctrl-C does; its exit status."""
        child, self._child = self._child, None
        return 0 if child is None else await child.stop([(Signals.SIGINT, 90.0)])

    def last_words(self) -> str:
        """The end of what `convex up` said."""
        log = self.home / "logs" / "up.log"
        return log.read_text(errors="replace")[-600:] if log.exists() else ""

    def family(self) -> list[Process]:
        """Everything below `convex up`, zombies too."""
        if self._child is None:
            return []
        return list(below(self._child.pid))

    def living(self, kind: str) -> list[int]:
        """The processes of one of `VICTIMS` that run now."""
        if kind == "node":
            return (
                [] if self._child is None or self._child.status is not None else [self._child.pid]
            )
        alive = [one for one in self.family() if one.state != "Z"]
        if kind == "alert-flow":
            workers = {one.pid for one in alive if _KINDS["worker"](one)}
            return [one.pid for one in alive if one.says("flows.engine") and one.parent in workers]
        return [one.pid for one in alive if _KINDS[kind](one)]

    async def kill(self, kind: str, choose: Callable[[list[int]], int]) -> bool:
        """Kill -9 one of them, all that are below with the node; False when none runs."""
        living = self.living(kind)
        if not living:
            return False
        if kind != "node":
            os.kill(choose(living), Signals.SIGKILL)
            return True
        child, self._child = self._child, None
        assert child is not None
        child.send(Signals.SIGKILL)
        await child.wait()
        return True

    def left_over(self) -> list[int]:
        """Processes that carry this home in their environment: none, once it is stopped."""
        mark = f"CONVEX_HOME={self.home}".encode()
        return [
            one.pid
            for one in _everybody().values()
            if one.state != "Z" and mark in _environment_of(one.pid)
        ]


def _environment_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _everybody() -> dict[int, Process]:
    found = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            state, parent = (
                Path(entry.path, "stat").read_text().rpartition(")")[2].split(maxsplit=2)[:2]
            )
            line = Path(entry.path, "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        arguments = tuple(line.rstrip("\0").split("\0")) if line else ()
        found[int(entry.name)] = Process(int(entry.name), int(parent), state, arguments)
    return found


def below(pid: int) -> Iterator[Process]:
    """Children, their children, and so on."""
    children: dict[int, list[Process]] = {}
    for one in _everybody().values():
        children.setdefault(one.parent, []).append(one)
    waiting = [pid]
    while waiting:
        for one in children.get(waiting.pop(), ()):
            waiting.append(one.pid)
            yield one
