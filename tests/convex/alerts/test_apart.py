"""Work in a process of its own: its answer, its refusals, its end."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from convex.alerts.apart import run_apart
from convex.alerts.describe import parse_duration
from convex.errors import InvalidInput, Unavailable


async def test_the_answer_comes_from_another_process_while_the_loop_goes_on() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    assert await run_apart(30, os.getpid) != os.getpid()
    counting.cancel()
    assert turns > 100


async def test_a_refusal_arrives_as_it_was_said() -> None:
    with pytest.raises(InvalidInput) as refused:
        await run_apart(30, parse_duration, "soon", "window")
    assert refused.value.details == {"field": "window"}


async def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(InvalidInput, match="takes longer"):
        await run_apart(0.2, time.sleep, 60)


async def test_a_process_that_dies_is_no_answer() -> None:
    with pytest.raises(Unavailable):
        await run_apart(30, os._exit, 3)


async def test_more_than_fit_take_turns() -> None:
    pids = await asyncio.gather(*(run_apart(60, os.getpid) for _ in range(4)))
    assert len(set(pids)) == 4
