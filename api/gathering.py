"""Batches of one sender that arrive while another of theirs is being written share what is next.

A sender with many connections would otherwise pay for a transaction with each point. Whoever comes
alone is written at once, as ever; only who would have to wait anyway waits for the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from uuid import UUID

from convex.alerts.ingest import IngestResult, ingest_points
from convex.alerts.pooled import NotSeparable, count_together, ingest_together
from convex.db import Database, Identity
from convex.metrics.model import PointBatch
from convex.telemetry.traces import current_trace, resume

_MOST_WRITING = 1  # transactions of one sender at a time
_APART_SECONDS = 5.0  # after batches that could not be pooled

Tell = Callable[[UUID, IngestResult], None]


@dataclass(slots=True)
class _Waiting:
    batch: PointBatch
    now: datetime
    outcome: asyncio.Future[IngestResult]
    trace: str = field(default_factory=current_trace)


@dataclass(slots=True)
class _Lane:
    """One sender's batches: how many transactions are at work, and what waits for the next."""

    writing: int = 0
    waiting: deque[_Waiting] = field(default_factory=deque)


class Gatherer:
    """Takes batches as they come; `tell` hears of each commit."""

    def __init__(self, database: Database, tell: Tell) -> None:
        self._database = database
        self._tell = tell
        self._lanes: dict[Identity, _Lane] = {}
        self._apart_until: dict[Identity, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ingest(self, identity: Identity, batch: PointBatch, now: datetime) -> IngestResult:
        """Store and evaluate a batch (`pooled.is_poolable`), alone or with others; committed."""
        loop = asyncio.get_running_loop()
        if self._apart_until.get(identity, 0.0) > loop.time():
            return await self._alone(identity, batch, now)
        lane = self._lanes.setdefault(identity, _Lane())
        if lane.writing < _MOST_WRITING:
            lane.writing += 1
            try:
                return await self._alone(identity, batch, now)
            finally:
                self._next(identity, lane)
        waiting = _Waiting(batch, now, loop.create_future())
        lane.waiting.append(waiting)
        return await waiting.outcome

    def _next(self, identity: Identity, lane: _Lane) -> None:
        while lane.waiting and lane.waiting[0].outcome.done():  # its client has gone
            lane.waiting.popleft()
        if lane.waiting:
            task = asyncio.create_task(self._together(identity, lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        lane.writing -= 1
        if not lane.writing:
            del self._lanes[identity]

    async def _together(self, identity: Identity, lane: _Lane) -> None:
        count = count_together([one.batch for one in islice(lane.waiting, 100)])
        group = [lane.waiting.popleft() for _ in range(count)]
        try:
            await self._write(identity, group)
        finally:
            self._next(identity, lane)

    async def _write(self, identity: Identity, group: list[_Waiting]) -> None:
        if len(group) > 1:
            try:
                with resume(next((one.trace for one in group if one.trace), "")):
                    portions = await self._pooled(identity, group)
            except Exception as error:  # each shall hear of their own error, not of another's
                if isinstance(error, NotSeparable):
                    self._keep_apart(identity)
            else:
                for one, portion in zip(group, portions, strict=True):
                    if not one.outcome.done():
                        one.outcome.set_result(portion)
                return
        for one in group:
            try:
                with resume(one.trace):
                    result = await self._alone(identity, one.batch, one.now)
            except BaseException as error:
                if not one.outcome.done():
                    one.outcome.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                if not one.outcome.done():
                    one.outcome.set_result(result)

    async def _pooled(self, identity: Identity, group: list[_Waiting]) -> list[IngestResult]:
        assert identity.workspace_id is not None
        batches, now = [one.batch for one in group], max(one.now for one in group)
        async with self._database.transaction(identity) as connection:
            result, portions = await ingest_together(
                connection, identity.workspace_id, batches, now=now
            )
        self._tell(identity.workspace_id, result)
        return portions

    async def _alone(self, identity: Identity, batch: PointBatch, now: datetime) -> IngestResult:
        assert identity.workspace_id is not None
        async with self._database.transaction(identity) as connection:
            result = await ingest_points(connection, identity.workspace_id, batch, now=now)
        self._tell(identity.workspace_id, result)
        return result

    def _keep_apart(self, identity: Identity) -> None:
        now = asyncio.get_running_loop().time()
        self._apart_until = {who: end for who, end in self._apart_until.items() if end > now}
        self._apart_until[identity] = now + _APART_SECONDS
