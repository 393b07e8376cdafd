"""The fan-out of one process: events are read once per workspace and encoded once for everybody.

What holds, whatever is lost or restarted: a client that resumes by cursor misses nothing and gets
nothing twice. A connection is served through a cursor (`through`); what a feed sends is skipped up
to there, and what lies between a client's cursor and the feed's position is read again from memory
or from PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from psycopg import Error
from psycopg_pool import PoolTimeout

from convex.db import Database, Identity, Role
from convex.live import store
from convex.live.model import Frame, LiveEvent, Resync
from convex.telemetry import get_log, metrics

_SWEEP_SECONDS = 1.0
_PAGE = 500
_KEPT_EVENTS = 512
_KEPT_BYTES = 2_000_000
_CHUNK = 500  # clients written to before the event loop may do something else

_log = get_log(__name__)


class Outlet(Protocol):
    """Where the frames of one client go. Nothing here blocks or raises."""

    def write(self, wire: bytes) -> int:
        """Hand over whole frames; how many bytes now wait for the client."""

    def cut_off(self, cursor: int) -> None:
        """The client is too slow: close, telling it to resume from `cursor`."""

    async def drained(self) -> bool:
        """Wait until the client has taken most of what waits; False when it does not."""


class Connection:
    """One client: its subscriptions, and the cursor through which it has been served."""

    def __init__(self, hub: Hub, feed: _Feed, outlet: Outlet, user_id: UUID | None) -> None:
        self.user_id = user_id
        self.outlet = outlet
        self._write = outlet.write
        self.closed = False
        self.sent = 0  # the newest cursor handed over
        self._hub = hub
        self._feed = feed
        self._starts: dict[UUID | None, int] = {}
        self._through = 0
        self._paused = False
        self._turn = asyncio.Lock()

    @property
    def subscriptions(self) -> frozenset[UUID | None]:
        """The frameworks subscribed to; None stands for all of the workspace."""
        return frozenset(self._starts)

    async def subscribe(self, framework_id: UUID | None, since: int | None) -> None:
        """Answer `subscribed`, then send what came after `since`, then everything as it happens.

        A `since` that cannot be resumed from is answered by `resync` before. Raises psycopg's
        errors when PostgreSQL is needed and does not answer; nothing is subscribed then.
        """
        async with self._turn:
            start = self._feed.position
            if since is not None:
                resync = await self._hub.resumable(self._feed, since)
                if resync is None:
                    start = since
                else:
                    start = self._feed.position
                    self._tell("resync", framework_id, start, reason=resync.reason)
            elif self._starts:
                start = self._through  # the feed may be ahead of what this client was given
            if self.closed:
                return
            self._tell("subscribed", framework_id, start)
            if since is None and not self._starts:
                self._starts[framework_id] = self._through = start
            elif since is None:
                self._starts[framework_id] = start
            else:
                await self._catch_up(framework_id, start)

    def unsubscribe(self, framework_id: UUID | None) -> None:
        """Send nothing more for it. Without effect if it was not subscribed to."""
        self._starts.pop(framework_id, None)
        self._tell("unsubscribed", framework_id, self._feed.position)

    def close(self) -> None:
        """The client has gone."""
        if not self.closed:
            self.closed = True
            self._hub.leave(self)

    def deliver_one(self, event: LiveEvent, wire: bytes) -> None:
        """As `deliver`, for one event: what a broadcast spends its time in."""
        cursor = event.cursor
        if self._paused or self.closed or cursor <= self._through:
            return
        self._through = cursor
        starts, framework_id = self._starts, event.framework_id
        if (
            None not in starts
            and framework_id not in starts
            and not (framework_id is None and starts)
        ):
            return
        if event.recipient_id is not None and event.recipient_id != self.user_id:
            return
        self.sent = cursor
        if self._write(wire) > self._hub.buffer_bytes:
            self._cut_off()

    def deliver(self, batch: list[tuple[LiveEvent, Frame]]) -> None:
        """What the feed has just read, as far as this client waits for it."""
        if self._paused or self.closed:
            return
        through = self._through
        self._through = max(through, batch[-1][0].cursor)
        if wires := [
            frame.wire for event, frame in batch if event.cursor > through and self._wants(event)
        ]:
            self._send(wires, batch[-1][0].cursor)

    async def _catch_up(self, framework_id: UUID | None, since: int) -> None:
        """Send (since, now] of the new subscription; the others go on in the order of cursors."""
        others = {name: start for name, start in self._starts.items() if name != framework_id}
        paused_at = self._through
        position = min(since, paused_at) if others else since
        self._paused = True
        try:
            while position < max(self._feed.position, since):
                page = self._feed.after(position) if position < self._feed.position else None
                if page is None:
                    page = await self._hub.read(self._feed, position)
                if self.closed:
                    return
                if not page:  # cleaned up meanwhile: nothing is left to resume from
                    position = max(self._feed.position, since)
                    self._tell("resync", framework_id, position, reason="retention")
                    break
                position = page[-1][0].cursor
                wires = [
                    frame.wire
                    for event, frame in page
                    if self._is_for_me(event)
                    and (
                        event.cursor > paused_at
                        if _covers(others, event)
                        else _covers({framework_id: since}, event)
                    )
                ]
                if wires:
                    waiting = self._send(wires, position)
                    if waiting > self._hub.buffer_bytes // 2 and not await self.outlet.drained():
                        self._cut_off()
                        return
        except BaseException:
            self._paused = False
            if others and paused_at < self._feed.position:
                self._cut_off()  # the others cannot go on without a gap here
            raise
        self._starts[framework_id] = since
        self._through = max(position, paused_at)
        self._paused = False

    def _is_for_me(self, event: LiveEvent) -> bool:
        return event.recipient_id is None or event.recipient_id == self.user_id

    def _wants(self, event: LiveEvent) -> bool:
        starts = self._starts
        return (
            self._is_for_me(event)
            and bool(starts)
            and (None in starts or event.framework_id is None or event.framework_id in starts)
        )

    def _send(self, wires: list[bytes], cursor: int) -> int:
        waiting = self.outlet.write(wires[0] if len(wires) == 1 else b"".join(wires))
        self.sent = cursor
        if waiting > self._hub.buffer_bytes and not self._paused:
            self._cut_off()
        return waiting

    def _cut_off(self) -> None:
        self.outlet.cut_off(self.sent or self._feed.position)
        self.close()

    def _tell(self, kind: str, framework_id: UUID | None, cursor: int, **more: object) -> None:
        frame = Frame.message(kind, framework_id=framework_id, cursor=cursor, **more)
        self.outlet.write(frame.wire)


class _Feed:
    """One workspace in this process: how far it was read, the newest events, who listens."""

    def __init__(self, workspace_id: UUID, position: int) -> None:
        self.workspace_id = workspace_id
        self.identity = Identity(workspace_id, Role.VIEWER)
        self.position = position
        self.target = position
        self.connections: set[Connection] = set()
        self.pump: asyncio.Task[None] | None = None
        self._kept: deque[tuple[LiveEvent, Frame]] = deque()
        self._kept_bytes = 0

    def keep(self, batch: Iterable[tuple[LiveEvent, Frame]]) -> None:
        for pair in batch:
            self._kept.append(pair)
            self._kept_bytes += len(pair[1].wire)
        while len(self._kept) > _KEPT_EVENTS or self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popleft()[1].wire)

    def after(self, cursor: int) -> list[tuple[LiveEvent, Frame]] | None:
        """Everything after `cursor`, None when memory does not reach back that far."""
        if cursor >= self.position:
            return []
        if not self._kept or self._kept[0][0].cursor > cursor + 1:
            return None
        return [pair for pair in self._kept if pair[0].cursor > cursor]


class Hub:
    """All clients of this process. `run` is its only standing task."""

    def __init__(self, database: Database, *, buffer_bytes: int) -> None:
        self.buffer_bytes = buffer_bytes
        self._database = database
        self._feeds: dict[UUID, _Feed] = {}
        self._opening: dict[UUID, asyncio.Task[_Feed]] = {}

    @property
    def connections(self) -> int:
        """How many clients there are."""
        return sum(len(feed.connections) for feed in self._feeds.values())

    async def connect(self, workspace_id: UUID, user_id: UUID | None, outlet: Outlet) -> Connection:
        """A client of the workspace, subscribed to nothing yet; `user_id` gets notifications.

        Raises psycopg's errors when PostgreSQL does not answer.
        """
        feed = self._feeds.get(workspace_id)
        if feed is None:
            opening = self._opening.get(workspace_id)
            if opening is None:
                opening = asyncio.create_task(self._open(workspace_id))
                self._opening[workspace_id] = opening
                opening.add_done_callback(lambda _: self._opening.pop(workspace_id, None))
            feed = await asyncio.shield(opening)
            feed = self._feeds.setdefault(workspace_id, feed)
        connection = Connection(self, feed, outlet, user_id)
        feed.connections.add(connection)
        metrics.websocket_connections.inc()
        return connection

    def leave(self, connection: Connection) -> None:
        """Forget a connection; called by it."""
        feed = connection._feed
        feed.connections.discard(connection)
        metrics.websocket_connections.dec()
        if not feed.connections and self._feeds.get(feed.workspace_id) is feed:
            del self._feeds[feed.workspace_id]

    def wake(self, workspace_id: UUID, cursor: int) -> None:
        """There are events up to `cursor`; a hint that may come late, twice, or never."""
        feed = self._feeds.get(workspace_id)
        if feed is None or cursor <= feed.target:
            return
        feed.target = cursor
        if feed.pump is None:
            feed.pump = asyncio.create_task(self._pump(feed), name="live-pump")

    def hand(self, workspace_id: UUID, events: Sequence[LiveEvent]) -> None:
        """Events that this process has just committed, in order: sent on without reading them
        again, where the feed has all before them. Otherwise a wake-up finds them.
        """
        feed = self._feeds.get(workspace_id)
        if (
            feed is None
            or feed.pump is not None
            or not events
            or events[0].cursor != feed.position + 1
        ):
            return
        batch = [(event, event.frame()) for event in events]
        feed.position = batch[-1][0].cursor
        feed.target = max(feed.target, feed.position)
        feed.keep(batch)
        feed.pump = asyncio.create_task(self._pump(feed, batch), name="live-pump")

    async def run(self) -> None:
        """Once a second, look for what no wake-up told of; for ever, cancel it to stop."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            if not self._feeds:
                continue
            try:
                async with self._database.read(Identity(None, Role.VIEWER)) as connection:
                    cursors = await store.read_cursors(connection, list(self._feeds))
            except (Error, PoolTimeout, OSError) as error:
                _log.warning("live sweep failed", error=type(error).__name__)
                continue
            for workspace_id, cursor in cursors.items():
                feed = self._feeds.get(workspace_id)
                if feed is not None and feed.pump is None and cursor > feed.position:
                    feed.target = feed.position  # an earlier pump may have failed
                    self.wake(workspace_id, cursor)

    async def resumable(self, feed: _Feed, since: int) -> Resync | None:
        """None when everything after `since` is still there."""
        if feed.after(since) is not None and 0 <= since <= feed.position:
            return None
        async with self._database.read(feed.identity) as connection:
            newest = (await store.read_cursors(connection, [feed.workspace_id])).get(
                feed.workspace_id, 0
            )
            oldest = await store.read_oldest(connection, feed.workspace_id)
        if since > newest:
            return Resync(newest, "unknown_cursor")
        if since < (newest if oldest is None else oldest - 1):
            return Resync(newest, "retention")
        return None

    async def read(self, feed: _Feed, after: int) -> list[tuple[LiveEvent, Frame]]:
        """One page of events from PostgreSQL."""
        events = await store.read_events(self._database, feed.identity, after, _PAGE)
        return [(event, event.frame()) for event in events]

    async def _open(self, workspace_id: UUID) -> _Feed:
        identity = Identity(workspace_id, Role.VIEWER)
        async with self._database.read(identity) as connection:
            cursors = await store.read_cursors(connection, [workspace_id])
        newest = cursors.get(workspace_id, 0)
        after = max(0, newest - _KEPT_EVENTS)
        events = await store.read_events(self._database, identity, after, _KEPT_EVENTS)
        # What was committed between the two reads is kept, and is the newest that was read.
        feed = _Feed(workspace_id, events[-1].cursor if events else newest)
        feed.keep((event, event.frame()) for event in events)
        return feed

    async def _pump(self, feed: _Feed, handed: list[tuple[LiveEvent, Frame]] | None = None) -> None:
        try:
            if handed:
                await self._fan_out(feed, handed)
            while feed.target > feed.position:
                batch = await self.read(feed, feed.position)
                if not batch:
                    break
                feed.position = batch[-1][0].cursor
                feed.target = max(feed.target, feed.position)
                feed.keep(batch)
                await self._fan_out(feed, batch)
        except (Error, PoolTimeout, OSError) as error:
            _log.warning("live events not read", error=type(error).__name__)
        finally:
            feed.pump = None

    async def _fan_out(self, feed: _Feed, batch: list[tuple[LiveEvent, Frame]]) -> None:
        connections = list(feed.connections)
        event, frame = batch[0]
        for start in range(0, len(connections), _CHUNK):
            if start:
                await asyncio.sleep(0)  # what was written is sent, and others have their turn
            chunk = connections[start : start + _CHUNK]
            if len(batch) == 1:
                wire = frame.wire
                for connection in chunk:
                    connection.deliver_one(event, wire)
            else:
                for connection in chunk:
                    connection.deliver(batch)
        now = datetime.now(UTC)
        for event, _ in batch:
            metrics.live_publish.observe(max(0.0, (now - event.created_at).total_seconds()))


def _covers(starts: dict[UUID | None, int], event: LiveEvent) -> bool:
    """Whether one of these subscriptions, served up to now, has had the event already."""
    if event.framework_id is None:
        return any(start < event.cursor for start in starts.values())
    return any(starts[name] < event.cursor for name in (None, event.framework_id) if name in starts)
