"""`convex demo`: the way to the demo, which is no part of the domain."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from convex.errors import Unavailable


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Do all of it once, print a JSON summary, and stop.")
    ] = False,
) -> int:
    """Start everything, load a year of real data, and replay its last day live.

    Example: convex demo --once
    """
    try:
        script = import_module("demo.run")
    except ModuleNotFoundError as error:
        if error.name not in ("demo", "demo.run"):
            raise
        raise Unavailable(
            "The demo is not installed; run `make demo` in a clone of the repository."
        ) from None
    return int(script.run(once=once) or 0)
