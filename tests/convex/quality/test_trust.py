"""What follows from a check: distrusted series, learned ranges, alerts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from convex.alerts.ingest import IngestResult, ingest_points
from convex.db import SYSTEM, Database, Role
from convex.errors import NotFound
from convex.frameworks import create_framework
from convex.metrics.model import PointBatch, to_microseconds
from convex.metrics.partitions import ensure_partitions
from convex.quality import check, trust
from convex.quality.model import SuiteRun, Window
from convex.quality.suites import SERIES
from convex.quality.trust import distrusted_by
from convex.settings import Settings
from tests.conftest import Tenant

NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
pytestmark = [
    pytest.mark.filterwarnings(r"ignore:module 'sre_\w+' is deprecated:DeprecationWarning"),
]


async def push(
    worker: Database, tenant: Tenant, metric: str, values: list[float], *, until: datetime = NOW
) -> IngestResult:
    """A value an hour, the last one at `until`."""
    last = to_microseconds(until)
    count = len(values)
    batch = PointBatch(
        ["shop"] * count,
        [metric] * count,
        [{}] * count,
        last - np.arange(count - 1, -1, -1, dtype=np.int64) * 3_600_000_000,
        np.array(values, np.float64),
        "test",
    )
    async with worker.transaction(SYSTEM) as connection:
        await ensure_partitions(connection, batch)
    async with worker.transaction(tenant.flow) as connection:
        return await ingest_points(
            connection, tenant.workspace_id, batch, now=max(until, datetime.now(UTC))
        )


async def prepare(worker: Database, tenant: Tenant) -> None:
    async with worker.transaction(tenant.flow) as connection:
        await create_framework(connection, tenant.workspace_id, slug="shop", name="Shop")


async def series_run(settings: Settings, tenant: Tenant) -> SuiteRun:
    (run,) = await asyncio.to_thread(
        check.check_workspace, settings, tenant.workspace_id, Window(NOW), [SERIES]
    )
    return run


async def test_a_series_that_fails_is_distrusted_until_it_is_right_again(
    settings: Settings, worker: Database, tenant: Tenant
) -> None:
    await prepare(worker, tenant)
    await push(worker, tenant, "total", [float(n) for n in range(40)])
    await push(worker, tenant, "rate", [0.5] * 40)
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute(
            "UPDATE convex.metrics SET is_counter = true WHERE workspace_id = %s"
            " AND name = 'total'",
            (tenant.workspace_id,),
        )
        await connection.execute(
            "INSERT INTO convex.alert_rules (workspace_id, framework_id, metric_id, name, type,"
            " condition, threshold_value) SELECT %s, framework_id, id, name, 'threshold', 'above',"
            " 100 FROM convex.metrics WHERE workspace_id = %s",
            (tenant.workspace_id, tenant.workspace_id),
        )
    good = await series_run(settings, tenant)
    assert distrusted_by(good.results) == {}
    # A counter that falls a little was not started again: something is wrong with it.
    await push(worker, tenant, "total", [39.0, 30.0], until=NOW + timedelta(minutes=2))
    bad = await series_run(settings, tenant)
    async with worker.transaction(tenant.flow) as connection:
        assert await trust.mark_series(connection, tenant.workspace_id, bad, NOW) == (1, 0)
        assert await trust.mark_series(connection, tenant.workspace_id, bad, NOW) == (0, 0)
        reported = await trust.tell(connection, tenant.workspace_id, [bad], NOW)
        assert len(reported.opened) == 1
        (one,) = await trust.list_distrusted(connection, tenant.workspace_id)
    assert (one["metric"], one["because"]) == (
        "total",
        "Counters only grow, or start again from near nothing.",
    )
    # Far above the threshold, yet not a word: it cannot be believed.
    silent = await push(worker, tenant, "total", [900.0], until=NOW + timedelta(minutes=4))
    assert silent.trigger_ids == []
    assert silent.outcomes == {"evaluation_failed": 1}
    loud = await push(worker, tenant, "rate", [900.0], until=NOW + timedelta(minutes=4))
    assert len(loud.trigger_ids) == 1
    async with worker.read(tenant.flow) as connection:
        states = await (
            await connection.execute(
                "SELECT r.name, s.state FROM convex.rule_states AS s"
                " INNER JOIN convex.alert_rules AS r ON r.id = s.rule_id"
                " WHERE s.workspace_id = %s",
                (tenant.workspace_id,),
            )
        ).fetchall()
    assert {row["name"]: row["state"] for row in states} == {"total": "error", "rate": "firing"}
    async with worker.transaction(tenant.flow) as connection:
        assert await trust.mark_series(connection, tenant.workspace_id, good, NOW) == (0, 1)
        over = await trust.tell(connection, tenant.workspace_id, [good], NOW)
        assert over.resolved == reported.opened
    believed = await push(worker, tenant, "total", [901.0], until=NOW + timedelta(minutes=5))
    assert len(believed.trigger_ids) == 1


async def test_ranges_are_learned_and_overruled(
    settings: Settings, worker: Database, api: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    await prepare(worker, tenant)
    usual = [float(10 + n % 5) for n in range(24 * 14)]
    await push(worker, tenant, "load", usual, until=NOW - timedelta(days=1))
    await push(worker, tenant, "load", [500.0] * 20 + [12.0] * 3)
    async with worker.transaction(tenant.flow) as connection:
        assert await trust.learn_ranges(connection, tenant.workspace_id, NOW) == 1
        (learned,) = await trust.list_ranges(connection, tenant.workspace_id)
    assert (learned.learned_low, learned.learned_high) == (6, 18)
    failed = {r.column: r for r in (await series_run(settings, tenant)).results if not r.succeeded}
    assert "unusual" in failed
    assert "outside_bounds" not in failed
    async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
        said = await trust.set_range(connection, tenant.workspace_id, learned.metric_id, 0, 100)
    assert (said.low, said.high, said.learned_high) == (0, 100, 18)
    failed = {r.column: r for r in (await series_run(settings, tenant)).results if not r.succeeded}
    assert "unusual" not in failed
    assert failed["outside_bounds"].examples == [20]
    async with api.transaction(other_tenant.identity()) as connection:
        with pytest.raises(NotFound):
            await trust.set_range(connection, other_tenant.workspace_id, learned.metric_id, 0, 1)
