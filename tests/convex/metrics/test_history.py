"""Metrics as people define them, series as lists, points in steps: on real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from convex.db import Database, Role
from convex.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from convex.frameworks import create_framework
from convex.metrics.definitions import (
    create_metric,
    delete_metric,
    get_metric,
    list_metrics,
    update_metric,
)
from convex.metrics.history import choose_step, list_series, read_steps
from tests.conftest import Tenant

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def _framework(api: Database, tenant: Tenant) -> UUID:
    async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
        made = await create_framework(connection, tenant.workspace_id, slug="f", name="F")
    return made.id


async def test_a_metric_is_defined_changed_and_removed(api: Database, tenant: Tenant) -> None:
    framework_id = await _framework(api, tenant)
    async with api.transaction(tenant.identity(Role.OWNER)) as connection:
        made = await create_metric(
            connection, tenant.workspace_id, framework_id, "rate", unit="%", target=0.9, limit=0.5
        )
        with pytest.raises(Conflict, match="'rate'"):
            await create_metric(connection, tenant.workspace_id, framework_id, "rate")
        changed = await update_metric(connection, made.id, {"target": None}, expected_version=1)
        assert (changed.target, changed.limit, changed.version) == (None, 0.5, 2)
        with pytest.raises(PreconditionFailed):
            await update_metric(connection, made.id, {"unit": ""}, expected_version=1)
        with pytest.raises(InvalidInput, match="equal"):
            await update_metric(connection, made.id, {"target": 0.5})
        page = await list_metrics(connection, tenant.workspace_id, framework_id=framework_id)
        assert [m.id for m in page.items] == [made.id]
        await delete_metric(connection, made.id)
        with pytest.raises(NotFound):
            await get_metric(connection, made.id)


async def test_a_metric_needs_a_framework_of_the_workspace(
    api: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = await _framework(api, other_tenant)
    for framework_id in (theirs, uuid4()):
        async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
            with pytest.raises(NotFound):
                await create_metric(connection, tenant.workspace_id, framework_id, "m")


async def _series(api: Database, tenant: Tenant, points: int) -> int:
    framework_id = await _framework(api, tenant)
    async with api.transaction(tenant.identity()) as connection:
        metric = await create_metric(connection, tenant.workspace_id, framework_id, "m")
        await connection.execute(
            "SELECT convex.ensure_point_partitions(%s, %s)", (START, START + HOUR * points)
        )
        rows = await connection.execute(
            "INSERT INTO convex.series (workspace_id, framework_id, metric_id, labels_hash)"
            " VALUES (%s, %s, %s, '\\x00') RETURNING id",
            (tenant.workspace_id, framework_id, metric.id),
        )
        row = await rows.fetchone()
        assert row is not None
        await connection.execute(
            "INSERT INTO convex.points SELECT %s, %s, %s + make_interval(hours => g), g"
            " FROM generate_series(0, %s - 1) AS g",
            (tenant.workspace_id, row["id"], START, points),
        )
        page = await list_series(connection, tenant.workspace_id, framework_id=framework_id)
        assert [(s.id, s.metric, s.framework) for s in page.items] == [(row["id"], "m", "f")]
    return int(row["id"])


async def test_points_come_in_steps(api: Database, tenant: Tenant) -> None:
    series_id = await _series(api, tenant, 48)
    async with api.read(tenant.identity(Role.VIEWER)) as connection:
        raw = await read_steps(connection, series_id, START, START + HOUR * 48, 0)
        days = await read_steps(connection, series_id, START, START + HOUR * 48, 86_400)
    assert [p.value for p in raw] == list(range(48))
    assert [(d.timestamp, d.value, d.min, d.max, d.count) for d in days] == [
        (START, 11.5, 0, 23, 24),
        (START + HOUR * 24, 35.5, 24, 47, 24),
    ]


async def test_an_answer_is_bounded(api: Database, tenant: Tenant) -> None:
    series_id = await _series(api, tenant, 5001)
    async with api.read(tenant.identity(Role.VIEWER)) as connection:
        for start, end, step in [
            (START, START + HOUR * 5001, 0),
            (START, START + HOUR * 5001, 60),
            (START, START, 60),
        ]:
            with pytest.raises(InvalidInput):
                await read_steps(connection, series_id, start, end, step)


async def test_another_workspace_reads_no_points(
    api: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    series_id = await _series(api, tenant, 3)
    async with api.read(other_tenant.identity()) as connection:
        with pytest.raises(NotFound):
            await read_steps(connection, series_id, START, START + HOUR, 0)


@pytest.mark.parametrize(
    ("span", "step"),
    [(HOUR, 10), (HOUR * 24, 300), (HOUR * 24 * 7, 900), (HOUR * 24 * 365, 43_200)],
)
def test_a_step_is_chosen_for_a_chart(span: timedelta, step: int) -> None:
    assert choose_step(START, START + span) == step
