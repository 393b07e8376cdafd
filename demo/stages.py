"""How a run shows what it does: a line and a bar for each stage, and the seconds it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Advance = Callable[[int], None]


@dataclass(slots=True)
class Stages:
    """The stages of one run, in order. Everything is shown on standard error."""

    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    seconds: dict[str, float] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    def say(self, line: str) -> None:
        """One line about what happens."""
        self.console.print(f"[dim]·[/dim] {line}")

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[None]:
        """Time what happens in the block."""
        self.console.print(f"[bold]{title}[/bold]")
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Advance]:
        """A progress bar; call what it yields with how much of `total` is done."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(title, total=total)
            yield lambda done: progress.update(task, completed=min(done, total))

    def finish(self) -> dict[str, float]:
        """The seconds by stage, and of all together."""
        return {**self.seconds, "total": time.monotonic() - self._began}
