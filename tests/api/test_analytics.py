"""Reports over the wire: from the marts, kept until they change, and as files."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet
import pytest
import pytest_asyncio

from bench.trigger_history import write_trigger_history
from convex.analytics import build
from convex.cache import Area
from convex.db import Database
from convex.db.roles import role_url
from convex.settings import Settings
from tests.api.conftest import Running, Team, make_team, serve, tenant_of

REPORTS = ("summary", "trends", "distribution", "performance", "noise")
# These read the database alone and change nothing between builds of one run.
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")


@pytest.fixture(scope="module")
def own(clone: Callable[[], Settings]) -> Settings:
    """A database of these tests' own: marts are built for all workspaces in it."""
    return clone()


@pytest_asyncio.fixture(scope="module")
async def app(own: Settings) -> AsyncIterator[Running]:
    async with serve(own) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def people(own: Settings, app: Running, password_hash: str) -> AsyncIterator[Team]:
    """A team with 400 triggers in 60 days, of which the marts know."""
    async with Database.open(role_url(own, "convex_worker")) as worker:
        team = await make_team(app, worker, password_hash)
        tenant = tenant_of(team)
        async with worker.transaction(tenant.flow) as connection:
            await write_trigger_history(
                connection, team.workspace_id, team.users["owner"], now=datetime.now(UTC)
            )
            await connection.execute(
                "UPDATE convex.alert_triggers SET rule_name = '=HYPERLINK(\"x\")' WHERE rule_id ="
                " (SELECT id FROM convex.alert_rules ORDER BY name LIMIT 1)"
            )
            await connection.execute(
                "UPDATE convex.alert_rules SET name = '=HYPERLINK(\"x\")' WHERE id ="
                " (SELECT id FROM convex.alert_rules ORDER BY name LIMIT 1)"
            )
    before = await team.viewer.get("/api/v1/analytics/summary")
    assert (before.status_code, before.json()["code"]) == (503, "unavailable")
    result = await asyncio.to_thread(build.build_marts, own)
    assert result.succeeded, result.messages
    yield team
    for client in team.clients.values():
        await client.aclose()


async def get(team: Team, report: str, role: str = "viewer", **query: Any) -> Any:
    answer = await team.clients[role].get(
        f"/api/v1/analytics/{report}", params={"days": 60, **query}
    )
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("report", REPORTS)
async def test_a_report_has_the_shape_that_is_promised(
    people: Team, app: Running, report: str
) -> None:
    schemas = (await people.viewer.get("/openapi.json")).json()
    operation = schemas["paths"][f"/api/v1/analytics/{report}"]["get"]
    content = operation["responses"]["200"]["content"]
    assert set(content) == {"application/json", "text/csv", "application/vnd.apache.parquet"}
    named = content["application/json"]["schema"]["anyOf"][0]["$ref"].rsplit("/", 1)[-1]
    found = (await get(people, report)).json()
    assert set(schemas["components"]["schemas"][named]["required"]) == set(found)


async def test_noise_has_names_and_what_was_wrongly_suppressed(people: Team) -> None:
    found = (await get(people, "noise", role="editor")).json()
    assert found["members"][0]["name"] == "Owner"
    assert {rule["framework"] for rule in found["rules"]} == {"f1", "f2", "f3"}
    counterfactual = found["suppression"]["counterfactual"]
    assert counterfactual["actionable"] == len(counterfactual["missed"]) > 0
    assert (await get(people, "noise", role="viewer")).json()["members"] == []


@pytest.mark.parametrize("report", REPORTS)
async def test_rows_csv_and_parquet_hold_the_same(people: Team, report: str) -> None:
    rows = (await get(people, report, format="rows")).json()
    assert rows
    assert all(not isinstance(value, dict | list) for row in rows for value in row.values())
    file = await get(people, report, format="csv")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert file.headers["content-disposition"] == f'attachment; filename="convex-{report}.csv"'
    lines = list(csv.DictReader(io.StringIO(file.text)))
    parquet = await get(people, report, format="parquet")
    assert parquet.headers["content-type"] == "application/vnd.apache.parquet"
    table = pyarrow.parquet.read_table(io.BytesIO(parquet.content)).to_pylist()
    assert len(lines) == len(table) == len(rows)
    for line, row, packed in zip(lines, rows, table, strict=True):
        assert list(line) == list(row) == list(packed)
        for name, value in row.items():
            assert str(packed[name]) == str(value)
            assert line[name].removeprefix("'") == ("" if value is None else str(value))


async def test_a_name_that_is_a_formula_is_disarmed_for_spreadsheets(people: Team) -> None:
    text = (await get(people, "noise", format="csv")).text
    assert "'=HYPERLINK" in text
    assert not any(cell.startswith("=") for line in csv.reader(io.StringIO(text)) for cell in line)


async def test_rows_of_trends_are_what_grafana_reads(people: Team) -> None:
    rows = (await get(people, "trends", format="rows")).json()
    assert len(rows) == 60
    assert rows[-1]["period_start"] == datetime.now(UTC).date().isoformat()
    assert sum(row["triggered_by_type_threshold"] for row in rows) == sum(
        item["triggered_by_type"]["threshold"]
        for item in (await get(people, "trends")).json()["items"]
    )


async def test_a_report_is_kept_until_the_marts_change(
    people: Team, app: Running, own: Settings
) -> None:
    first = (await get(people, "summary")).json()
    with_marts = role_url(own, "convex_dbt")
    async with Database.open(with_marts) as database:
        async with database.transaction(tenant_of(people).flow) as connection:
            await connection.execute(
                "UPDATE analytics.alert_analytics SET total_triggers = total_triggers + 1"
                " WHERE period_type = 'daily'"
            )
        assert (await get(people, "summary")).json() == first
        await app.resources.cache.forget(people.workspace_id, Area.PATTERNS)
        assert (await get(people, "summary")).json() == first
        await app.resources.cache.forget(people.workspace_id, Area.STATISTICS)
        assert (await get(people, "summary")).json()["total_triggers"] > first["total_triggers"]
        async with database.transaction(tenant_of(people).flow) as connection:
            await connection.execute(
                "UPDATE analytics.alert_analytics SET total_triggers = total_triggers - 1"
                " WHERE period_type = 'daily'"
            )
    await app.resources.cache.forget(people.workspace_id)


@pytest.mark.parametrize("form", ["json", "rows", "csv", "parquet"])
async def test_what_has_not_changed_is_not_sent_again(people: Team, form: str) -> None:
    first = await get(people, "trends", format=form)
    again = await people.viewer.get(
        "/api/v1/analytics/trends",
        params={"days": 60, "format": form},
        headers={"If-None-Match": first.headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_an_unknown_format_is_refused(people: Team) -> None:
    answer = await people.viewer.get("/api/v1/analytics/trends", params={"format": "xml"})
    assert answer.status_code == 422
