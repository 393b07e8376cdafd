"""Points become hours and days when their time is over, and a workspace takes nothing older."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from convex.alerts.ingest import IngestResult, ingest_points
from convex.db import SYSTEM, Database, Role
from convex.frameworks import create_framework
from convex.metrics.history import read_steps
from convex.metrics.model import PointBatch, to_microseconds
from convex.metrics.partitions import ensure_partitions
from convex.metrics.policy import IngestionPolicy, save_policy
from convex.metrics.retention import Resolution, expire, list_ended
from tests.conftest import Tenant, make_tenant

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


async def push(worker: Database, tenant: Tenant, start: datetime, count: int) -> IngestResult:
    """A value each ten minutes from `start` on: 0, 1, 2, …"""
    batch = PointBatch(
        ["shop"] * count,
        ["load"] * count,
        [{}] * count,
        to_microseconds(start) + np.arange(count, dtype=np.int64) * 600_000_000,
        np.arange(count, dtype=np.float64),
        "test",
    )
    async with worker.transaction(SYSTEM) as connection:
        await ensure_partitions(connection, batch, now=NOW)
    async with worker.transaction(tenant.flow) as connection:
        return await ingest_points(connection, tenant.workspace_id, batch, now=NOW)


async def keep(
    api: Database,
    tenant: Tenant,
    raw_days: int,
    hourly_days: int | None = None,
    daily_days: int | None = None,
) -> None:
    policy = IngestionPolicy(raw_days=raw_days, hourly_days=hourly_days, daily_days=daily_days)
    async with api.transaction(tenant.identity(Role.OWNER)) as connection:
        await save_policy(connection, tenant.workspace_id, policy)


async def clean(worker: Database, resolution: Resolution, now: datetime = NOW) -> list[str]:
    async with worker.read(SYSTEM) as connection:
        ended = await list_ended(connection, resolution, now)
    gone = []
    for name in ended:
        async with worker.transaction(SYSTEM) as connection:
            if await expire(connection, resolution, name, now):
                gone.append(name)
    return gone


async def prepared(worker: Database) -> tuple[Tenant, int]:
    tenant = await make_tenant(worker)
    async with worker.transaction(tenant.flow) as connection:
        await create_framework(connection, tenant.workspace_id, slug="shop", name="Shop")
    await push(worker, tenant, MARCH, 300)
    async with worker.read(tenant.flow) as connection:
        rows = await connection.execute(
            "SELECT id FROM convex.series WHERE workspace_id = %s", (tenant.workspace_id,)
        )
        row = await rows.fetchone()
    assert row is not None
    return tenant, row["id"]


async def test_a_month_goes_when_nobody_keeps_it_and_its_hours_and_days_stay(
    fresh_worker: Database, fresh_api: Database
) -> None:
    tenant, series = await prepared(fresh_worker)
    other, other_series = await prepared(fresh_worker)
    end = MARCH + timedelta(days=3)

    async def steps(step: int) -> list[tuple[datetime, float, float, float, int]]:
        async with fresh_api.read(tenant.identity(Role.VIEWER)) as connection:
            found = await read_steps(connection, series, MARCH, end, step)
        return [(one.timestamp, one.value, one.min, one.max, one.count) for one in found]

    by_hour, by_day = await steps(3600), await steps(86_400)
    assert len(by_hour) == 50
    await keep(fresh_api, tenant, raw_days=30, hourly_days=400)
    assert await clean(fresh_worker, Resolution.RAW) == []  # the other keeps its points for ever
    assert len(await steps(0)) == 300
    await keep(fresh_api, other, raw_days=90)
    assert await clean(fresh_worker, Resolution.RAW) == []  # April is not 90 days ago
    await keep(fresh_api, other, raw_days=60)
    assert await clean(fresh_worker, Resolution.RAW) == ["points_2026_03"]
    assert await steps(3600) == by_hour
    assert await steps(86_400) == by_day
    assert len(await steps(0)) == 50
    assert await clean(fresh_worker, Resolution.RAW) == []
    later = NOW + timedelta(days=900)
    assert await clean(fresh_worker, Resolution.HOURLY, later) == []
    await keep(fresh_api, other, raw_days=60, hourly_days=100, daily_days=5000)
    assert await clean(fresh_worker, Resolution.HOURLY, later) == ["hourly_points_2026"]
    assert await steps(86_400) == by_day
    assert [one[4] for one in await steps(3600)] == [144, 144, 12]
    assert await clean(fresh_worker, Resolution.DAILY, later) == []
    async with fresh_api.read(other.identity(Role.VIEWER)) as connection:
        kept = await read_steps(connection, other_series, MARCH, end, 86_400)
    assert [one.count for one in kept] == [144, 144, 12]


async def test_points_older_than_what_is_kept_are_rejected(
    fresh_worker: Database, fresh_api: Database
) -> None:
    tenant, _ = await prepared(fresh_worker)
    await keep(fresh_api, tenant, raw_days=30)
    old = await push(fresh_worker, tenant, MARCH, 3)
    assert (old.accepted, old.unchanged, old.refused) == (0, 0, {"too_old": 3})
    assert old.why_refused == {"too_old": "the workspace keeps points for 30 days"}
    assert (await push(fresh_worker, tenant, NOW - timedelta(days=2), 3)).accepted == 3
