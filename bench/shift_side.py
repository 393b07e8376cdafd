"""A shift of the alert flow in this process, and what is committed for it: for bench.outbox and
bench.webhook.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from convex.db import SYSTEM, Database
from convex.db.roles import role_url
from convex.live import ALERT_FLOW_CHANNEL
from convex.notifications.channels.registry import open_senders
from convex.notifications.channels.webhook import new_key
from convex.notifications.deliver import Courier
from convex.notifications.in_app import words_for
from convex.notifications.model import Kind
from convex.notifications.service import plan_transitions
from convex.notifications.shift import Shift
from convex.secrets import encrypt
from convex.settings import Settings

_FIRE = """
WITH fired AS (
    INSERT INTO convex.alert_triggers (
        workspace_id, rule_id, framework_id, metric_id, fingerprint, rule_name, metric_name, type,
        severity, value, threshold, reason, opened_at, last_seen_at
    )
    SELECT r.workspace_id, r.id, r.framework_id, r.metric_id, gen_random_uuid()::text, r.name,
        'cancel_rate', r.type, r.severity, 0.5, 0.2, 'cancel_rate is 0.5, above 0.2.', now(), now()
    FROM convex.alert_rules AS r, generate_series(1, %(count)s) WHERE r.workspace_id = %(workspace)s
    RETURNING id, workspace_id
), opened AS (
    INSERT INTO convex.trigger_transitions (workspace_id, trigger_id, kind, to_state, reason, at)
    SELECT workspace_id, id, 'opened', 'firing', 'condition_met', now() FROM fired
    RETURNING id, workspace_id
)
INSERT INTO convex.planning_queue (transition_id, workspace_id) SELECT id, workspace_id FROM opened
"""
# Copies of one planned notification, each due in the inbox now.
_DUE = """
INSERT INTO convex.alert_notifications (
    workspace_id, trigger_id, transition_id, kind, recipient_id, channel_kind, state, reason,
    explanation, severity, idempotency_key, payload, due_at
)
SELECT n.workspace_id, n.trigger_id, n.transition_id, n.kind, n.recipient_id, n.channel_kind, 'due',
    'deferred_quiet_hours', n.explanation, n.severity, gen_random_uuid()::text, %(payload)s, now()
FROM convex.alert_notifications AS n, generate_series(1, %(count)s) WHERE n.id = %(id)s
"""
_PLANT = """
WITH made AS (SELECT convex.create_user(%(name)s || '@example.com', 'Bench', NULL) AS user_id),
space AS (
    SELECT user_id, convex.create_workspace(%(name)s, 'Bench', user_id) AS id FROM made
)
SELECT id FROM space
"""
_RULE = """
WITH f AS (
    INSERT INTO convex.frameworks (workspace_id, slug, name)
    VALUES (%(workspace)s, 'ewr', 'Newark') RETURNING id
), m AS (
    INSERT INTO convex.metrics (workspace_id, framework_id, name)
    SELECT %(workspace)s, f.id, 'cancel_rate' FROM f RETURNING id
), p AS (
    INSERT INTO convex.notification_preferences (workspace_id, channels, group_by)
    VALUES (%(workspace)s, %(wanted)s, 'none')
)
INSERT INTO convex.alert_rules (
    workspace_id, framework_id, metric_id, name, type, condition, threshold_value, severity
)
SELECT %(workspace)s, f.id, m.id, 'Many cancellations', 'threshold', 'above', 0.2, 'critical'
FROM f, m
"""


Commit = Callable[[UUID, int], Awaitable[None]]
WARM = 20  # paced ones that are not measured: statements are prepared, pools are full


class Side:
    """One workspace and a shift that works for it."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.told: dict[UUID, asyncio.Event] = defaultdict(asyncio.Event)
        self.planned: dict[UUID, tuple[UUID, dict[str, Any]]] = {}

    async def plant(self, wanted: list[str], url: str | None = None) -> UUID:
        """A workspace whose member uses these channels, with a webhook to `url`."""
        name = f"bench-{uuid4().hex[:8]}"
        async with self.database.transaction(SYSTEM) as connection:
            row = await (await connection.execute(_PLANT, {"name": name})).fetchone()
            assert row is not None
            parameters = {"workspace": row["id"], "wanted": wanted}
            await connection.execute(_RULE, parameters)
            if url is not None:
                secret = json.dumps({"secrets": [new_key()]})
                await connection.execute(
                    "INSERT INTO convex.channels (workspace_id, name, kind, config, secret)"
                    " VALUES (%s, 'pager', 'webhook', %s, %s)",
                    (
                        row["id"],
                        json.dumps({"url": url}),
                        encrypt(secret, self.settings.secrets.encryption_key),
                    ),
                )
        return UUID(str(row["id"]))

    async def fire(self, workspace: UUID, count: int) -> None:
        """Commit that many firings."""
        async with self.database.transaction(SYSTEM) as connection:
            await connection.execute(_FIRE, {"workspace": workspace, "count": count})

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """A shift, in this process."""
        url = role_url(self.settings, "convex_worker")
        async with open_senders(self.settings) as senders:
            shift = Shift(
                self.settings,
                self.database,
                url,
                Courier(self.settings, self.settings.secrets, senders),
                announce=lambda workspace, _cursor: self.told[workspace].set(),
            )
            running = asyncio.create_task(shift.run())
            try:
                yield
            finally:
                shift.stop()
                await running

    async def put_off(self, workspace: UUID, count: int) -> None:
        """Commit that many notifications that are due in the inbox now."""
        async with self.database.transaction(SYSTEM) as connection:
            if workspace not in self.planned:
                await connection.execute(_FIRE, {"workspace": workspace, "count": 1})
                await plan_transitions(connection, datetime.now(UTC), email_works=False)
                rows = await connection.execute(
                    "SELECT id, kind, severity, payload FROM convex.alert_notifications"
                    " WHERE workspace_id = %s AND channel_kind = 'in_app'",
                    (workspace,),
                )
                row = await rows.fetchone()
                assert row is not None
                said = words_for(Kind(row["kind"]), row["severity"], row["payload"])
                self.planned[workspace] = row["id"], {**row["payload"], "said": said}
            notification_id, payload = self.planned[workspace]
            await connection.execute(
                _DUE, {"id": notification_id, "payload": Jsonb(payload), "count": count}
            )

    async def count(self, workspace: UUID, kind: str) -> int:
        """How many were delivered by this kind of channel."""
        async with self.database.read(SYSTEM) as connection:
            row = await (
                await connection.execute(
                    "SELECT count(*) AS n FROM convex.alert_notifications"
                    " WHERE workspace_id = %s AND channel_kind = %s AND state = 'delivered'",
                    (workspace, kind),
                )
            ).fetchone()
        assert row is not None
        return int(row["n"])

    async def rate(self, workspace: UUID, kind: str, commit: Commit, jobs: int) -> float:
        """Jobs a second, from their commit until all are delivered and recorded."""
        wanted = await self.count(workspace, kind) + WARM
        url = role_url(self.settings, "convex_worker")
        async with (
            self.at_work(),
            await psycopg.AsyncConnection.connect(url, autocommit=True) as waker,
        ):
            await commit(workspace, WARM)
            await self.reached(workspace, kind, wanted)
            await commit(workspace, jobs)
            start = time.perf_counter()
            await waker.execute(f"NOTIFY {ALERT_FLOW_CHANNEL}")
            await self.reached(workspace, kind, wanted + jobs)
            return jobs / (time.perf_counter() - start)

    async def reached(self, workspace: UUID, kind: str, wanted: int) -> None:
        """Wait until so many are delivered. They are counted when nothing waits any more: counting
        all the while would take the server's time from those that are measured.
        """
        for _ in range(15_000):
            if not await self._waits() and await self.count(workspace, kind) >= wanted:
                return
            await asyncio.sleep(0.02)
        raise RuntimeError(f"{wanted} were not delivered within five minutes")

    async def _waits(self) -> bool:
        async with self.database.read(SYSTEM) as connection:
            row = await (
                await connection.execute(
                    "SELECT EXISTS (SELECT 1 FROM convex.planning_queue) OR EXISTS ("
                    "SELECT 1 FROM convex.alert_notifications WHERE state = 'due') AS waits"
                )
            ).fetchone()
        assert row is not None
        return bool(row["waits"])

    async def latency(
        self, workspace: UUID, commit: Commit, paced: int, arrived: asyncio.Event | None = None
    ) -> float:
        """p95 in ms from the commit of one until it is told, at up to 100 a second."""
        waits: list[float] = []
        event = arrived or self.told[workspace]
        url = role_url(self.settings, "convex_worker")
        async with (
            self.at_work(),
            await psycopg.AsyncConnection.connect(url, autocommit=True) as waker,
        ):
            await asyncio.sleep(1)
            for _ in range(WARM + paced):
                event.clear()
                await commit(workspace, 1)
                committed = time.perf_counter()
                await waker.execute(f"NOTIFY {ALERT_FLOW_CHANNEL}")
                await asyncio.wait_for(event.wait(), 10)
                waits.append(time.perf_counter() - committed)
                await asyncio.sleep(max(0.0, 0.01 - waits[-1]))
        return sorted(waits[WARM:])[int(paced * 0.95)] * 1000


def folder() -> Path:
    """A temporary folder that the server's user may pass through."""
    home = Path(tempfile.mkdtemp(prefix="convex-bench-"))
    home.chmod(0o755)
    return home
