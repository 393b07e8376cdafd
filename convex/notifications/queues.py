"""What waits in a workspace: transitions to plan, notifications to deliver, jobs asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from convex.db import Connection


@dataclass(frozen=True, slots=True)
class Waiting:
    """One queue. `waiting`: due now · `later`: due at a time to come (quiet hours, retries) ·
    `again`: tried before, or, of jobs, at work now · `oldest_at`: since when the first one waits.
    """

    queue: str
    name: str
    waiting: int
    later: int
    again: int
    oldest_at: datetime | None


async def read_queues(connection: Connection) -> list[Waiting]:
    """Of the acting workspace, whoever the notifications are for."""
    rows = await connection.execute("SELECT * FROM convex.queues()")
    return [Waiting(**row) for row in await rows.fetchall()]
