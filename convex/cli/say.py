"""How results and errors are said: for people, or one JSON object for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def say(text: str, values: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the result on standard output."""
    print(json.dumps(values, default=str) if as_json else text, flush=True)


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error while the block lasts; call what it yields with 0–1."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        task = progress.add_task(description, total=1.0)
        yield lambda share: progress.update(task, completed=share)


def say_error(message: str) -> None:
    """Print one line on standard error."""
    print(f"convex: {' '.join(message.split())}", file=sys.stderr, flush=True)
