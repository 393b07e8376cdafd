"""A shift of the alert flow: plan, deliver, record, for as long as it lasts. Knows no Prefect.

Three loops share one event loop. One plans what the queue holds; one tells inboxes what was put
off; one claims what is due elsewhere, sends many at once, and records. All are woken by NOTIFY and
look by themselves every half second. All that matters is in PostgreSQL: a shift may die between any
two statements, and another goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg_pool import PoolTimeout

from convex.db import SYSTEM, Database
from convex.live import ALERT_FLOW_CHANNEL
from convex.notifications import failover, in_app, outbox, reminders, upkeep
from convex.notifications.deliver import Courier
from convex.notifications.ledger_store import Lease
from convex.notifications.outbox import Attempt, Claim
from convex.notifications.service import Planning, plan_transitions
from convex.notifications.session import lease_session
from convex.notifications.window import Window
from convex.settings import Settings
from convex.telemetry import get_log
from convex.telemetry.metrics import outbox_due, outbox_oldest

_log = get_log(__name__)
_POLL = 0.5
_RECORD_AT_ONCE, _RECORD_AFTER = 50, 0.01  # results, or seconds since the first of them
_LEAST_PLANNED, _MOST_PLANNED = 100, 1_000  # transitions in one plan
_WAIT_FOR_HANDS = 0.05  # seconds at most, between two plans of a burst
_QUICK = 0.5  # seconds of an attempt that went well
_WATCH = 1.0  # seconds between looks at leases, expiry and reminders
_REMIND = 15.0
_WINDOW = 2.0  # seconds of work in one report
_IDLE_WINDOW = 60.0
_PATIENCE = 60.0  # seconds of failing without a break after which a shift gives up
_FAULTS = (psycopg.Error, PoolTimeout, OSError, RuntimeError)

Announce = Callable[[UUID, int], None]
Report = Callable[[Mapping[str, Any]], Awaitable[None]]
Exhausted = Callable[[list[UUID]], Awaitable[None]]


@dataclass(slots=True)
class Totals:
    """What a whole shift did."""

    transitions: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    windows: int = 0


async def _no_report(_: Mapping[str, Any]) -> None:
    return


async def _no_redelivery(_: list[UUID]) -> None:
    return


class Shift:
    """One shift. `run` it once."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        database_url: str,
        courier: Courier,
        *,
        announce: Announce = lambda _workspace, _cursor: None,
        report: Report = _no_report,
        on_exhausted: Exhausted = _no_redelivery,
    ) -> None:
        """`database_url` is for the session that listens and shows that the shift lives."""
        self._settings = settings
        self._database = database
        self._database_url = database_url
        self._courier = courier
        self._announce = announce
        self._report = report
        self._on_exhausted = on_exhausted
        self._lease = uuid4()
        self._to_plan, self._to_tell = asyncio.Event(), asyncio.Event()
        self._to_deliver = asyncio.Event()
        self._alive = asyncio.Event()
        self._stopping = asyncio.Event()
        self._finished: list[Attempt] = []
        self._sending: dict[asyncio.Task[Attempt], float] = {}  # when each was begun
        self._took = float("inf")  # seconds of the last attempt that ended
        self._hand_free = asyncio.Event()
        self._left: Planning | None = None  # the last plan, when it left more to plan
        self._window = Window(_now())
        self._totals = Totals()
        self._unreported: list[UUID] = []
        self._suspects: set[UUID] = set()
        self._due, self._oldest = 0, 0.0
        self._reminded = 0.0
        self._looked = 0.0

    def stop(self) -> None:
        """End the shift soon: what is being sent is finished and recorded, nothing is begun."""
        self._stopping.set()
        for wanted in (self._to_plan, self._to_tell, self._to_deliver):
            wanted.set()

    async def run(self) -> Totals:
        """Work until the shift is over or `stop` is called. Raises what has failed for a minute."""
        length = self._settings.delivery.shift.total_seconds()
        end = asyncio.get_running_loop().call_later(length, self.stop)
        try:
            async with asyncio.TaskGroup() as group:
                listener = group.create_task(self._listen())
                others = [
                    group.create_task(self._insist(self._plan, self._to_plan, _POLL)),
                    group.create_task(self._insist(self._tell, self._to_tell, _POLL)),
                    group.create_task(self._insist(self._watch, asyncio.Event(), _WATCH)),
                    group.create_task(self._reports()),
                ]
                await self._insist(self._deliver, self._to_deliver, _POLL, until_idle=True)
                for other in others:
                    await other
                listener.cancel()
            if not self._window.is_empty:
                await self._report_window()
        finally:
            end.cancel()
            for task in self._sending:
                task.cancel()
        return self._totals

    # -- the three loops ---------------------------------------------------------------------

    async def _plan(self) -> bool:
        """Plan a batch; True when there may be more."""
        limit = await self._planned_at_once()
        now = _now()
        lease = Lease(self._lease, now + self._settings.delivery.lease, self._hands())
        async with self._database.transaction(SYSTEM) as connection:
            planning = await plan_transitions(
                connection,
                now,
                email_works=bool(self._settings.smtp.host),
                limit=limit,
                lease=lease,
            )
        self._left = planning if planning.transitions >= limit else None
        self._send(planning.claims)
        if planning.transitions:
            self._totals.transitions += planning.transitions
            self._window.count_planning(planning)
            for workspace_id, cursor in planning.cursors.items():
                self._announce(workspace_id, cursor)
            if planning.due_now:
                self._to_deliver.set()
        return self._left is not None

    async def _planned_at_once(self) -> int:
        """How many transitions to plan next.

        What is planned into free hands is sent at once and needs no claim, so while there is much
        to send, a plan is as large as there are hands, and waits a moment for them. Not longer, and
        then for all: planning also tells inboxes, which do not wait for slow destinations.
        """
        if self._left is None:
            return max(self._settings.delivery.claim_size, _LEAST_PLANNED)
        if self._left.claims or self._left.due_now:
            if not self._free():
                self._hand_free.clear()
                await _wait(self._hand_free, _WAIT_FOR_HANDS)
            if self._free():
                return max(self._hands(), _LEAST_PLANNED)
        return _MOST_PLANNED

    def _hands(self) -> int:
        """How many may be given to senders by a plan: as many again as may be sent at once, so that
        there is something to send while the next plan is made, as long as sending goes quickly.
        """
        free = self._free()
        ahead = self._settings.delivery.claim_size if free and self._took < _QUICK else 0
        return free + ahead

    async def _deliver(self) -> bool:
        """Record what is finished and begin what is due; True when it should look again at once."""
        recorded, self._finished = self._finished, []
        free, now = self._free(), _now()
        try:
            async with self._database.transaction(SYSTEM) as connection:
                claims = await outbox.record_and_claim(
                    connection,
                    recorded,
                    lease=self._lease,
                    until=now + self._settings.delivery.lease,
                    limit=free,
                    now=now,
                )
                lost = [attempt for attempt in recorded if attempt.outcome == "failed"]
                if lost:
                    await failover.fail_over(
                        connection, lost, now, email_works=bool(self._settings.smtp.host)
                    )
        except BaseException:
            self._finished = recorded + self._finished
            raise
        for attempt in recorded:
            self._window.count_attempt(attempt)
        self._send(claims)
        return len(self._finished) >= _RECORD_AT_ONCE or 0 < free == len(claims)

    async def _tell(self) -> bool:
        """Tell inboxes what is due there; True when there may be more."""
        if self._stopping.is_set():
            return False
        now = _now()
        told, cursors = await in_app.tell_prepared(self._database, now)
        self._told(told, cursors)
        if in_app.is_full(told):
            return True
        time = asyncio.get_running_loop().time()
        if time - self._looked < _POLL:
            return False
        self._looked = time
        async with self._database.transaction(SYSTEM) as connection:
            others, cursors = await in_app.tell_others(connection, now)
        self._told(others, cursors)
        return in_app.is_full(others)

    def _told(self, told: int, cursors: Mapping[UUID, int]) -> None:
        self._window.count_in_app(told)
        for workspace_id, cursor in cursors.items():
            self._announce(workspace_id, cursor)

    def _free(self) -> int:
        """How many more may be sent at once; none without the session that shows that we live."""
        if self._stopping.is_set() or not self._alive.is_set():
            return 0
        return max(self._settings.delivery.claim_size - len(self._sending), 0)

    def _send(self, claims: Sequence[Claim]) -> None:
        begun = _loop_time()
        for claim in claims:
            task = asyncio.create_task(self._courier.deliver(claim))
            self._sending[task] = begun
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[Attempt]) -> None:
        self._took = _loop_time() - self._sending.pop(task, 0.0)
        if not task.cancelled() and task.exception() is None:
            self._finished.append(task.result())
        if self._free():
            self._hand_free.set()
        # Results that come one by one are recorded together; nobody waits for them.
        if len(self._finished) >= _RECORD_AT_ONCE or not self._sending:
            self._to_deliver.set()
        elif len(self._finished) == 1:
            asyncio.get_running_loop().call_later(_RECORD_AFTER, self._to_deliver.set)

    async def _insist(
        self,
        step: Callable[[], Awaitable[bool]],
        wanted: asyncio.Event,
        pause: float,
        *,
        until_idle: bool = False,
    ) -> None:
        """Repeat a step when it is wanted, and every `pause` seconds; outlast short faults."""
        loop = asyncio.get_running_loop()
        failing_since: float | None = None
        while True:
            stopping = self._stopping.is_set()
            if stopping and not (until_idle and (self._sending or self._finished)):
                return
            wanted.clear()
            try:
                again = await step()
                failing_since = None
            except _FAULTS as error:
                again = False
                self._window.faults += 1
                failing_since = failing_since or loop.time()
                _log.warning(
                    "the alert flow is interrupted",
                    step=getattr(step, "__name__", "step"),
                    error=type(error).__name__,
                    detail=str(error)[:300],
                )
                if loop.time() - failing_since > _PATIENCE:
                    raise
                await asyncio.sleep(0.2)
            if not again:
                await _wait(wanted if not stopping or until_idle else self._stopping, pause)

    # -- around them -------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Hold the session that shows that the shift lives, and be woken by NOTIFY."""
        while True:
            try:
                async with lease_session(
                    self._database_url, self._lease, stands=True
                ) as connection:
                    await connection.execute(f"LISTEN {ALERT_FLOW_CHANNEL}")
                    self._alive.set()
                    self._to_deliver.set()
                    self._to_plan.set()
                    async for _ in connection.notifies():
                        self._to_tell.set()
                        self._to_plan.set()
            except (psycopg.Error, OSError) as error:
                _log.warning("the alert flow's session is lost", error=type(error).__name__)
            finally:
                self._alive.clear()
            await asyncio.sleep(0.2)

    async def _watch(self) -> bool:
        """Free what dead shifts hold, end what is stale, plan what is due again, measure."""
        loop, now = asyncio.get_running_loop(), _now()
        async with self._database.transaction(SYSTEM) as connection:
            found = await upkeep.abandoned_leases(connection, now) - {self._lease}
            dead, self._suspects = found & self._suspects, found
            freed = await upkeep.release_abandoned(connection, dead) if dead else 0
            await upkeep.expire(connection, now)
            written = 0
            if loop.time() - self._reminded > _REMIND:
                written = await reminders.plan_reminders(
                    connection, now, email_works=bool(self._settings.smtp.host)
                )
                self._reminded = loop.time()
            status = await upkeep.status(connection, now)
        if freed:
            _log.warning("took over from a dead shift", notifications=freed)
        if freed or written:
            self._to_deliver.set()
        self._due, self._oldest = status.due, status.oldest
        outbox_due.set(status.due)
        outbox_oldest.set(status.oldest)
        return False

    async def _reports(self) -> None:
        """Hand a window over every few seconds, apart from the work that it counts."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while not self._stopping.is_set():
            await _wait(self._stopping, _WINDOW)
            if not self._window.is_empty or loop.time() - last > _IDLE_WINDOW:
                await self._report_window()
                last = loop.time()

    async def _report_window(self) -> None:
        window, self._window = self._window, Window(_now())
        self._totals.windows += 1
        for name, count in window.outcomes.items():
            self._totals.outcomes[name] = self._totals.outcomes.get(name, 0) + count
        described = window.describe(_now(), due=self._due, oldest=self._oldest)
        _log.info("alert flow", **described)
        self._unreported += window.exhausted
        try:
            await self._report(described)
            if self._unreported:
                await self._on_exhausted(self._unreported)
                self._unreported = []
        except Exception:  # telling how it goes must never stop it
            _log.warning("a window was not reported", exc_info=True)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def _now() -> datetime:
    return datetime.now(UTC)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
