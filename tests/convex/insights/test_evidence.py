"""Packs from a database whose marts are built: what every query of the catalogue says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
import pytest_asyncio
from psycopg.types.json import Jsonb

from convex.analytics import build
from convex.db import Database
from convex.db.roles import role_url
from convex.insights import recommendations, templates
from convex.insights.catalogue import QUERIES, ask
from convex.insights.evidence import digest_pack, framework_pack
from convex.insights.model import Kind
from convex.insights.packing import Packer, Scope, floor_hour
from convex.insights.recommendation import Origin
from convex.insights.verify import describe, verify
from convex.settings import Settings
from tests.conftest import Tenant
from tests.convex.analytics.history import NOW, write_history

AS_OF = floor_hour(NOW)


@pytest.fixture(scope="module")
def built(clone: Callable[[], Settings]) -> Settings:
    return clone()


@pytest_asyncio.fixture(scope="module")
async def known(built: Settings) -> AsyncIterator[tuple[Database, Tenant]]:
    """A workspace with a history of alerts, a pattern, a prediction, a failed check; its marts."""
    async with Database.open(role_url(built, "convex_worker")) as worker:
        tenant = await write_history(worker)
        async with worker.transaction(tenant.flow) as connection:
            await connection.execute(
                "INSERT INTO convex.alert_patterns (workspace_id, framework_id, rule_id, type,"
                " fingerprint, title, frequency, period_seconds, confidence, support, p_value,"
                " evidence, state, first_seen_at, last_seen_at, next_expected_at)"
                " SELECT workspace_id, framework_id, id, 'cyclical', 'x', 't', 'period', 21600, 88,"
                " 14, 0.001, '{}', 'active', %(now)s, %(now)s, %(now)s"
                " FROM convex.alert_rules ORDER BY id LIMIT 1",
                {"now": NOW},
            )
            await connection.execute(
                "INSERT INTO convex.alert_predictions (workspace_id, framework_id, rule_id, kind,"
                " made_at, window_start, window_end, probability, climatology, confidence,"
                " risk_score, model, inputs) SELECT workspace_id, framework_id, id, 'next_alert',"
                " %(now)s, %(now)s, %(now)s::timestamptz + interval '1 day', 61.5, 20, 'high', 61,"
                " 'm', '{}' FROM convex.alert_rules ORDER BY id LIMIT 1",
                {"now": NOW},
            )
            failing = [
                {
                    "name": "expect_x",
                    "column": "value",
                    "says": "no gaps",
                    "severity": "warning",
                    "succeeded": False,
                    "rows": 10,
                    "unexpected": 3,
                    "examples": ["secret"],
                    "error": "",
                }
            ]
            await connection.execute(
                "INSERT INTO convex.quality_runs (workspace_id, suite, started_at, finished_at,"
                " state, evaluated, passed, failed, results)"
                " VALUES (%s, 'points', %s, %s, 'failed', 3, 2, 1, %s)",
                (tenant.workspace_id, NOW, NOW, Jsonb(failing)),
            )
        result = await asyncio.to_thread(build.build_marts, built)
        assert result.succeeded, result.messages
        yield worker, tenant


@pytest.mark.parametrize("name", sorted(QUERIES))
@pytest.mark.parametrize("one", [True, False], ids=["framework", "workspace"])
async def test_every_query_answers_with_facts_that_say_what_they_show(
    name: str, one: bool, known: tuple[Database, Tenant]
) -> None:
    worker, tenant = known
    packer = Packer()
    async with worker.read(tenant.flow) as connection:
        rows = await connection.execute("SELECT id, slug FROM convex.frameworks ORDER BY slug")
        framework = (await rows.fetchall())[0]
        scope = Scope(
            tenant.workspace_id,
            AS_OF,
            30,
            framework["id"] if one else None,
            framework["slug"] if one else "",
        )
        await ask(connection, QUERIES[name], scope, packer)
    assert packer.missing == []
    for fact in packer.facts:
        assert fact.what
        assert fact.query.startswith(f"{name}(days=30, framework=")
    if name in ("alerts", "open_alerts", "quality"):
        assert packer.facts


async def test_a_framework_and_a_week_are_told_from_the_marts(
    known: tuple[Database, Tenant],
) -> None:
    worker, tenant = known
    async with worker.read(tenant.flow) as connection:
        rows = await connection.execute(
            "SELECT f.id, f.name, count(t.id) AS n FROM convex.frameworks AS f"
            " LEFT JOIN convex.alert_triggers AS t ON t.framework_id = f.id"
            " AND t.opened_at >= %s AND t.opened_at < %s GROUP BY f.id ORDER BY n DESC",
            (
                AS_OF.replace(hour=0) - timedelta(days=6),
                AS_OF.replace(hour=0) + timedelta(days=1),
            ),
        )
        busiest = (await rows.fetchall())[0]
        pack = await framework_pack(connection, tenant.workspace_id, busiest["id"], now=NOW)
        digest = await digest_pack(connection, tenant.workspace_id, now=NOW)
    total = pack.find("alerts.total")
    assert total is not None
    assert total.value == busiest["n"]
    assert digest.kind is Kind.DIGEST
    assert digest.find("frameworks.alerts") is not None
    for made in (pack, digest):
        verdict = verify(templates.write(made), made)
        assert verdict.holds, describe(verdict.problems)
        assert "secret" not in str(made.as_json())
        assert len(made.as_prompt().encode()) < 20_000


async def test_what_follows_is_proposed_from_the_marts_and_the_checks(
    known: tuple[Database, Tenant],
) -> None:
    worker, tenant = known
    async with worker.read(tenant.flow) as connection:
        found = await recommendations.propose(connection, tenant.workspace_id, now=NOW)
    quality = [one for one in found if one.origin is Origin.QUALITY]
    assert [one.effect for one in quality] == [{"failing_rows": 3}]
