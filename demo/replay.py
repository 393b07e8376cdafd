"""The last day, hour by hour, through the public API, while a WebSocket listens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from demo.client import Api
from demo.timeline import DemoPoint

Settled = Callable[[], Awaitable[object]]


@dataclass(slots=True)
class Replayed:
    """What the API answered to the points of the live day."""

    hours: int = 0
    accepted: int = 0
    rejected: int = 0
    triggers: set[str] = field(default_factory=set)


async def replay(
    api: Api,
    hours: Sequence[tuple[datetime, list[DemoPoint]]],
    *,
    pace: float,
    settled: Settled,
    shown: Callable[[int], None],
) -> Replayed:
    """Push each hour's points with their own timestamps, an hour every `pace` seconds.

    Time runs faster than its events can be told, so an hour that opened or ended something is
    followed by the next only when its notifications are out (`settled`).
    """
    done = Replayed()
    for _, points in hours:
        answer, _ = await asyncio.gather(api.push(points), asyncio.sleep(pace))
        done.hours += 1
        done.accepted += answer["accepted"]
        done.rejected += answer["rejected"]
        if answer["triggers"]:
            done.triggers.update(answer["triggers"])
            await settled()
        shown(done.hours)
    return done
