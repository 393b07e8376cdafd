"""Keeping processes alive: start in order, start again what dies, stop in the opposite order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals
from typing import Protocol

from convex.embedded.process import Child, Command, rotate
from convex.errors import ConvexError

Report = Callable[[str], None]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY_SECONDS = 60.0  # after which a process counts as well again
_ROTATE_SECONDS = 60.0


class Service(Protocol):
    """Something that lives in one child process and can be started again."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def child(self) -> Child | None:
        """The process while there is one."""

    async def start(self) -> object:
        """Start it. Raises `ConvexError` when that fails."""

    async def stop(self) -> None:
        """Stop it; without effect when it does not run."""


class ProcessService:
    """A service that is nothing but a command."""

    def __init__(
        self, command: Command, log: Path, stop: Sequence[tuple[Signals, float]] = ()
    ) -> None:
        self._command = command
        self.log = log
        self._steps = stop
        self._child: Child | None = None

    @property
    def command(self) -> Command:
        """What it runs."""
        return self._command

    @property
    def name(self) -> str:
        """The command's name."""
        return self._command.name

    @property
    def child(self) -> Child | None:
        """The process while there is one."""
        return self._child

    async def start(self) -> None:
        """Start the command; whether it then does its work is for others to ask."""
        self._child = Child.start(self._command, self.log)

    async def stop(self) -> None:
        """Stop it by the steps that were given, then by force."""
        child, self._child = self._child, None
        if child is not None:
            await child.stop(self._steps)


class Supervisor:
    """Holds services in the order of their start."""

    def __init__(self, report: Report) -> None:
        """`report` gets one line for each process that died and how it went on."""
        self._report = report
        self._services: list[Service] = []
        self._watchers: list[asyncio.Task[None]] = []

    async def start(self, *services: Service) -> None:
        """Start services side by side and watch them from now on.

        Raises what the first of them raised; those that did start are stopped by `stop`.
        """
        self._services += services
        results = await asyncio.gather(
            *(service.start() for service in services), return_exceptions=True
        )
        for service, result in zip(services, results, strict=True):
            if isinstance(result, BaseException):
                raise result
            self._watchers.append(asyncio.create_task(self._watch(service)))

    def keep_logs_short(self, folder: Path) -> None:
        """Move long logs in `folder` aside, every minute until `stop`."""
        self._watchers.append(asyncio.create_task(_keep_short(folder)))

    async def stop(self, groups: Sequence[Sequence[Service]] | None = None) -> None:
        """Stop everything: group by group as given, or one by one, the last started first.

        What no group names is stopped first. Each group is stopped side by side.
        """
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        self._watchers.clear()
        ordered: list[Sequence[Service]] = [[service] for service in reversed(self._services)]
        if groups is not None:
            named = [service for group in groups for service in group]
            ordered = [[service for service in self._services if service not in named], *groups]
        errors: list[BaseException] = []
        for group in ordered:
            results = await asyncio.gather(
                *(service.stop() for service in group if service in self._services),
                return_exceptions=True,
            )
            errors += [result for result in results if isinstance(result, BaseException)]
        self._services.clear()
        if errors:
            raise errors[0]

    async def _watch(self, service: Service) -> None:
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        while True:
            started = loop.time()
            child = service.child
            status = None if child is None else await child.wait()
            if loop.time() - started > _STEADY_SECONDS:
                pause = _FIRST_PAUSE
            self._report(f"{service.name} {_how(status)}; started again in {pause:.1f} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            await service.stop()
            with suppress(ConvexError, OSError):  # no child then, which the next round says
                await service.start()


async def _keep_short(folder: Path) -> None:
    while True:
        await asyncio.sleep(_ROTATE_SECONDS)
        await asyncio.to_thread(_rotate_all, folder)


def _rotate_all(folder: Path) -> None:
    for log in folder.glob("*.log"):
        rotate(log)


def _how(status: int | None) -> str:
    if status is None:
        return "did not start"
    if status < 0:
        return f"was ended by {Signals(-status).name}"
    return f"ended with status {status}"
