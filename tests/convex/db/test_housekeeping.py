"""What has had its time goes, what has not stays, and months are there before they are needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from convex.db import SYSTEM, Database, Identity
from convex.db.housekeeping import Expiring, delete_expired, make_partitions
from tests.conftest import Tenant

NOW = datetime.now(UTC)


async def count(database: Database, identity: Identity, table: Expiring) -> int:
    async with database.read(identity) as connection:
        row = await (
            await connection.execute(f"SELECT count(*) AS n FROM convex.{table}")
        ).fetchone()
    assert row is not None
    return int(row["n"])


async def fill(database: Database, tenant: Tenant, table: Expiring, ages: list[timedelta]) -> None:
    """Rows whose time ended (or, before now, will end) that long ago."""
    statements = {
        Expiring.LIVE_EVENTS: (
            "INSERT INTO convex.live_events (workspace_id, cursor, type, data, created_at)"
            " VALUES (%(workspace)s, %(n)s, 'alert', '{}', %(at)s)"
        ),
        Expiring.IDEMPOTENCY_KEYS: (
            "INSERT INTO convex.idempotency_keys"
            " (workspace_id, key, route, request_hash, expires_at)"
            " VALUES (%(workspace)s, %(n)s::text, '/points', '\\x00', %(at)s)"
        ),
        Expiring.REFRESH_TOKENS: (
            "INSERT INTO convex.refresh_tokens"
            " (workspace_id, user_id, family_id, token_hash, expires_at) VALUES"
            " (%(workspace)s, %(user)s, gen_random_uuid(), sha256(%(n)s::text::bytea), %(at)s)"
        ),
        Expiring.REJECTED_POINTS: (
            "INSERT INTO convex.rejected_points"
            " (workspace_id, source, reason, detail, point, received_at)"
            " VALUES (%(workspace)s, 'json', 'infinite', '', '{}', %(at)s)"
        ),
        Expiring.QUALITY_RUNS: (
            "INSERT INTO convex.quality_runs (workspace_id, suite, started_at, finished_at, state,"
            " evaluated, passed, failed, results)"
            " VALUES (%(workspace)s, 'points', %(at)s, %(at)s, 'passed', 1, 1, 0, '[]')"
        ),
    }
    async with database.transaction(tenant.flow) as connection:
        for n, age in enumerate(ages, start=1):
            await connection.execute(
                statements[table],
                {
                    "workspace": tenant.workspace_id,
                    "user": tenant.user_id,
                    "n": n + abs(hash(tenant.slug)) % 1_000_000_000,
                    "at": NOW - age,
                },
            )


@pytest.mark.parametrize("table", Expiring)
async def test_only_what_has_had_its_time_goes(
    worker: Database, tenant: Tenant, table: Expiring
) -> None:
    day = timedelta(days=1)
    await fill(worker, tenant, table, [3 * day, 2 * day, -day])
    async with worker.transaction(tenant.flow) as connection:
        assert await delete_expired(connection, table, NOW - day / 2) == 2
        assert await delete_expired(connection, table, NOW - day / 2) == 0
    assert await count(worker, tenant.flow, table) == 1


@pytest.mark.parametrize("table", Expiring)
async def test_it_goes_a_few_at_a_time_and_for_every_workspace(
    fresh_worker: Database, table: Expiring
) -> None:
    from tests.conftest import make_tenant

    for tenant in [await make_tenant(fresh_worker) for _ in range(2)]:
        await fill(fresh_worker, tenant, table, [timedelta(days=2)] * 2)
    gone = []
    for _ in range(3):
        async with fresh_worker.transaction(SYSTEM) as connection:
            gone.append(await delete_expired(connection, table, NOW, limit=3))
    assert gone == [3, 1, 0]


async def test_months_are_made_ahead_once(fresh_worker: Database) -> None:
    later = NOW + timedelta(days=120)
    async with fresh_worker.transaction(SYSTEM) as connection:
        assert await make_partitions(connection, later) >= 2
    async with fresh_worker.transaction(SYSTEM) as connection:
        assert await make_partitions(connection, later) == 0
