"""The hub: what a client gets, whatever it does and whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import pytest_asyncio

from convex.db import Database, Role
from convex.live import Connection, Frame, Hub
from convex.live.model import LiveEvent
from convex.live.store import read_events
from tests.conftest import Tenant
from tests.convex.live.events import append


def read_frames(wire: bytes) -> list[Any]:
    """The messages in a run of unmasked frames."""
    messages = []
    while wire:
        assert wire[0] == 0x81
        size, head = wire[1], 2
        if size == 126:
            size, head = int.from_bytes(wire[2:4]), 4
        elif size == 127:
            size, head = int.from_bytes(wire[2:10]), 10
        messages.append(orjson.loads(wire[head : head + size]))
        wire = wire[head + size :]
    return messages


class Recorder:
    """A client that remembers; `capacity` bytes may wait, as when it does not read."""

    def __init__(self, *, reads: bool = True) -> None:
        self.messages: list[dict[str, Any]] = []
        self.cut_at: int | None = None
        self.reads = reads
        self.waiting = 0
        self._news = asyncio.Event()

    def write(self, wire: bytes) -> int:
        self.messages += read_frames(wire)
        if not self.reads:
            self.waiting += len(wire)
        self._news.set()
        return self.waiting

    def cut_off(self, cursor: int) -> None:
        self.cut_at = cursor
        self._news.set()

    async def drained(self) -> bool:
        return self.reads

    @property
    def events(self) -> list[dict[str, Any]]:
        return [m for m in self.messages if "data" in m]

    @property
    def cursors(self) -> list[int]:
        return [m["cursor"] for m in self.events]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._news.clear()
                await self._news.wait()


@pytest_asyncio.fixture
async def hub(api: Database) -> AsyncIterator[Hub]:
    made = Hub(api, buffer_bytes=50_000)
    sweep = asyncio.create_task(made.run())
    yield made
    sweep.cancel()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 70000])
def test_frames_of_every_length_can_be_read(size: int) -> None:
    payload = orjson.dumps("x" * size)
    assert read_frames(Frame.of(payload).wire) == ["x" * size]


async def connect(
    hub: Hub, tenant: Tenant, user_id: UUID | None = None, *, reads: bool = True
) -> tuple[Connection, Recorder]:
    recorder = Recorder(reads=reads)
    return await hub.connect(tenant.workspace_id, user_id, recorder), recorder


async def test_a_subscriber_gets_events_as_they_happen(
    hub: Hub, worker: Database, tenant: Tenant
) -> None:
    connection, client = await connect(hub, tenant)
    await connection.subscribe(None, None)
    assert client.messages == [{"type": "subscribed", "framework_id": None, "cursor": 0}]
    cursor = await append(worker, tenant, [7, 8])
    hub.wake(tenant.workspace_id, cursor)
    await client.until(lambda: len(client.events) == 2)
    assert [e["data"] for e in client.events] == [{"n": 7}, {"n": 8}]
    assert client.cursors == [1, 2]
    assert client.events[0]["timestamp"].endswith("Z")
    connection.close()


async def test_what_is_handed_over_is_sent_in_its_turn(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    hub = Hub(api, buffer_bytes=50_000)  # nobody sweeps
    connection, client = await connect(hub, tenant)
    await connection.subscribe(None, None)
    for numbers in ([1], [2, 3], [4], [5]):
        await append(worker, tenant, numbers)
    events = await read_events(api, tenant.identity(Role.VIEWER), 0, 10)
    hub.hand(tenant.workspace_id, events[1:3])  # not their turn: event 1 is not known yet
    assert client.events == []
    hub.hand(tenant.workspace_id, events[:1])
    await client.until(lambda: client.cursors == [1])
    hub.hand(tenant.workspace_id, events[:1])  # once more
    hub.hand(tenant.workspace_id, events[3:4])  # 2 and 3 are missing: they are read
    hub.hand(uuid4(), events)  # nobody is there
    hub.hand(tenant.workspace_id, [])
    hub.wake(tenant.workspace_id, 4)
    await client.until(lambda: client.cursors == [1, 2, 3, 4, 5])
    connection.close()


async def test_without_any_wake_up_the_sweep_finds_events(
    hub: Hub, worker: Database, tenant: Tenant
) -> None:
    connection, client = await connect(hub, tenant)
    await connection.subscribe(None, None)
    await append(worker, tenant, [1])
    await client.until(lambda: client.cursors == [1])
    connection.close()


async def test_a_framework_is_a_filter_and_events_without_one_concern_all(
    hub: Hub, worker: Database, tenant: Tenant
) -> None:
    one, other = uuid4(), uuid4()
    connection, client = await connect(hub, tenant)
    await connection.subscribe(one, None)
    await append(worker, tenant, [1], framework_id=one)
    await append(worker, tenant, [2], framework_id=other)
    hub.wake(tenant.workspace_id, await append(worker, tenant, [3]))
    await client.until(lambda: client.cursors == [1, 3])
    connection.unsubscribe(one)
    await connection.subscribe(other, None)
    hub.wake(tenant.workspace_id, await append(worker, tenant, [4], framework_id=one))
    hub.wake(tenant.workspace_id, await append(worker, tenant, [5], framework_id=other))
    await client.until(lambda: client.cursors == [1, 3, 5])
    connection.close()


async def test_a_notification_reaches_its_recipient_alone(
    hub: Hub, worker: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    mine, me = await connect(hub, tenant, tenant.user_id)
    other, them = await connect(hub, tenant, other_tenant.user_id)
    key, machine = await connect(hub, tenant, None)
    for connection in (mine, other, key):
        await connection.subscribe(None, None)
    await append(worker, tenant, [1], recipient_id=tenant.user_id)
    hub.wake(tenant.workspace_id, await append(worker, tenant, [2]))
    for client in (me, them, machine):
        await client.until(lambda client=client: client.cursors[-1:] == [2])  # type: ignore[misc]
    assert me.cursors == [1, 2]
    assert them.cursors == machine.cursors == [2]
    for connection in (mine, other, key):
        connection.close()


async def test_workspaces_do_not_hear_each_other(
    hub: Hub, worker: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    mine, me = await connect(hub, tenant)
    other, them = await connect(hub, other_tenant)
    await mine.subscribe(None, None)
    await other.subscribe(None, None)
    hub.wake(tenant.workspace_id, await append(worker, tenant, [1]))
    hub.wake(other_tenant.workspace_id, await append(worker, other_tenant, [2]))
    await me.until(lambda: bool(me.events))
    await them.until(lambda: bool(them.events))
    assert [e["data"]["n"] for e in me.events] == [1]
    assert [e["data"]["n"] for e in them.events] == [2]
    mine.close()
    other.close()


async def test_resuming_reaches_back_beyond_what_memory_holds(
    hub: Hub, worker: Database, tenant: Tenant
) -> None:
    await append(worker, tenant, range(1500))
    connection, client = await connect(hub, tenant)
    await connection.subscribe(None, 3)
    await client.until(lambda: client.cursors[-1:] == [1500])
    assert client.cursors == list(range(4, 1501))
    connection.close()


async def test_a_second_subscription_repeats_nothing_and_interrupts_nothing(
    hub: Hub, worker: Database, tenant: Tenant
) -> None:
    one, other = uuid4(), uuid4()
    connection, client = await connect(hub, tenant)
    await connection.subscribe(one, None)
    for number in range(20):
        await append(worker, tenant, [number], framework_id=one if number % 2 else other)
    hub.wake(tenant.workspace_id, 20)
    await client.until(lambda: client.cursors[-1:] == [20])
    assert client.cursors == list(range(2, 21, 2))
    await connection.subscribe(None, 0)
    assert sorted(client.cursors) == list(range(1, 21))
    connection.close()


@pytest.mark.parametrize("since", [5, 10_000])
async def test_a_cursor_that_cannot_be_resumed_from_asks_for_a_reload(
    hub: Hub, worker: Database, tenant: Tenant, since: int
) -> None:
    await append(worker, tenant, range(600))
    async with worker.transaction(tenant.flow) as db:
        await db.execute(
            "DELETE FROM convex.live_events WHERE workspace_id = %s AND cursor < 10",
            (tenant.workspace_id,),
        )
    connection, client = await connect(hub, tenant)
    await connection.subscribe(None, since)
    assert [m["type"] for m in client.messages] == ["resync", "subscribed"]
    assert [m["cursor"] for m in client.messages] == [600, 600]
    hub.wake(tenant.workspace_id, await append(worker, tenant, [1]))
    await client.until(lambda: client.cursors == [601])
    connection.close()


async def test_a_client_that_does_not_read_is_cut_off_with_its_cursor(
    hub: Hub, worker: Database, tenant: Tenant
) -> None:
    connection, client = await connect(hub, tenant, reads=False)
    steady, reader = await connect(hub, tenant)
    await connection.subscribe(None, None)
    await steady.subscribe(None, None)
    for _ in range(5):
        hub.wake(tenant.workspace_id, await append(worker, tenant, range(300)))
    await reader.until(lambda: reader.cursors[-1:] == [1500])
    assert client.cut_at == client.cursors[-1]
    assert client.waiting < 50_000 + 300 * 200
    assert connection.closed
    assert reader.cut_at is None
    steady.close()


async def test_clients_that_come_and_go_miss_nothing_and_get_nothing_twice(
    hub: Hub, api: Database, worker: Database, tenant: Tenant
) -> None:
    frameworks = [uuid4() for _ in range(3)]
    total, written = 300, 0
    chance = random.Random(7)

    async def write() -> None:
        nonlocal written
        while written < total:
            size = min(chance.randint(1, 8), total - written)
            framework = frameworks[written % 3]
            numbers = range(written, written + size)
            cursor = await append(worker, tenant, numbers, framework_id=framework)
            written += size
            if chance.random() < 0.5:  # half of the wake-ups are lost
                hub.wake(tenant.workspace_id, cursor)

    async def come_and_go(wanted: UUID | None) -> list[int]:
        seen: list[int] = []
        last = 0
        while last < total:
            connection, client = await connect(hub, tenant)
            await connection.subscribe(wanted, last)
            try:
                async with asyncio.timeout(chance.random() * 0.1):
                    await client.until(lambda: False)
            except TimeoutError:
                pass
            connection.close()
            seen += client.cursors
            last = max([last, *client.cursors])
            if wanted is not None and written == total:
                # The newest may be of other frameworks: the last look ends when all has passed.
                return seen + await stay(wanted, last)
        return seen

    async def stay(wanted: UUID | None, since: int = 0) -> list[int]:
        connection, client = await connect(hub, tenant)
        await connection.subscribe(wanted, since)
        other, watch = await connect(hub, tenant)
        await other.subscribe(None, 0)
        await watch.until(lambda: watch.cursors[-1:] == [total])
        connection.close()
        other.close()
        assert watch.cursors == list(range(1, total + 1))
        return client.cursors

    *_, everything, everything_too, one, two = await asyncio.gather(
        write(),
        come_and_go(None),
        come_and_go(None),
        come_and_go(frameworks[1]),
        stay(frameworks[2]),
    )
    assert everything == everything_too == list(range(1, total + 1))
    async with api.read(tenant.identity(Role.VIEWER)) as connection:
        rows = await (
            await connection.execute(
                "SELECT framework_id, array_agg(cursor ORDER BY cursor) AS cursors"
                " FROM convex.live_events WHERE workspace_id = %s GROUP BY framework_id",
                (tenant.workspace_id,),
            )
        ).fetchall()
    by_framework = {row["framework_id"]: row["cursors"] for row in rows}
    assert one == by_framework[frameworks[1]]
    assert two == by_framework[frameworks[2]]


def test_an_event_keeps_its_json_as_it_is() -> None:

    at = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
    event = LiveEvent(5, "alert", None, None, '{"a": "ü"}', at)
    assert orjson.loads(event.frame().payload) == {
        "type": "alert",
        "cursor": 5,
        "data": {"a": "ü"},
        "timestamp": "2026-01-31T12:00:00.123Z",
    }
