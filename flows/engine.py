"""How a flow run's process is set up: `python -m flows.engine` is `prefect.engine`, on uvloop.

The alert flow does tens of thousands of small things a second in one event loop; uvloop has a
faster one. `settled` keeps the garbage collector off what is there for good.
"""

from __future__ import annotations

import asyncio
import gc
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop

_YOUNG = 50_000  # new objects between two looks at them; by default 700


def use_fast_loop() -> None:
    """Every event loop that this process starts from now on is uvloop's."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


@contextmanager
def settled() -> Iterator[None]:
    """What has been loaded stays: the garbage collector passes over it while the block lasts.

    For long work that makes many short-lived objects and few cycles. The modules behind a flow run
    are some hundred thousand objects, and planning a thousand alerts made the collector walk them
    again and again: a quarter of the alert flow's time.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


if __name__ == "__main__":
    use_fast_loop()
    sys.argv[0] = "prefect.engine"
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
