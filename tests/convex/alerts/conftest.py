"""A workspace with one framework, one metric and what pushes points into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest_asyncio

from convex.alerts import rule_service
from convex.alerts.ingest import IngestResult, ingest_points
from convex.alerts.model import Rule, RuleDraft
from convex.db import Connection, Database, Role
from convex.metrics.model import MINUTE, Labels, PointBatch, to_microseconds
from convex.metrics.partitions import ensure_partitions
from tests.conftest import Tenant

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
START = to_microseconds(NOW - timedelta(hours=2))


def at(minute: float) -> int:
    """The instant of that minute of the two hours before NOW."""
    return START + int(minute * MINUTE)


@dataclass
class Bench:
    """A workspace at work."""

    database: Database
    tenant: Tenant
    framework_id: UUID
    metric_id: UUID
    now: datetime = NOW
    results: list[IngestResult] = field(default_factory=list)

    async def rule(self, **changes: Any) -> Rule:
        """A rule on `delay`: above 10, everything else as it is when nothing is said."""
        fields: dict[str, Any] = {
            "name": f"rule {len(self.results)} {changes}"[:190],
            "framework_id": self.framework_id,
            "metric_id": self.metric_id,
            "threshold_value": 10.0,
        }
        async with self.database.transaction(self.tenant.identity()) as connection:
            saved = await rule_service.create_rule(
                connection, self.tenant.identity(), RuleDraft(**(fields | changes)), now=self.now
            )
        return saved.rule

    async def push(
        self,
        points: Sequence[tuple[float, float]],
        labels: Labels | None = None,
        *,
        history: bool | None = None,
        metric: str = "delay",
    ) -> IngestResult:
        """Push (minute, value) pairs of one series."""
        return await self.push_batch(
            batch_of([(minute, value, labels or {}) for minute, value in points], metric, history)
        )

    async def push_batch(self, batch: PointBatch) -> IngestResult:
        """Push a batch as an agent with the scope ingest would."""
        identity = self.tenant.identity(Role.INGEST)
        async with self.database.transaction(identity) as connection:
            await ensure_partitions(connection, batch, now=self.now)
        async with self.database.transaction(identity) as connection:
            result = await ingest_points(connection, self.tenant.workspace_id, batch, now=self.now)
        self.results.append(result)
        return result

    async def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """What the owner sees."""
        async with self.database.read(self.tenant.identity()) as connection:
            return await (await connection.execute(query, parameters)).fetchall()

    async def triggers(self) -> list[dict[str, Any]]:
        """All triggers, oldest first."""
        return await self.rows(
            "SELECT * FROM convex.alert_triggers ORDER BY opened_at, labels::text, id"
        )

    async def transitions(self) -> list[dict[str, Any]]:
        """All transitions in order of time."""
        return await self.rows(
            "SELECT x.*, q.transition_id IS NOT NULL AS planned"
            " FROM convex.trigger_transitions AS x"
            " LEFT JOIN convex.planning_queue AS q ON q.transition_id = x.id ORDER BY x.at, x.id"
        )

    async def states(self) -> list[dict[str, Any]]:
        """Where the rules stand."""
        return await self.rows("SELECT * FROM convex.rule_states ORDER BY rule_id, series_id")


def batch_of(
    points: Sequence[tuple[float, float, Labels]],
    metric: str = "delay",
    history: bool | None = None,
) -> PointBatch:
    """Points of the framework `airport` as a batch."""
    return PointBatch(
        ["airport"] * len(points),
        [metric] * len(points),
        [labels for _, _, labels in points],
        np.array([at(minute) for minute, _, _ in points], np.int64),
        np.array([value for _, value, _ in points], np.float64),
        "test",
        history=history,
    )


async def make_bench(database: Database, tenant: Tenant) -> Bench:
    """A workspace with the framework `airport` and its metric `delay`."""
    async with database.transaction(tenant.identity()) as connection:
        framework_id, metric_id = await make_metric(connection, tenant.workspace_id)
    return Bench(database, tenant, framework_id, metric_id)


async def make_metric(connection: Connection, workspace_id: UUID) -> tuple[UUID, UUID]:
    """The framework and the metric."""
    row = await (
        await connection.execute(
            "INSERT INTO convex.frameworks (workspace_id, slug, name)"
            " VALUES (%s, 'airport', 'Airport') RETURNING id",
            (workspace_id,),
        )
    ).fetchone()
    assert row is not None
    metric = await (
        await connection.execute(
            "INSERT INTO convex.metrics (workspace_id, framework_id, name)"
            " VALUES (%s, %s, 'delay') RETURNING id",
            (workspace_id, row["id"]),
        )
    ).fetchone()
    assert metric is not None
    return row["id"], metric["id"]


@pytest_asyncio.fixture
async def bench(api: Database, tenant: Tenant) -> Bench:
    """The workspace of one test."""
    return await make_bench(api, tenant)
