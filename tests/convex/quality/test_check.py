"""The suites on a real PostgreSQL, under row level security, and their pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from convex.db import SYSTEM, Database
from convex.quality import check, store
from convex.quality.model import ExpectationResult, State, SuiteRun, Window
from convex.settings import Settings
from tests.conftest import Tenant

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
pytestmark = [
    # Great Expectations' own, at import.
    pytest.mark.filterwarnings(r"ignore:module 'sre_\w+' is deprecated:DeprecationWarning"),
]


@pytest_asyncio.fixture
async def series(worker: Database, tenant: Tenant) -> AsyncIterator[dict[str, int]]:
    """Three series of the tenant, an hour between points: a count, a ratio and one that ended."""
    async with worker.transaction(SYSTEM) as connection:
        await connection.execute(
            "SELECT convex.ensure_point_partitions(%s, %s)", (NOW - timedelta(days=40), NOW)
        )
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute(
            "WITH f AS (INSERT INTO convex.frameworks (workspace_id, slug, name)"
            " VALUES (%(w)s, 'shop', 'Shop') RETURNING id),"
            " m AS (INSERT INTO convex.metrics (workspace_id, framework_id, name, unit)"
            " SELECT %(w)s, f.id, n.name, n.unit FROM f, (VALUES ('orders', 'orders'),"
            " ('share', 'ratio'), ('old', '')) AS n (name, unit) RETURNING *)"
            " INSERT INTO convex.series"
            " (workspace_id, framework_id, metric_id, labels_hash, newest_at, ended_at)"
            " SELECT %(w)s, framework_id, id, '\\x00', %(now)s,"
            " CASE WHEN name = 'old' THEN %(now)s - interval '20 days' END FROM m",
            {"w": tenant.workspace_id, "now": NOW},
        )
        found = await connection.execute(
            "SELECT m.name, s.id FROM convex.series AS s"
            " INNER JOIN convex.metrics AS m ON m.id = s.metric_id WHERE s.workspace_id = %s",
            (tenant.workspace_id,),
        )
        ids = {row["name"]: row["id"] for row in await found.fetchall()}
        await connection.execute(
            "INSERT INTO convex.points (workspace_id, series_id, timestamp, value)"
            " SELECT %s, s, %s - n * interval '1 hour', 0.5"
            " FROM unnest(%s::bigint[]) AS s, generate_series(0, 24 * 14) AS n",
            (tenant.workspace_id, NOW, [ids["orders"], ids["share"]]),
        )
    yield ids


async def run(
    settings: Settings, workspace_id: UUID, window: Window | None = None
) -> dict[str, SuiteRun]:
    runs = await asyncio.to_thread(
        check.check_workspace, settings, workspace_id, window or Window(NOW)
    )
    return {one.suite: one for one in runs}


def wrong(run_: SuiteRun) -> list[ExpectationResult]:
    return [result for result in run_.results if not result.succeeded]


async def test_good_data_passes_every_suite(
    settings: Settings, tenant: Tenant, series: dict[str, int]
) -> None:
    runs = await run(settings, tenant.workspace_id)
    assert set(runs) == {"points", "series", "intake", "triggers"}
    for one in runs.values():
        assert one.state is State.PASSED, wrong(one)
    assert max(result.rows or 0 for result in runs["points"].results) == 2 * (24 * 14 + 1)


async def test_each_fault_is_found_by_its_expectation(
    settings: Settings, tenant: Tenant, series: dict[str, int], worker: Database
) -> None:
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute(
            "INSERT INTO convex.points (workspace_id, series_id, timestamp, value) VALUES"
            " (%(w)s, %(share)s, %(now)s - interval '30 minutes', 1.5),"
            " (%(w)s, %(orders)s, %(now)s + interval '20 minutes', 1),"
            " (%(w)s, -1, %(now)s, 1)",
            {"w": tenant.workspace_id, "now": NOW, **series},
        )
        await connection.execute(
            "UPDATE convex.series SET newest_at = %s WHERE id = %s",
            (NOW - timedelta(hours=5), series["orders"]),
        )
        await connection.execute(
            "INSERT INTO convex.rejected_points"
            " (workspace_id, source, reason, detail, point, received_at)"
            " SELECT %s, 'json', 'not_a_number', 'NaN', '{}', %s FROM generate_series(1, 10)",
            (tenant.workspace_id, NOW),
        )
    runs = await run(settings, tenant.workspace_id)
    assert {one.says for one in wrong(runs["points"])} == {
        "Every point belongs to a known series.",
        "Ratios lie between 0 and 1.",
        "No point is more than ten minutes ahead of the clock.",
    }
    ratio = next(one for one in wrong(runs["points"]) if one.column == "value")
    assert (ratio.unexpected, list(ratio.examples)) == (1, [1.5])
    silent, ahead = wrong(runs["series"])
    assert (silent.column, ahead.column) == ("silence", "ahead")
    assert silent.examples == [5.0]
    assert ahead.series == [series["orders"]]
    (refused,) = wrong(runs["intake"])
    assert refused.column == "rejected_share"
    states = {name: runs[name].state for name in ("points", "series", "intake")}
    assert set(states.values()) == {State.FAILED}


async def test_a_workspace_is_checked_on_its_own_points_alone(
    settings: Settings, tenant: Tenant, other_tenant: Tenant, series: dict[str, int]
) -> None:
    runs = await run(settings, other_tenant.workspace_id)
    assert {one.says for one in wrong(runs["points"])} == {"Something was measured at all."}
    assert all(not result.rows for result in runs["points"].results)


async def test_the_window_leaves_older_points_out(
    settings: Settings, tenant: Tenant, series: dict[str, int]
) -> None:
    runs = await run(settings, tenant.workspace_id, Window(NOW, since=NOW - timedelta(hours=10)))
    assert max(result.rows or 0 for result in runs["points"].results) == 22


async def test_what_cannot_be_evaluated_is_an_error_and_not_a_pass(
    settings: Settings, tenant: Tenant, series: dict[str, int]
) -> None:
    from great_expectations.expectations import ExpectColumnValuesToNotBeNull

    from convex.quality.suites import Suite

    broken = Suite(
        "broken",
        lambda _: "SELECT 1 AS one",
        lambda _: [ExpectColumnValuesToNotBeNull(column="two", severity="critical")],
    )
    (one,) = await asyncio.to_thread(
        check.check_workspace, settings, tenant.workspace_id, Window(NOW), [broken]
    )
    assert one.state is State.ERROR
    assert "two" in one.results[0].error


async def test_results_are_kept_and_listed_to_their_workspace(
    settings: Settings,
    tenant: Tenant,
    other_tenant: Tenant,
    series: dict[str, int],
    worker: Database,
    api: Database,
) -> None:
    runs = await run(settings, tenant.workspace_id)
    async with worker.transaction(tenant.flow) as connection:
        assert not await store.has_run(connection, tenant.workspace_id, "points")
        await store.save_runs(connection, list(runs.values()))
        assert await store.has_run(connection, tenant.workspace_id, "points")
    async with api.read(tenant.identity()) as connection:
        first = await store.list_runs(connection, limit=2)
        rest = await store.list_runs(connection, limit=2, cursor=first.next_cursor)
        points = await store.list_runs(connection, suite="points")
    assert [row["suite"] for row in (*first.items, *rest.items)] == [
        "triggers",
        "intake",
        "series",
        "points",
    ]
    assert rest.next_cursor is None
    (stored,) = points.items
    assert (stored["state"], stored["failed"]) == ("passed", 0)
    assert stored["evaluated"] == len(stored["results"])
    assert {"name", "severity", "says", "rows"} <= stored["results"][0].keys()
    async with api.read(other_tenant.identity()) as connection:
        assert (await store.list_runs(connection)).items == []


async def test_pages_load_nothing_from_elsewhere_and_hold_no_password(
    settings: Settings, tenant: Tenant, series: dict[str, int]
) -> None:
    from convex.quality.report import LOADED

    runs = await run(settings, tenant.workspace_id)
    folder = check.docs_folder(settings)
    site = folder / str(tenant.workspace_id)
    pages = [*site.rglob("*.html"), *site.rglob("static/**/*.css")]
    assert len(pages) >= 8
    for page in pages:
        text = page.read_text()
        assert not LOADED.findall(text), page
        assert settings.secrets.worker_password not in text
        assert "convex_worker" not in text
    for one in runs.values():
        assert one.report_path is not None
        assert (folder / one.report_path).exists()
        assert (
            '="../../../../assets/css/bootstrap.min.css"' in (folder / one.report_path).read_text()
        )
    assert (site / "assets" / "css" / "bootstrap.min.css").exists()


async def test_old_pages_go(settings: Settings) -> None:
    kept = settings.home / "quality" / str(uuid4())
    for number in range(30):
        (kept / "validations" / "points" / f"2026-01-{number:02}").mkdir(parents=True)
    check._forget_old(kept)
    left = sorted(path.name for path in (kept / "validations" / "points").iterdir())
    assert left == [f"2026-01-{number:02}" for number in range(6, 30)]
