"""Detectors behind the ingest path, on a real PostgreSQL: always the scores of a fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
import pytest_asyncio

from convex.anomaly.model import Score
from convex.anomaly.novelty import Novelty
from convex.anomaly.service import SAVE_EVERY, Detectors, SeriesPoints
from convex.db import Connection, Database
from convex.metrics.model import PointBatch
from convex.metrics.partitions import ensure_partitions
from tests.conftest import Tenant
from tests.convex.anomaly.series import Series, feed, noisy


@dataclass
class Site:
    """A workspace with series, into which points are put as the ingest path does."""

    database: Database
    tenant: Tenant
    metric_id: UUID
    framework_id: UUID

    async def series(self, name: str = "a") -> int:
        async with self.database.transaction(self.tenant.flow) as connection:
            row = await (
                await connection.execute(
                    "INSERT INTO convex.series (workspace_id, framework_id, metric_id, labels,"
                    " labels_hash) VALUES (%s, %s, %s, jsonb_build_object('name', %s::text),"
                    " sha256(%s::text::bytea)) RETURNING id",
                    (self.tenant.workspace_id, self.framework_id, self.metric_id, name, name),
                )
            ).fetchone()
        assert row is not None
        return int(row["id"])

    async def store(self, connection: Connection, series_id: int, points: Series) -> None:
        await connection.execute(
            "INSERT INTO convex.points (workspace_id, series_id, timestamp, value)"
            " SELECT %s, %s, to_timestamp(t.us / 1e6), t.value"
            " FROM unnest(%s::bigint[], %s::float8[]) AS t (us, value)",
            (
                self.tenant.workspace_id,
                series_id,
                [instant for instant, _ in points],
                [value for _, value in points],
            ),
        )

    async def push(
        self,
        detectors: Detectors,
        batches: dict[int, Series],
        newest: dict[int, int | None],
    ) -> dict[int, list[Score]]:
        """Store and score a batch in one transaction."""
        async with self.database.transaction(self.tenant.flow) as connection:
            return await self.push_within(connection, detectors, batches, newest)

    async def push_within(
        self,
        connection: Connection,
        detectors: Detectors,
        batches: dict[int, Series],
        newest: dict[int, int | None],
    ) -> dict[int, list[Score]]:
        for series_id, points in batches.items():
            await self.store(connection, series_id, points)
        found = await detectors.score_points(
            connection,
            self.tenant.workspace_id,
            [
                SeriesPoints(
                    series_id,
                    np.array([instant for instant, _ in points], np.int64),
                    np.array([value for _, value in points], np.float64),
                    newest[series_id],
                )
                for series_id, points in batches.items()
            ],
        )
        for series_id, points in batches.items():
            newest[series_id] = points[-1][0]
        return {series_id: scored.scores for series_id, scored in found.items()}


@pytest_asyncio.fixture
async def site(worker: Database, tenant: Tenant) -> Site:
    points = noisy(2)
    batch = PointBatch(
        ["f"] * 2, ["m"] * 2, [{}] * 2, np.array([p[0] for p in points], np.int64), np.ones(2), "t"
    )
    async with worker.transaction(tenant.flow) as connection:
        await ensure_partitions(connection, batch)
        row = await (
            await connection.execute(
                "WITH f AS (INSERT INTO convex.frameworks (workspace_id, slug, name)"
                " VALUES (%s, 'f', 'F') RETURNING id)"
                " INSERT INTO convex.metrics (workspace_id, framework_id, name)"
                " SELECT %s, id, 'm' FROM f RETURNING id, framework_id",
                (tenant.workspace_id, tenant.workspace_id),
            )
        ).fetchone()
    assert row is not None
    return Site(worker, tenant, row["id"], row["framework_id"])


def cut(points: Series, sizes: Sequence[int]) -> list[Series]:
    batches: list[Series] = []
    start = 0
    while start < len(points):
        size = sizes[len(batches) % len(sizes)]
        batches.append(points[start : start + size])
        start += size
    return batches


async def snapshots(site: Site) -> list[dict[str, Any]]:
    async with site.database.read(site.tenant.flow) as connection:
        cursor = await connection.execute("SELECT * FROM convex.detector_snapshots")
        return await cursor.fetchall()


async def test_restarts_and_replicas_at_any_time_change_no_score(site: Site) -> None:
    points = noisy(900)
    points[800] = (points[800][0], 90.0)
    series_id = await site.series()
    expected = feed(Novelty(), points)
    processes = [Detectors(), Detectors()]
    newest: dict[int, int | None] = {series_id: None}
    got: list[Score] = []
    for number, batch in enumerate(cut(points, [300, 7, 1, 1, 40, 1, 150])):
        if number % 5 == 4:
            processes[0] = Detectors()  # a restart
        found = await site.push(processes[number % 2], {series_id: batch}, newest)
        got += found[series_id]
    assert got == expected
    (snapshot,) = await snapshots(site)
    assert Novelty.load(snapshot["state"]).reaches is not None
    assert (snapshot["method"], snapshot["format"]) == (Novelty.method, Novelty.format)


async def test_a_series_scored_aside_scores_the_same_and_leaves_nothing(site: Site) -> None:
    points = noisy(700)
    series_id = await site.series()
    whole = SeriesPoints(
        series_id,
        np.array([instant for instant, _ in points], np.int64),
        np.array([value for _, value in points], np.float64),
        None,
    )
    detectors = Detectors()
    async with site.database.transaction(site.tenant.flow) as connection:
        found = await detectors.score_aside(connection, site.tenant.workspace_id, [whole])
    assert found[series_id].scores == feed(Novelty(), points)
    assert len(detectors) == 0
    assert await snapshots(site) == []


async def test_a_transaction_that_was_rolled_back_leaves_nothing_in_memory(site: Site) -> None:
    points = noisy(400)
    series_id = await site.series()
    expected = feed(Novelty(), points)
    detectors = Detectors()
    newest: dict[int, int | None] = {series_id: None}
    await site.push(detectors, {series_id: points[:300]}, newest)
    phantom = [(points[320][0] - 1, 1e6)]
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with site.database.transaction(site.tenant.flow) as connection:
            before = dict(newest)
            await site.push_within(connection, detectors, {series_id: phantom}, newest)
            newest = before
            await connection.execute("SELECT 1 / 0")
    newest[series_id] = points[299][0]
    found = await site.push(detectors, {series_id: points[300:]}, newest)
    assert found[series_id] == expected[300:]


async def test_many_series_with_a_point_each_score_as_alone(site: Site) -> None:
    histories = {await site.series(f"s{seed}"): noisy(260, seed=seed) for seed in range(5)}
    expected = {key: feed(Novelty(), points) for key, points in histories.items()}
    detectors = Detectors(capacity=3)  # so that some are dropped and built again
    newest: dict[int, int | None] = dict.fromkeys(histories)
    await site.push(detectors, {key: points[:250] for key, points in histories.items()}, newest)
    assert len(detectors) == 3
    for at in range(250, 260):
        found = await site.push(
            detectors, {key: [points[at]] for key, points in histories.items()}, newest
        )
        assert found == {key: [scores[at]] for key, scores in expected.items()}


async def test_snapshots_are_saved_now_and_then_and_never_go_back(site: Site) -> None:
    points = noisy(SAVE_EVERY + 60)
    series_id = await site.series()
    detectors, newest = Detectors(), {series_id: None}
    known: dict[int, int | None] = dict(newest)
    await site.push(detectors, {series_id: points[: SAVE_EVERY - 1]}, known)
    assert await snapshots(site) == []
    await site.push(detectors, {series_id: points[SAVE_EVERY - 1 : SAVE_EVERY + 10]}, known)
    (first,) = await snapshots(site)
    await site.push(detectors, {series_id: points[SAVE_EVERY + 10 :]}, known)
    assert await snapshots(site) == [first]


async def test_a_snapshot_of_an_unknown_format_is_replaced_by_the_points(site: Site) -> None:
    points = noisy(SAVE_EVERY + 30)
    series_id = await site.series()
    known: dict[int, int | None] = {series_id: None}
    await site.push(Detectors(), {series_id: points[: SAVE_EVERY + 10]}, known)
    async with site.database.transaction(site.tenant.flow) as connection:
        await connection.execute(
            "UPDATE convex.detector_snapshots SET format = 999, state = 'x' WHERE series_id = %s",
            (series_id,),
        )
    found = await site.push(Detectors(), {series_id: points[SAVE_EVERY + 10 :]}, known)
    assert found[series_id] == feed(Novelty(), points)[SAVE_EVERY + 10 :]


async def test_a_counter_is_scored_by_its_rate_in_the_workspaces_zone(site: Site) -> None:
    async with site.database.transaction(site.tenant.flow) as connection:
        await connection.execute("UPDATE convex.metrics SET is_counter = true")
    total = 0.0
    points: Series = []
    for instant, value in noisy(600):
        total = (0.0 if len(points) == 300 else total) + abs(value)
        points.append((instant, total))
    series_id = await site.series()
    found = await site.push(Detectors(), {series_id: points}, {series_id: None})
    assert found[series_id] == feed(Novelty(counter=True), points)
    assert max(score.score for score in found[series_id][290:310]) < 0.2
