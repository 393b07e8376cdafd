"""Marts on a real PostgreSQL: formulas, increments, who may read what."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from bench.trigger_history import write_trigger_history
from convex.analytics import build
from convex.db import SYSTEM, Database, Role
from convex.db.roles import role_url
from convex.errors import InvalidInput
from convex.settings import Settings
from tests.conftest import Tenant, make_tenant
from tests.convex.analytics.history import NOW, write_history

MARTS = (
    *("alert_analytics", "fct_alert_triggers", "fct_notifications", "fct_predictions"),
    *("dim_alert_rules", "dim_frameworks", "dim_members", "metric_hourly"),
)
# These read the database alone and change nothing between builds of one run.
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")


@pytest_asyncio.fixture
async def history(fresh_worker: Database) -> Tenant:
    """A tenant with a past of its own, in this test's own database."""
    return await write_history(fresh_worker)


@pytest.fixture
def settings(fresh_settings: Settings) -> Settings:
    return fresh_settings


async def build_all(settings: Settings, **options: Any) -> build.BuildResult:
    result = await asyncio.to_thread(build.build_marts, settings, **options)
    assert result.succeeded, result.messages
    return result


def rows(settings: Settings, mart: str) -> list[str]:
    """Everything in a mart but when it was written, in an order of its own."""
    with psycopg.connect(role_url(settings, "convex_dbt")) as connection:
        found = connection.execute(
            sql.SQL("SELECT (to_jsonb(m) - 'refreshed_at')::text FROM analytics.{} AS m").format(
                sql.Identifier(mart)
            )
        )
        return sorted(text for (text,) in found.fetchall())


@pytest.mark.asyncio
async def test_unit_tests_of_the_formulas_hold(settings: Settings, history: Tenant) -> None:
    await build_all(settings)
    result = await asyncio.to_thread(
        build.run_dbt, settings, ["test", "--select", "test_type:unit"]
    )
    assert result.succeeded, result.messages
    assert len(result.nodes) >= 12


@pytest.mark.asyncio
async def test_an_increment_gives_what_a_full_refresh_gives(
    settings: Settings, history: Tenant, fresh_worker: Database
) -> None:
    await build_all(settings)
    before = {mart: rows(settings, mart) for mart in MARTS}
    assert all(before.values())
    async with fresh_worker.transaction(history.flow) as connection:
        # A trigger of long ago is resolved, another acknowledged, marked and found flapping late.
        await connection.execute(
            "UPDATE convex.alert_triggers SET state = 'resolved', resolution = 'by_hand',"
            " resolved_at = %s, updated_at = %s WHERE id = (SELECT id FROM convex.alert_triggers"
            " WHERE state = 'firing' ORDER BY opened_at LIMIT 1)",
            (NOW, NOW + timedelta(hours=1)),
        )
        await connection.execute(
            "WITH late AS (UPDATE convex.alert_triggers SET state = 'acknowledged',"
            " acknowledged_at = %(now)s, feedback = 'actionable', feedback_at = %(now)s,"
            " updated_at = %(now)s WHERE id = (SELECT id FROM convex.alert_triggers"
            " WHERE state = 'firing' ORDER BY opened_at LIMIT 1) RETURNING workspace_id, id)"
            " INSERT INTO convex.trigger_transitions"
            " (workspace_id, trigger_id, kind, to_state, reason, at)"
            " SELECT workspace_id, id, 'flapping', 'acknowledged', 'late', %(now)s FROM late",
            {"now": NOW + timedelta(hours=2)},
        )
        # A notification of an untouched trigger is delivered late; a member moves to another zone.
        await connection.execute(
            "UPDATE convex.alert_notifications SET state = 'delivered', delivered_at = %(now)s,"
            " updated_at = %(now)s WHERE id = (SELECT id FROM convex.alert_notifications"
            " WHERE state = 'withheld' ORDER BY created_at LIMIT 1)",
            {"now": NOW + timedelta(hours=3)},
        )
        await connection.execute(
            "INSERT INTO convex.notification_preferences (workspace_id, user_id, timezone)"
            " VALUES (%s, %s, 'Asia/Tokyo')",
            (history.workspace_id, history.user_id),
        )
        # A point comes late, one is corrected, a prediction's window is over.
        await connection.execute(
            "INSERT INTO convex.points (workspace_id, series_id, timestamp, value)"
            " SELECT workspace_id, min(id), %s, 5 FROM convex.series WHERE workspace_id = %s"
            " GROUP BY workspace_id",
            (NOW - timedelta(days=2), history.workspace_id),
        )
        await connection.execute(
            "UPDATE convex.points SET value = 999 WHERE timestamp = %s",
            (NOW - timedelta(minutes=700),),
        )
        await connection.execute(
            "UPDATE convex.alert_predictions SET was_accurate = false, verified_at = %s",
            (NOW + timedelta(days=1),),
        )
        # History is completed: one framework's triggers of a whole day began ten days earlier.
        await connection.execute(
            "UPDATE convex.alert_triggers SET opened_at = opened_at - interval '10 days',"
            " updated_at = %s WHERE framework_id = (SELECT id FROM convex.frameworks"
            " WHERE slug = 'f1') AND (opened_at AT TIME ZONE 'UTC')::date = %s",
            (NOW + timedelta(hours=4), (NOW - timedelta(days=20)).date()),
        )
        # A metric goes and takes its rules along: its triggers stay, and name neither any more.
        await connection.execute(
            "DELETE FROM convex.metrics WHERE framework_id = (SELECT id FROM convex.frameworks"
            " WHERE slug = 'f3')"
        )
        # A channel goes that notifications went through.
        await connection.execute("DELETE FROM convex.channels WHERE name = 'Mail'")
        # A framework goes, with everything that hung on it, and a new one comes.
        await connection.execute("DELETE FROM convex.frameworks WHERE slug = 'f2'")
        await connection.execute(
            "INSERT INTO convex.frameworks (workspace_id, slug, name) VALUES (%s, 'new', 'New')",
            (history.workspace_id,),
        )
    await build_all(settings)
    incremental = {mart: rows(settings, mart) for mart in MARTS}
    await build_all(settings, full_refresh=True)
    full = {mart: rows(settings, mart) for mart in MARTS}
    for mart in MARTS:
        assert incremental[mart] != before[mart], f"{mart} has not changed"
        assert incremental[mart] == full[mart], mart


@pytest.mark.asyncio
async def test_a_mart_that_fails_keeps_no_other_from_being_fresh(
    settings: Settings, history: Tenant, fresh_worker: Database
) -> None:
    await build_all(settings)
    with psycopg.connect(role_url(settings, "convex_dbt"), autocommit=True) as connection:
        connection.execute("ALTER TABLE analytics.fct_predictions DROP COLUMN risk_score")
    async with fresh_worker.transaction(history.flow) as connection_:
        await connection_.execute(
            "UPDATE convex.alert_triggers SET feedback = 'actionable', feedback_at = %s,"
            " updated_at = %s WHERE feedback IS NULL",
            (NOW, NOW + timedelta(days=1)),
        )
    result = await asyncio.to_thread(build.build_marts, settings)
    assert not result.succeeded
    assert result.failed == ["model fct_predictions"]
    assert "risk_score" in " ".join(result.messages)
    assert '"feedback": null' not in "".join(rows(settings, "fct_alert_triggers"))
    assert build.can_retry(settings)


@pytest.mark.asyncio
async def test_marts_show_each_reader_no_more_than_its_tables_do(
    settings: Settings, history: Tenant, fresh_worker: Database, fresh_api: Database
) -> None:
    other = await make_tenant(fresh_worker)
    async with fresh_worker.transaction(other.flow) as connection:
        await write_trigger_history(
            connection, other.workspace_id, other.user_id, now=NOW, triggers=7, frameworks=1
        )
    await build_all(settings)
    everything = {mart: len(rows(settings, mart)) for mart in MARTS}
    for mart in MARTS:
        count = f"SELECT count(*) AS n FROM analytics.{mart}"
        seen = {}
        for name, database, identity in (
            ("mine", fresh_api, history.identity(Role.VIEWER)),
            ("theirs", fresh_api, other.identity(Role.VIEWER)),
            ("flow", fresh_worker, SYSTEM),
            ("flow of mine", fresh_worker, history.flow),
        ):
            async with database.read(identity) as connection:
                row = await (await connection.execute(count)).fetchone()
                assert row is not None
                seen[name] = row["n"]
        assert seen["flow"] == everything[mart]
        assert seen["flow of mine"] + seen["theirs"] <= everything[mart]
        assert seen["mine"] == seen["flow of mine"], mart
    with psycopg.connect(role_url(settings, "convex_api")) as nobody:
        for mart in MARTS:
            count = f"SELECT count(*) FROM analytics.{mart}"
            assert nobody.execute(count).fetchone() == (0,), mart


@pytest.mark.asyncio
async def test_an_inbox_is_its_owners_in_the_mart_too(
    settings: Settings, history: Tenant, fresh_worker: Database, fresh_api: Database
) -> None:
    await build_all(settings)
    colleague = (await make_tenant(fresh_worker)).user_id
    statement = (
        "SELECT count(*) FILTER (WHERE channel_kind = 'in_app') AS in_app,"
        " count(*) FILTER (WHERE channel_kind = 'email') AS email FROM analytics.fct_notifications"
    )

    async def counts(role: Role, user: Any) -> tuple[bool, bool]:
        async with fresh_api.read(history.identity(role, user)) as connection:
            row = await (await connection.execute(statement)).fetchone()
            assert row is not None
            return row["in_app"] > 0, row["email"] > 0

    assert await counts(Role.VIEWER, history.user_id) == (True, True)
    assert await counts(Role.OWNER, colleague) == (False, True)
    assert await counts(Role.VIEWER, colleague) == (False, False)


@pytest.mark.asyncio
async def test_readers_cannot_change_a_mart(
    settings: Settings, history: Tenant, fresh_api: Database
) -> None:
    await build_all(settings)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with fresh_api.transaction(history.identity()) as connection:
            await connection.execute("DELETE FROM analytics.alert_analytics")


@pytest.mark.asyncio
async def test_the_documentation_is_one_page_in_the_home(
    settings: Settings, history: Tenant
) -> None:
    await build_all(settings)
    page: Path = await asyncio.to_thread(build.write_docs, settings)
    text = await asyncio.to_thread(page.read_text)
    assert page == settings.home / "docs" / "dbt" / "index.html"
    assert "alert_analytics" in text
    assert '<script src="http' not in text
    assert 'rel="stylesheet" href="http' not in text


@pytest.mark.asyncio
async def test_silent_sources_are_named(settings: Settings, history: Tenant) -> None:
    assert await asyncio.to_thread(build.stale_sources, settings) in ([], ["source series"])


def test_a_backfill_names_its_days() -> None:
    arguments = build.build_arguments("daily", (date(2026, 1, 1), date(2026, 1, 31)))
    assert arguments[-1] == '{"backfill_from":"2026-01-01","backfill_to":"2026-01-31"}'
    with pytest.raises(InvalidInput, match="cannot end"):
        build.build_arguments("daily", (date(2026, 2, 1), date(2026, 1, 31)))


def test_each_period_reads_back_as_far_as_it_says() -> None:
    assert "--vars" not in build.build_arguments("daily")
    weekly = build.build_arguments("weekly", today=date(2026, 3, 30))
    assert weekly[-1] == '{"backfill_from":"2026-02-02","backfill_to":"2026-03-30"}'
    assert "--full-refresh" in build.build_arguments("monthly")


def test_the_connection_is_taken_from_the_url() -> None:
    environment = build.connection_environment(
        "postgresql://convex_dbt:p%40ss@db.example:6543/convex?sslmode=require"
    )
    assert environment == {
        "CONVEX_DBT_HOST": "db.example",
        "CONVEX_DBT_PORT": "6543",
        "CONVEX_DBT_USER": "convex_dbt",
        "DBT_ENV_SECRET_CONVEX_PASSWORD": "p@ss",
        "CONVEX_DBT_DATABASE": "convex",
        "CONVEX_DBT_SSLMODE": "require",
    }


@pytest.mark.asyncio
async def test_the_tables_keep_what_the_contracts_promise(
    settings: Settings, history: Tenant
) -> None:
    await build_all(settings)
    manifest = orjson.loads((build.target_folder(settings) / "manifest.json").read_bytes())
    with psycopg.connect(role_url(settings, "convex_dbt")) as connection:
        for mart in MARTS:
            columns = manifest["nodes"][f"model.convex.{mart}"]["columns"].values()
            promised = [
                (column["name"], column["data_type"], bool(column["constraints"]))
                for column in columns
            ]
            found = connection.execute(
                "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull"
                " FROM pg_attribute AS a WHERE a.attrelid = %s::regclass AND a.attnum > 0"
                " AND NOT a.attisdropped ORDER BY a.attnum",
                (f"analytics.{mart}",),
            ).fetchall()
            short = {"timestamp with time zone": "timestamptz"}
            assert [(n, short.get(t, t), filled) for n, t, filled in found] == promised, mart
        connection.execute(
            "SELECT set_config('convex.workspace_id', %s, true)", (str(history.workspace_id),)
        )
        watched = connection.execute(
            "SELECT metric_id, metric_name FROM analytics.dim_alert_rules"
            " WHERE workspace_id = %s AND name LIKE 'all of %%'",
            (history.workspace_id,),
        ).fetchall()
        assert set(watched) == {(None, "")}
