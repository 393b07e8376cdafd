"""Triggers that nobody evaluates here: reported from outside, on the database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from convex.alerts import service
from convex.alerts.external import Report, Reported, Source, expire, report
from convex.alerts.model import Severity
from convex.db import Database, Role
from convex.frameworks.model import Kind
from convex.frameworks.service import create_framework
from tests.conftest import Tenant

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DISK = Report(
    source=Source.ALERTMANAGER,
    name="DiskFull",
    labels={"instance": "db1", "severity": "critical"},
    severity=Severity.CRITICAL,
    reason="The disk of db1 is full.",
    since=NOW,
)


def later(**span: float) -> datetime:
    return NOW + timedelta(**span)


async def tell(
    api: Database, tenant: Tenant, *reports: Report, at: datetime = NOW, role: Role = Role.INGEST
) -> Reported:
    async with api.transaction(tenant.identity(role)) as connection:
        return await report(connection, tenant.workspace_id, reports, now=at)


async def rows(worker: Database, tenant: Tenant, query: str) -> list[dict[str, Any]]:
    async with worker.read(tenant.flow) as connection:
        cursor = await connection.execute(query, {"workspace": tenant.workspace_id})
        found: list[dict[str, Any]] = await cursor.fetchall()
        return found


TRIGGERS = (
    "SELECT * FROM convex.alert_triggers WHERE workspace_id = %(workspace)s ORDER BY opened_at"
)
KINDS = "SELECT kind FROM convex.trigger_transitions WHERE workspace_id = %(workspace)s ORDER BY id"
QUEUED = "SELECT 1 FROM convex.planning_queue WHERE workspace_id = %(workspace)s"
EVENTS = "SELECT data FROM convex.live_events WHERE workspace_id = %(workspace)s ORDER BY cursor"


async def test_a_report_opens_a_trigger_that_is_planned_and_shown(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    told = await tell(api, tenant, DISK)
    (trigger,) = await rows(worker, tenant, TRIGGERS)
    assert told.opened == [trigger["id"]]
    assert (trigger["source"], trigger["rule_name"], trigger["severity"], trigger["state"]) == (
        "alertmanager",
        "DiskFull",
        "critical",
        "firing",
    )
    assert trigger["rule_id"] is None
    assert len(await rows(worker, tenant, QUEUED)) == 1
    (event,) = await rows(worker, tenant, EVENTS)
    assert event["data"]["framework"] == "convex"
    assert event["data"]["context"]["source"] == "alertmanager"
    assert told.cursor is not None


async def test_saying_it_again_only_counts(api: Database, worker: Database, tenant: Tenant) -> None:
    await tell(api, tenant, DISK)
    again = await tell(api, tenant, DISK, at=later(minutes=1))
    (trigger,) = await rows(worker, tenant, TRIGGERS)
    assert again.repeated == [trigger["id"]]
    assert again.cursor is None
    assert (trigger["repeat_count"], trigger["version"]) == (1, 1)
    assert trigger["last_seen_at"] == later(minutes=1)
    assert len(await rows(worker, tenant, KINDS)) == 1


async def test_the_end_is_planned_and_what_was_never_open_has_none(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    over = replace(DISK, firing=False, ended_at=later(minutes=9))
    assert (await tell(api, tenant, over)).resolved == []
    await tell(api, tenant, DISK)
    told = await tell(api, tenant, over, at=later(minutes=10))
    (trigger,) = await rows(worker, tenant, TRIGGERS)
    assert told.resolved == [trigger["id"]]
    assert (trigger["state"], trigger["resolution"]) == ("resolved", "recovered")
    assert trigger["resolved_at"] == later(minutes=9)
    assert [one["kind"] for one in await rows(worker, tenant, KINDS)] == ["opened", "resolved"]
    assert len(await rows(worker, tenant, QUEUED)) == 2


async def test_an_episode_that_is_over_stays_over_and_a_new_one_opens(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    await tell(api, tenant, DISK)
    await tell(api, tenant, replace(DISK, firing=False), at=later(minutes=10))
    assert (await tell(api, tenant, DISK, at=later(minutes=11))).held  # the same, late
    soon = replace(DISK, since=later(minutes=12))
    assert (await tell(api, tenant, soon, at=later(minutes=12))).reopened
    await tell(api, tenant, replace(DISK, firing=False), at=later(minutes=13))
    another = replace(DISK, since=later(minutes=30))
    assert (await tell(api, tenant, another, at=later(minutes=31))).opened
    assert [one["state"] for one in await rows(worker, tenant, TRIGGERS)] == ["resolved", "firing"]
    kinds = [one["kind"] for one in await rows(worker, tenant, KINDS)]
    assert kinds == ["opened", "resolved", "reopened", "resolved", "opened"]


async def test_what_a_person_resolved_is_not_opened_again_by_the_same_episode(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    (trigger_id,) = (await tell(api, tenant, DISK)).opened
    editor = tenant.identity(Role.EDITOR)
    async with api.transaction(editor) as connection:
        await service.resolve(connection, editor, trigger_id, now=later(minutes=1))
    assert (await tell(api, tenant, DISK, at=later(hours=2))).held == [trigger_id]
    assert len(await rows(worker, tenant, TRIGGERS)) == 1


async def test_an_acknowledged_trigger_stays_acknowledged(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    (trigger_id,) = (await tell(api, tenant, DISK)).opened
    editor = tenant.identity(Role.EDITOR)
    async with api.transaction(editor) as connection:
        await service.acknowledge(connection, editor, trigger_id, now=later(minutes=1))
    worse = replace(DISK, reason="The disk of db1 is fuller still.")
    await tell(api, tenant, worse, at=later(minutes=2))
    (trigger,) = await rows(worker, tenant, TRIGGERS)
    assert (trigger["state"], trigger["reason"]) == ("acknowledged", worse.reason)
    assert trigger["acknowledged_at"] is not None


async def test_many_at_once_in_a_framework_of_their_own(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    owner = tenant.identity(Role.OWNER)
    async with api.transaction(owner) as connection:
        ours = await create_framework(
            connection, tenant.workspace_id, slug="shop", name="Shop", kind=Kind.CUSTOM
        )
    many = [replace(DISK, labels={"instance": f"db{n}"}, framework_id=ours.id) for n in range(50)]
    told = await tell(api, tenant, *many, *many)
    assert len(told.opened) == 50
    assert {one["framework_id"] for one in await rows(worker, tenant, TRIGGERS)} == {ours.id}


async def test_what_nobody_repeats_ends_as_stale(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    await tell(api, tenant, replace(DISK, expires_at=later(minutes=5)))
    async with worker.transaction(tenant.flow) as connection:
        early = await expire(connection, tenant.workspace_id, now=later(minutes=4))
        late = await expire(connection, tenant.workspace_id, now=later(minutes=6))
        again = await expire(connection, tenant.workspace_id, now=later(minutes=7))
    assert (early.resolved, len(late.resolved), again.resolved) == ([], 1, [])
    (trigger,) = await rows(worker, tenant, TRIGGERS)
    assert trigger["resolution"] == "stale"


async def test_a_key_identifies_whatever_the_labels_say(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    first = Report(source=Source.SOURCE, name="Source fails", key="source 7", labels={"run": "1"})
    await tell(api, tenant, first)
    again = await tell(api, tenant, replace(first, labels={"run": "2"}), at=later(minutes=1))
    assert len(again.repeated) == 1
    (trigger,) = await rows(worker, tenant, TRIGGERS)
    assert trigger["labels"] == {"run": "2"}
