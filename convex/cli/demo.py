"""`convex demo`: the way to the demo, which is no part of the domain."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from convex.errors import InvalidInput, Unavailable


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Do all of it once, print a JSON summary, and stop.")
    ] = False,
    data: Annotated[
        str, typer.Option(help="flights (New York, 2013) or retail (a web shop, 2009-2011).")
    ] = "flights",
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
    if data not in script.DATASETS:
        raise InvalidInput(f"There are no data {data!r}; there are {', '.join(script.DATASETS)}.")
    return int(script.run(once=once, data=data) or 0)
