"""A run on real PostgreSQL: what is written, linked, recommended and told, and lives that go on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from convex.db import Database, Role
from convex.errors import InvalidInput, NotFound
from convex.patterns import read_store, service
from convex.patterns.present import shortages
from convex.patterns.read_store import PatternFilters
from convex.patterns.service import RunReport
from tests.conftest import Tenant

NOW = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
WEEK = timedelta(weeks=1)
ZONE = "America/New_York"


async def write_triggers(
    worker: Database, tenant: Tenant, rules: dict[str, Sequence[datetime]], **columns: str
) -> dict[str, UUID]:
    """A framework with a rule for each name, which fired then for five minutes each time."""
    async with worker.transaction(tenant.flow) as connection:
        made = await connection.execute(
            "WITH f AS (INSERT INTO convex.frameworks (workspace_id, slug, name)"
            " VALUES (%(w)s, 'shop', 'Shop') ON CONFLICT (workspace_id, slug)"
            " DO UPDATE SET name = excluded.name RETURNING id),"
            " m AS (INSERT INTO convex.metrics (workspace_id, framework_id, name)"
            " SELECT %(w)s, f.id, 'rate' FROM f ON CONFLICT (framework_id, name)"
            " DO UPDATE SET name = excluded.name RETURNING id, framework_id)"
            " INSERT INTO convex.alert_rules (workspace_id, framework_id, metric_id, name, type,"
            " condition, severity, created_at)"
            " SELECT %(w)s, m.framework_id, m.id, n, 'threshold', 'above', %(severity)s, %(now)s"
            " FROM m, unnest(%(names)s::text[]) AS n RETURNING id, name",
            {
                "w": tenant.workspace_id,
                "names": list(rules),
                "severity": columns.get("severity", "warning"),
                "now": NOW,
            },
        )
        ids = {row["name"]: row["id"] for row in await made.fetchall()}
        for name, times in rules.items():
            await connection.execute(
                "INSERT INTO convex.alert_triggers (workspace_id, rule_id, framework_id, metric_id,"
                " fingerprint, rule_name, type, severity, state, reason, opened_at, last_seen_at,"
                " resolved_at, resolution, historical)"
                " SELECT r.workspace_id, r.id, r.framework_id, r.metric_id, 'f' || r.id, r.name,"
                " r.type, r.severity, 'resolved', 'condition_met', t, t, t + interval '5 minutes',"
                " 'recovered', true FROM convex.alert_rules AS r, unnest(%s::timestamptz[]) AS t"
                " WHERE r.id = %s",
                (list(times), ids[name]),
            )
    return ids


def mondays(weeks: int, until: datetime = NOW) -> list[datetime]:
    """Mondays at 09:02 in New York, in the summer's time."""
    last = datetime(2026, 6, 1, 13, 2, tzinfo=UTC)
    times = [last - WEEK * n for n in range(weeks)]
    return sorted(
        t if t > datetime(2026, 3, 8, tzinfo=UTC) else t + timedelta(hours=1)
        for t in times
        if t <= until
    )


async def run(worker: Database, tenant: Tenant, now: datetime) -> RunReport:
    async with worker.read(tenant.flow) as connection:
        loaded, before = await service.read(connection, tenant.workspace_id, ZONE, now)
    looked = service.look(loaded, before=before)
    async with worker.transaction(tenant.flow) as connection:
        return await service.save(connection, tenant.workspace_id, looked)


async def listed(api: Database, tenant: Tenant, **filters: Any) -> list[dict[str, Any]]:
    async with api.read(tenant.identity(Role.VIEWER)) as connection:
        page = await read_store.list_patterns(
            connection, tenant.workspace_id, PatternFilters(**filters)
        )
    return page.items


async def rows_of(worker: Database, tenant: Tenant, query: str) -> list[dict[str, Any]]:
    async with worker.read(tenant.flow) as connection:
        return await (await connection.execute(query)).fetchall()


async def test_an_imported_history_shows_its_patterns_at_once(
    worker: Database, api: Database, tenant: Tenant
) -> None:
    ids = await write_triggers(worker, tenant, {"Backup": mondays(20)})
    report = await run(worker, tenant, NOW)
    (pattern,) = await listed(api, tenant)
    assert (pattern["type"], pattern["state"]) == ("seasonal", "new")
    assert pattern["rule_id"] == ids["Backup"]
    assert pattern["evidence"]["label"].startswith("Mon 09:00, ")
    assert pattern["next_expected_at"] == datetime(2026, 6, 1, 13, 0, tzinfo=UTC)
    assert report.appeared == ["Backup fires on Mondays at about 09:00"]
    assert (report.shown, report.rules, report.triggers) == (1, 1, 19)


async def test_a_pattern_leads_to_its_triggers(
    worker: Database, api: Database, tenant: Tenant
) -> None:
    stray = datetime(2026, 3, 12, 3, 0, tzinfo=UTC)
    await write_triggers(worker, tenant, {"Backup": [*mondays(20), stray]})
    await run(worker, tenant, NOW)
    (pattern,) = await listed(api, tenant)
    async with api.read(tenant.identity(Role.VIEWER)) as connection:
        first = await read_store.list_trigger_ids(
            connection, tenant.workspace_id, pattern["id"], limit=12
        )
        rest = await read_store.list_trigger_ids(
            connection, tenant.workspace_id, pattern["id"], limit=12, cursor=first.next_cursor
        )
        with pytest.raises(InvalidInput):
            await read_store.list_trigger_ids(
                connection, tenant.workspace_id, pattern["id"], cursor="x"
            )
    behind = [*first.items, *rest.items]
    rows = await rows_of(worker, tenant, "SELECT id, opened_at FROM convex.alert_triggers")
    opened = {row["id"]: row["opened_at"] for row in rows}
    assert rest.next_cursor is None
    assert [opened[one] for one in behind] == sorted(mondays(20), reverse=True)


async def test_a_weekly_pattern_recommends_a_window_once(
    worker: Database, api: Database, tenant: Tenant
) -> None:
    await write_triggers(worker, tenant, {"Backup": mondays(20)})
    first = await run(worker, tenant, NOW)
    again = await run(worker, tenant, NOW + timedelta(minutes=10))
    (advice,) = await rows_of(worker, tenant, "SELECT * FROM convex.recommendations")
    assert (first.recommendations, again.recommendations) == (1, 0)
    assert (advice["origin"], advice["state"], advice["version"]) == ("pattern", "open", 1)
    assert advice["action"]["kind"] == "mute_window"
    (interval,) = advice["action"]["intervals"]
    assert (interval["days"], interval["start"]) == (["mon"], "09:00")
    assert advice["effect"]["triggers_spared"] == 19


async def test_a_decision_about_a_recommendation_stands(
    worker: Database, api: Database, tenant: Tenant
) -> None:
    await write_triggers(worker, tenant, {"Backup": mondays(20)})
    await run(worker, tenant, NOW)
    async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
        await connection.execute(
            "UPDATE convex.recommendations SET state = 'dismissed', decided_at = now(),"
            " decided_by = %s",
            (tenant.user_id,),
        )
    await run(worker, tenant, NOW + timedelta(hours=6))
    (advice,) = await rows_of(worker, tenant, "SELECT state FROM convex.recommendations")
    assert advice["state"] == "dismissed"


async def test_a_new_pattern_is_told_live_and_only_once(
    worker: Database, api: Database, tenant: Tenant
) -> None:
    await write_triggers(worker, tenant, {"Backup": mondays(20)})
    first = await run(worker, tenant, NOW)
    again = await run(worker, tenant, NOW + timedelta(hours=6))
    events = await rows_of(worker, tenant, "SELECT type, data FROM convex.live_events")
    assert [(event["type"], event["data"]["type"]) for event in events] == [("pattern", "seasonal")]
    assert first.cursor is not None
    assert again.cursor is None


async def test_what_only_the_newest_run_finds_is_not_shown(
    worker: Database, api: Database, tenant: Tenant
) -> None:
    await write_triggers(worker, tenant, {"Backup": mondays(20)[-2:]})
    await run(worker, tenant, NOW - timedelta(hours=6))
    ids = await rows_of(worker, tenant, "SELECT id FROM convex.alert_rules")
    async with worker.transaction(tenant.flow) as connection:
        for at in mondays(20)[:-2]:
            await connection.execute(
                "INSERT INTO convex.alert_triggers (workspace_id, rule_id, framework_id, metric_id,"
                " fingerprint, rule_name, type, severity, state, reason, opened_at, last_seen_at,"
                " resolved_at, resolution) SELECT workspace_id, id, framework_id, metric_id, 'x',"
                " name, type, severity, 'resolved', 'met', %s, %s, %s, 'recovered'"
                " FROM convex.alert_rules WHERE id = %s",
                (at, at, at + timedelta(minutes=5), ids[0]["id"]),
            )
    await run(worker, tenant, NOW)
    assert await listed(api, tenant) == []
    (candidate,) = await listed(api, tenant, states=("candidate",))
    async with api.read(tenant.identity(Role.VIEWER)) as connection:
        with pytest.raises(NotFound):
            await read_store.get_pattern(connection, tenant.workspace_id, candidate["id"])
    await run(worker, tenant, NOW + timedelta(hours=1))
    assert await listed(api, tenant) == []
    await run(worker, tenant, NOW + timedelta(hours=6))
    assert [one["state"] for one in await listed(api, tenant)] == ["new"]


async def test_a_pattern_that_ends_fades_and_is_gone_with_its_recommendation(
    worker: Database, api: Database, tenant: Tenant
) -> None:
    await write_triggers(worker, tenant, {"Backup": mondays(20)})
    await run(worker, tenant, NOW)
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute("UPDATE convex.alert_rules SET deleted_at = now()")
    faded = await run(worker, tenant, NOW + timedelta(hours=6))
    assert [one["state"] for one in await listed(api, tenant)] == ["fading"]
    gone = await run(worker, tenant, NOW + timedelta(days=15))
    assert await listed(api, tenant) == []
    (row,) = await listed(api, tenant, states=("gone",))
    (advice,) = await rows_of(worker, tenant, "SELECT state, note FROM convex.recommendations")
    assert (faded.faded, gone.gone, row["next_expected_at"]) == (1, 1, None)
    assert advice == {"state": "dismissed", "note": "The pattern behind it is gone."}


async def test_runs_say_what_was_tested_and_what_is_too_short(
    worker: Database, api: Database, tenant: Tenant
) -> None:
    ids = await write_triggers(
        worker, tenant, {"Backup": mondays(20), "Rare": [NOW - WEEK, NOW - WEEK * 2]}
    )
    await run(worker, tenant, NOW)
    async with api.read(tenant.identity(Role.VIEWER)) as connection:
        known = await read_store.newest_run(connection, tenant.workspace_id)
        of_all = await shortages(connection, tenant.workspace_id, None, NOW)
        of_one = await shortages(connection, tenant.workspace_id, ids["Rare"], NOW)
        of_none = await shortages(connection, tenant.workspace_id, ids["Backup"], NOW)
    assert known is not None
    assert known["rules"] == 2
    assert {one["type"]: one["rules"] for one in of_all}["seasonal"] == 1
    assert [one["type"] for one in of_one] == [
        "seasonal",
        "cyclical",
        "correlated",
        "triggered_by",
        "escalating",
    ]
    assert of_none == []


async def test_an_empty_workspace_has_nothing_and_says_so(
    worker: Database, api: Database, tenant: Tenant
) -> None:
    report = await run(worker, tenant, NOW)
    assert (report.shown, report.triggers, report.cursor) == (0, 0, None)
    async with api.read(tenant.identity(Role.VIEWER)) as connection:
        assert await shortages(connection, tenant.workspace_id, None, NOW) == []
