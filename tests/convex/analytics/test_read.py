"""What the readers of the marts see, held against the tables themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from bench.trigger_history import write_trigger_history
from convex.analytics import build, read
from convex.db import Database, Role
from convex.db.roles import role_url
from convex.errors import InvalidInput, Unavailable
from convex.settings import Settings
from tests.conftest import Tenant, make_tenant
from tests.convex.analytics.history import NOW, write_history

TODAY = NOW.date()


@pytest.fixture(scope="module")
def built(clone: Callable[[], Settings]) -> Settings:
    """A database whose marts these tests share; none of them changes it."""
    return clone()


@pytest_asyncio.fixture(scope="module")
async def tenants(built: Settings) -> tuple[Tenant, Tenant]:
    async with Database.open(role_url(built, "convex_worker")) as worker:
        mine = await write_history(worker)
        theirs = await make_tenant(worker)
        async with worker.transaction(theirs.flow) as connection:
            await write_trigger_history(
                connection, theirs.workspace_id, theirs.user_id, now=NOW, triggers=5, frameworks=1
            )
    result = await asyncio.to_thread(build.build_marts, built)
    assert result.succeeded, result.messages
    return mine, theirs


@pytest_asyncio.fixture(scope="module")
async def readers(built: Settings, tenants: tuple[Tenant, Tenant]) -> AsyncIterator[Database]:
    async with Database.open(role_url(built, "convex_api")) as database:
        yield database


@pytest.fixture
def mine(tenants: tuple[Tenant, Tenant]) -> Tenant:
    return tenants[0]


async def one(database: Database, tenant: Tenant, query: str, *values: Any) -> dict[str, Any]:
    """A row of the tables that the marts are built from."""
    async with database.read(tenant.identity()) as connection:
        row = await (await connection.execute(query, values)).fetchone()
    assert row is not None
    return row


async def test_a_summary_is_what_the_tables_say(readers: Database, mine: Tenant) -> None:
    expected = await one(
        readers,
        mine,
        "SELECT count(*) AS total, count(*) FILTER (WHERE historical) AS historical,"
        " count(resolved_at) AS resolved, count(*) FILTER (WHERE resolution <> 'by_hand') AS auto,"
        " count(feedback) AS marked,"
        " count(*) FILTER (WHERE feedback = 'false_positive') AS false_positive,"
        " avg(extract(epoch FROM acknowledged_at - opened_at)) FILTER (WHERE NOT historical) / 60"
        " AS response, percentile_cont(0.9) WITHIN GROUP"
        " (ORDER BY extract(epoch FROM resolved_at - opened_at)) / 60 AS resolve_p90"
        " FROM convex.alert_triggers WHERE opened_at >= %s AND opened_at < %s",
        TODAY - timedelta(days=29),
        TODAY + timedelta(days=1),
    )
    async with readers.read(mine.identity()) as connection:
        found = await read.summary(connection, today=TODAY, days=30)
    assert found["from"] == TODAY - timedelta(days=29)
    assert found["total_triggers"] == expected["total"] > 100
    assert found["historical_triggers"] == expected["historical"] > 0
    assert found["resolution_rate"] == pytest.approx(expected["resolved"] / expected["total"])
    assert found["auto_resolved_rate"] == pytest.approx(expected["auto"] / expected["resolved"])
    assert found["false_positive_rate"] == pytest.approx(
        expected["false_positive"] / expected["marked"]
    )
    assert found["avg_response_time_minutes"] == pytest.approx(float(expected["response"]))
    assert found["mttr_p90_minutes"] == pytest.approx(expected["resolve_p90"])
    assert sum(found["triggered_by_type"].values()) == expected["total"]
    assert sum(found["triggered_by_severity"].values()) == expected["total"]
    assert found["pages"] == sum(
        found[f"pages_{part}_hours"] for part in ("business", "off", "sleep")
    )
    assert found["previous"]["to"] == found["from"] - timedelta(days=1)
    assert found["previous"]["total_triggers"] > 0
    assert found["refreshed_at"] is not None


@pytest.mark.parametrize("period", ["daily", "weekly", "monthly"])
async def test_trends_have_no_gaps_and_lose_no_trigger(
    readers: Database, mine: Tenant, period: build.Period
) -> None:
    async with readers.read(mine.identity()) as connection:
        found = await read.trends(connection, today=TODAY, period=period, days=100)
    starts = [item["period_start"] for item in found["items"]]
    assert starts[0] == read.period_start(TODAY - timedelta(days=99), period)
    assert all(read.period_start(start, period) == start for start in starts)
    assert len(set(starts)) == len(starts)
    assert starts[-1] == read.period_start(TODAY, period)
    all_of_it = await one(readers, mine, "SELECT count(*) AS n FROM convex.alert_triggers")
    assert sum(item["total_triggers"] for item in found["items"]) == all_of_it["n"]
    empty = found["items"][0]
    assert (empty["total_triggers"], empty["mttr_minutes"]) == (0, None) or period == "monthly"


async def test_a_framework_has_its_own_figures(readers: Database, mine: Tenant) -> None:
    async with readers.read(mine.identity()) as connection:
        by_framework = await read.performance(connection, today=TODAY, days=60)
        total = await read.summary(connection, today=TODAY, days=60)
        first = by_framework["items"][0]
        alone = await read.summary(
            connection, today=TODAY, days=60, framework_id=first["framework_id"]
        )
    assert sorted(item["slug"] for item in by_framework["items"]) == ["f1", "f2", "f3"]
    assert sum(i["total_triggers"] for i in by_framework["items"]) == total["total_triggers"]
    for name in ("total_triggers", "mttr_median_minutes", "suppression_effectiveness"):
        assert alone[name] == first[name]


async def test_a_distribution_adds_up_in_any_zone(readers: Database, mine: Tenant) -> None:
    async with readers.read(mine.identity()) as connection:
        utc = await read.distribution(connection, today=TODAY, days=60)
        tokyo = await read.distribution(connection, today=TODAY, days=60, timezone="Asia/Tokyo")
    for found in (utc, tokyo):
        for name in ("by_type", "by_severity", "by_state", "by_source"):
            assert sum(found[name].values()) == found["total"], name
        assert sum(found["by_hour"]) == sum(found["by_weekday"]) == found["total"]
        assert sum(row["triggers"] for row in found["by_framework"]) == found["total"]
    assert tokyo["by_hour"] == utc["by_hour"][-9:] + utc["by_hour"][:-9]


async def test_noise_names_the_rules_and_the_sleepless(readers: Database, mine: Tenant) -> None:
    async with readers.read(mine.identity()) as connection:
        found = await read.noise(connection, today=TODAY, days=60)
    assert len(found["rules"]) == 12
    assert [r["triggers"] for r in found["rules"]] == sorted(
        (r["triggers"] for r in found["rules"]), reverse=True
    )
    assert sum(rule["share"] for rule in found["rules"]) == pytest.approx(1)
    (member,) = found["members"]
    assert member["user_id"] == mine.user_id
    named = await one(readers, mine, "SELECT name FROM convex.users WHERE id = %s", mine.user_id)
    assert member["name"] == named["name"]
    assert member["pages"] == sum(
        member[f"pages_{part}_hours"] for part in ("business", "off", "sleep")
    )
    suppression = found["suppression"]
    assert suppression["by_reason"].keys() == {"silenced"}
    assert suppression["effectiveness"] == pytest.approx(
        suppression["suppressed"] / (suppression["suppressed"] + suppression["sent"])
    )
    assert found["never_acknowledged"] == []
    named = await one(
        readers, mine, "SELECT slug, name FROM convex.frameworks ORDER BY slug LIMIT 1"
    )
    assert (named["slug"], named["name"]) in {
        (rule["framework"], rule["framework_name"]) for rule in found["rules"]
    }


async def test_the_counterfactual_lists_what_should_have_been_told(
    readers: Database, mine: Tenant
) -> None:
    async with readers.read(mine.identity()) as connection:
        suppression = (await read.noise(connection, today=TODAY, days=60))["suppression"]
    found = suppression["counterfactual"]
    expected = await one(
        readers,
        mine,
        "SELECT count(*) FILTER (WHERE t.feedback = 'actionable') AS actionable, count(*) AS untold"
        " FROM convex.alert_triggers AS t WHERE EXISTS (SELECT FROM convex.alert_notifications"
        " AS n WHERE n.trigger_id = t.id AND n.state = 'withheld') AND NOT EXISTS (SELECT FROM"
        " convex.alert_notifications AS n WHERE n.trigger_id = t.id AND n.state = 'delivered')",
    )
    assert found["actionable"] == suppression["suppressed_actionable"]
    assert 0 < expected["actionable"] <= found["actionable"]
    assert found["untold"] >= expected["untold"]
    assert found["miss_rate"] == found["actionable"] / found["judged"]
    assert len(found["missed"]) == min(50, found["actionable"])
    assert {reason for missed in found["missed"] for reason in missed["reasons"]} == {"silenced"}
    assert found["missed"] == sorted(found["missed"], key=lambda m: m["opened_at"], reverse=True)


async def test_each_workspace_reads_its_own(
    readers: Database, tenants: tuple[Tenant, Tenant]
) -> None:
    mine, theirs = tenants
    async with readers.read(theirs.identity(Role.VIEWER)) as connection:
        found = await read.summary(connection, today=TODAY, days=100)
        noise = await read.noise(connection, today=TODAY, days=100)
        counts = await read.count_marts(connection)
        foreign = await one(readers, mine, "SELECT id FROM convex.frameworks LIMIT 1")
        other = await read.summary(connection, today=TODAY, framework_id=foreign["id"])
    assert found["total_triggers"] == 5
    assert sum(rule["triggers"] for rule in noise["rules"]) == 5
    assert counts["fct_alert_triggers"] == 5
    assert counts["dim_frameworks"] == 1
    assert other["total_triggers"] == 0


async def test_nothing_is_an_answer_too(readers: Database, mine: Tenant) -> None:
    async with readers.read(mine.identity()) as connection:
        found = await read.summary(connection, today=date(2001, 1, 1), framework_id=uuid4())
        spread = await read.distribution(connection, today=date(2001, 1, 1))
        noise = await read.noise(connection, today=date(2001, 1, 1))
    assert found["total_triggers"] == 0
    assert found["resolution_rate"] is None
    assert spread["total"] == 0
    assert noise["rules"] == []


async def test_what_cannot_be_answered_is_said(
    readers: Database, mine: Tenant, tenant: Tenant, api: Database
) -> None:
    async with readers.read(mine.identity()) as connection:
        with pytest.raises(InvalidInput, match="days"):
            await read.summary(connection, today=TODAY, days=0)
        with pytest.raises(InvalidInput, match="Mars"):
            await read.distribution(connection, today=TODAY, timezone="Mars/Olympus")
    with pytest.raises(Unavailable, match="not been built"):
        async with api.read(tenant.identity()) as connection:
            await read.summary(connection, today=TODAY)
