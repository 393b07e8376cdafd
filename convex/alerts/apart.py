"""Work that takes seconds of a processor, done in a process of its own.

A replay over a year holds Python's lock; on a thread of the API it would make every other request
wait. A child process does not, and it can be stopped: when the time is up, or when whoever asked is
gone. It starts in under half a second and knows nothing but what it is given.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from convex.embedded import child as mortal
from convex.errors import ConvexError, InvalidInput, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

_AT_ONCE: Final = 2  # of one process; the others wait for their turn, within their time
_WRAPPER: Final = str(Path(mortal.__file__).resolve())
_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def run_apart(seconds: float, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`work(...)`, a function of a module, with arguments and a result that can be pickled.

    Raises what it raises; `InvalidInput` when it takes longer than `seconds`, `Unavailable` when
    the process ended without an answer.
    """
    asked = pickle.dumps((work, args, kwargs), protocol=pickle.HIGHEST_PROTOCOL)
    gate = _gates.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE))
    try:
        async with asyncio.timeout(seconds), gate:
            answer = await _ask(asked)
    except TimeoutError:
        raise InvalidInput(
            f"This takes longer than {seconds:g} s; choose a shorter range or fewer series.",
            field="since",
        ) from None
    if not answer:
        raise Unavailable("The process that worked on this ended without an answer; try again.")
    result, error = pickle.loads(answer)  # noqa: S301 - of our own process
    if error is not None:
        raise error
    found: T = result
    return found


async def _ask(asked: bytes) -> bytes:
    command = [sys.executable, "-I", "-S", _WRAPPER, "--nice", "5"]
    child = await asyncio.create_subprocess_exec(
        *command,
        *("--", sys.executable, "-m", "convex.alerts.apart"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={**os.environ, mortal.PARENT: str(os.getpid())},
    )
    try:
        answer, _ = await child.communicate(asked)
        return answer
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def _serve() -> None:
    work, args, kwargs = pickle.load(sys.stdin.buffer)  # noqa: S301 - of our own process
    result: object = None
    error: Exception | None = None
    try:
        result = work(*args, **kwargs)
    except ConvexError as found:
        error = found
    sys.stdout.buffer.write(pickle.dumps((result, error), protocol=pickle.HIGHEST_PROTOCOL))


if __name__ == "__main__":
    _serve()
