"""Making, changing and ending rules, and what that does to their triggers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from convex.alerts import rule_service, rule_store, service
from convex.alerts.model import (
    Condition,
    Matcher,
    NoData,
    Operator,
    Provenance,
    Rule,
    RuleDraft,
    RuleType,
    Sensitivity,
)
from convex.alerts.silence_of_data import check_silence
from convex.alerts.validate import check_rule
from convex.db import Role
from convex.errors import Conflict, InvalidInput, NotFound, NotPermitted, PreconditionFailed
from convex.metrics.model import Aggregate
from tests.convex.alerts.conftest import NOW, Bench
from tests.convex.alerts.rules import make_rule

PERCENT = {"threshold_value": None, "change_percentage": 10.0}
CONFIRMED = {"aggregate": Aggregate.MEAN, "window_seconds": 600, "confirm_window_seconds": 60}
ANOMALY = {"type": RuleType.ANOMALY, "threshold_value": None}


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("name", {"name": " "}),
        ("threshold_value", {"threshold_value": None}),
        ("threshold_value", {"threshold_value": float("nan")}),
        ("change_percentage", {"condition": Condition.CHANGES_BY, "threshold_value": None}),
        ("change_percentage", {"change_percentage": 5.0}),
        ("change_percentage", {"condition": Condition.CHANGES_BY, "change_percentage": -5.0}),
        ("threshold_value", {"condition": Condition.CHANGES_BY, "change_percentage": 5.0}),
        ("recovery_threshold", {"recovery_threshold": 11.0}),
        ("recovery_threshold", {"condition": Condition.BELOW, "recovery_threshold": 9.0}),
        ("recovery_threshold", {"condition": Condition.EQUALS, "recovery_threshold": 9.0}),
        ("condition", {**ANOMALY, "condition": Condition.EQUALS}),
        ("threshold_value", {"type": RuleType.ANOMALY}),
        ("recovery_threshold", {**ANOMALY, "recovery_threshold": 1.0}),
        ("sensitivity", {"sensitivity": Sensitivity.HIGH}),
        ("condition", {**PERCENT, "type": RuleType.PERFORMANCE, "condition": Condition.EQUALS}),
        ("change_percentage", {"type": RuleType.PERFORMANCE, "threshold_value": None}),
        ("condition", {"type": RuleType.MILESTONE, "condition": Condition.CHANGES_BY}),
        ("for", {"type": RuleType.MILESTONE, "for_seconds": 60}),
        ("no_data", {"type": RuleType.MILESTONE, "no_data": NoData.OK}),
        ("group_by", {"type": RuleType.MILESTONE, "group_by": ("site",)}),
        ("evaluation_offset", {"group_by": ("site",), "evaluation_offset_seconds": 60}),
        ("method", {**ANOMALY, "method": "magic"}),
        ("method", {"method": "robust_z"}),
        ("window", {**ANOMALY, "window_seconds": 60}),
        ("evaluation_offset", {**ANOMALY, "evaluation_offset_seconds": 60}),
        ("no_data_after", {"no_data": NoData.ALERT}),
        ("window", {"aggregate": Aggregate.COUNT}),
        ("window", {"window_seconds": 40 * 86_400}),
        ("confirm_window", {**CONFIRMED, "confirm_window_seconds": 600}),
        ("confirm_window", {**CONFIRMED, "window_seconds": 0}),
        ("confirm_window", {**CONFIRMED, "aggregate": Aggregate.SUM}),
        ("confirm_window", {**CONFIRMED, "condition": Condition.EQUALS}),
        ("confirm_window", {**CONFIRMED, **PERCENT, "condition": Condition.CHANGES_BY}),
        ("group_by", {"group_by": ("a", "a")}),
        ("runbook_url", {"runbook_url": "javascript:alert(1)"}),
        ("label_matchers", {"label_matchers": (Matcher("a", Operator.MATCHES, "("),)}),
    ],
)
def test_what_cannot_work_is_refused_and_the_field_named(
    field: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_rule(replace(make_rule(), **fields))
    assert refused.value.details["field"] == field


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"recovery_threshold": 10.0},
        {**PERCENT, "condition": Condition.CHANGES_BY},
        {**PERCENT, "type": RuleType.PERFORMANCE, "condition": Condition.CHANGES_BY},
        {**ANOMALY, "condition": Condition.CHANGES_BY, "sensitivity": Sensitivity.LOW},
        {"type": RuleType.MILESTONE, "aggregate": Aggregate.SUM},
        {**ANOMALY, "method": "robust_z", "window_seconds": 60, "evaluation_offset_seconds": 60},
        {"no_data": NoData.ALERT, "no_data_after_seconds": 60},
    ],
)
def test_what_works_is_taken(fields: dict[str, Any]) -> None:
    check_rule(replace(make_rule(), **fields))


async def change(bench: Bench, rule: Rule, **changes: Any) -> rule_service.RuleSaved:
    identity = bench.tenant.identity()
    async with bench.database.transaction(identity) as connection:
        return await rule_service.update_rule(connection, identity, rule.id, changes, now=NOW)


async def test_a_rule_is_stored_as_it_was_said(bench: Bench) -> None:
    rule = await bench.rule(
        label_matchers=(Matcher("gate", Operator.MATCHES, "a|b"),),
        group_by=("site",),
        channels=("mail",),
        templates={"title": "x"},
        no_data=NoData.OK,
        no_data_after_seconds=60,
        recovery_threshold=8.0,
    )
    async with bench.database.read(bench.tenant.identity()) as connection:
        found = await rule_store.get_rule(connection, bench.tenant.workspace_id, rule.id)
        page = await rule_store.list_rules(connection, bench.tenant.workspace_id)
    assert found == rule
    assert page.items == [rule]
    assert (rule.framework, rule.metric, rule.version) == ("airport", "delay", 1)


async def test_names_are_taken_once_and_versions_guard_changes(bench: Bench) -> None:
    rule = await bench.rule(name="one")
    with pytest.raises(Conflict):
        await bench.rule(name="one")
    identity = bench.tenant.identity()
    async with bench.database.transaction(identity) as connection:
        with pytest.raises(PreconditionFailed):
            await rule_service.update_rule(
                connection, identity, rule.id, {"name": "x"}, now=NOW, expected_version=7
            )
        with pytest.raises(InvalidInput):
            await rule_service.update_rule(
                connection, identity, rule.id, {"threshold_value": None}, now=NOW
            )
    assert (await change(bench, rule, name="one")).rule.version == 1
    assert (await change(bench, rule, name="two")).rule.version == 2


async def test_a_viewer_changes_nothing_and_code_is_not_changed_by_hand(bench: Bench) -> None:
    rule = await bench.rule(provenance=Provenance.CODE)
    viewer = bench.tenant.identity(Role.VIEWER)
    async with bench.database.transaction(viewer) as connection:
        with pytest.raises(NotPermitted):
            await rule_service.update_rule(connection, viewer, rule.id, {"name": "x"}, now=NOW)
    with pytest.raises(Conflict):
        await change(bench, rule, name="x")


async def test_a_metric_of_another_framework_is_refused(bench: Bench) -> None:
    draft = RuleDraft(
        name="x",
        framework_id=bench.metric_id,
        metric_id=bench.metric_id,
        threshold_value=1.0,
    )
    identity = bench.tenant.identity()
    async with bench.database.transaction(identity) as connection:
        with pytest.raises(InvalidInput):
            await rule_service.create_rule(connection, identity, draft, now=NOW)


async def test_disabling_resolves_and_enabling_begins_anew(bench: Bench) -> None:
    rule = await bench.rule()
    await bench.push([(110, 12)])
    saved = await change(bench, rule, enabled=False)
    assert len(saved.ended) == 1
    assert saved.cursor is not None
    (trigger,) = await bench.triggers()
    assert trigger["resolution"] == "rule_disabled"
    await bench.push([(111, 12)])
    await change(bench, rule, enabled=True)
    assert len(await bench.triggers()) == 1
    await bench.push([(112, 12)])
    assert [row["state"] for row in await bench.triggers()] == ["resolved", "firing"]


async def test_deleting_keeps_the_triggers_and_can_be_undone(bench: Bench) -> None:
    rule = await bench.rule(name="gone")
    await bench.push([(110, 12)])
    identity = bench.tenant.identity()
    async with bench.database.transaction(identity) as connection:
        await rule_service.delete_rule(connection, identity, rule.id, now=NOW)
    (trigger,) = await bench.triggers()
    assert trigger["resolution"] == "rule_deleted"
    async with bench.database.read(identity) as connection:
        with pytest.raises(NotFound):
            await rule_store.get_rule(connection, bench.tenant.workspace_id, rule.id)
    async with bench.database.transaction(identity) as connection:
        saved = await rule_service.undelete_rule(connection, identity, rule.id, now=NOW)
    assert saved.rule.deleted_at is None
    await bench.push([(115, 12)])
    assert len(await bench.triggers()) == 2


async def test_a_changed_threshold_is_judged_by_the_next_point(bench: Bench) -> None:
    rule = await bench.rule()
    await bench.push([(110, 12)])
    await change(bench, rule, threshold_value=11.0)
    await bench.push([(111, 12)])
    (trigger,) = await bench.triggers()
    assert trigger["state"] == "firing"
    await change(bench, rule, threshold_value=20.0)
    await bench.push([(112, 12)])
    (trigger,) = await bench.triggers()
    assert trigger["resolution"] == "rule_changed"


async def test_a_change_of_words_leaves_what_is_pending(bench: Bench) -> None:
    rule = await bench.rule(for_seconds=180)
    await bench.push([(110, 12)])
    await change(bench, rule, name="other", description="words")
    await bench.push([(113, 12)])
    assert len(await bench.triggers()) == 1


async def test_series_that_a_rule_no_longer_watches_are_resolved_at_once(bench: Bench) -> None:
    rule = await bench.rule()
    await bench.push([(110, 12)], {"gate": "a"})
    await bench.push([(110, 12)], {"gate": "b"})
    saved = await change(bench, rule, label_matchers=(Matcher("gate", Operator.EQUAL, "a"),))
    assert len(saved.ended) == 1
    assert [row["state"] for row in await bench.triggers()] == ["firing", "resolved"]


async def test_a_trigger_whose_rule_was_disabled_meanwhile_is_ended(bench: Bench) -> None:
    rule = await bench.rule()
    await bench.push([(110, 12)])
    async with bench.database.transaction(bench.tenant.identity()) as connection:
        await connection.execute(
            "UPDATE convex.alert_rules SET enabled = false, version = version + 1 WHERE id = %s",
            (rule.id,),
        )
        result = await check_silence(connection, bench.tenant.workspace_id, now=NOW)
    assert result.transitions == 1
    (trigger,) = await bench.triggers()
    assert trigger["resolution"] == "rule_disabled"


async def test_everything_a_person_does_is_in_the_history(bench: Bench) -> None:
    await bench.rule()
    await bench.push([(110, 12)])
    (row,) = await bench.triggers()
    identity = bench.tenant.identity()
    about: tuple[Any, Any] = (identity, row["id"])
    async with bench.database.transaction(identity) as connection:
        await service.comment(connection, *about, note="looking", now=NOW)
        await service.assign(connection, *about, user_id=bench.tenant.user_id, now=NOW)
        await service.acknowledge(connection, *about, now=NOW)
        await service.acknowledge(connection, *about, now=NOW)
        await service.resolve(connection, *about, note="done", now=NOW)
        with pytest.raises(Conflict):
            await service.acknowledge(connection, *about, now=NOW)
        await service.reopen(connection, *about, now=NOW)
        await service.give_feedback(connection, *about, feedback="actionable", now=NOW)
        with pytest.raises(PreconditionFailed):
            await service.resolve(connection, *about, now=NOW, expected_version=1)
    kinds = [one["kind"] for one in await bench.transitions()]
    assert sorted(kinds) == sorted(
        ["opened", "commented", "assigned", "acknowledged", "resolved", "reopened", "feedback"]
    )
    assert all(one["author_id"] for one in await bench.transitions() if one["kind"] != "opened")
    bench.now = NOW
    await bench.push([(121, 3)])
    (row,) = await bench.triggers()
    assert (row["state"], row["feedback"]) == ("resolved", "actionable")
