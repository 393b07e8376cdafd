"""Planning, applying and exporting against a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from convex.alerts import rule_service
from convex.alerts.code.plan import Orphans, Plan, describe
from convex.alerts.code.service import (
    Applied,
    StalePlan,
    apply_files,
    export_rules,
    plan_files,
)
from convex.db import Role
from convex.errors import Conflict, InvalidInput, KeptAsCode, NotPermitted
from tests.convex.alerts.conftest import NOW, Bench

FILE = """\
rules:
  - name: late
    framework: airport
    metric: delay
    threshold_value: 10
    for: 5m
  - name: early
    framework: airport
    metric: delay
    condition: below
    threshold_value: -10
"""


class Code:
    """Files and the workspace that they are applied to."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def plan(self, *texts: str, orphans: Orphans = Orphans.KEEP) -> Plan:
        async with self._bench.database.read(self._bench.tenant.identity()) as connection:
            return await plan_files(
                connection, self._bench.tenant.workspace_id, _named(texts), orphans=orphans
            )

    async def apply(self, *texts: str, role: Role = Role.EDITOR, **options: Any) -> Applied:
        identity = self._bench.tenant.identity(role)
        async with self._bench.database.transaction(identity) as connection:
            return await apply_files(connection, identity, _named(texts), now=NOW, **options)

    async def export(self) -> str:
        async with self._bench.database.read(self._bench.tenant.identity()) as connection:
            return await export_rules(connection, self._bench.tenant.workspace_id)


def _named(texts: Sequence[str]) -> list[tuple[str, str]]:
    return [(f"{number}.yaml", text) for number, text in enumerate(texts)]


@pytest.fixture
def code(bench: Bench) -> Code:
    return Code(bench)


def actions(plan: Plan) -> dict[str, str]:
    return {step.name: step.action.value for step in plan.steps}


async def everything(bench: Bench) -> list[Any]:
    """All rows that applying could touch, with the transaction that last wrote each."""
    found: list[Any] = []
    for table in ("alert_rules", "rule_states", "alert_triggers", "trigger_transitions"):
        found += await bench.rows(f"SELECT x.*, x.xmin::text FROM convex.{table} AS x ORDER BY 1")
    return [*found, *await bench.rows("SELECT count(*) AS n FROM convex.audit_log")]


async def test_a_file_is_applied_and_kept_as_code(code: Code, bench: Bench) -> None:
    assert actions(await code.plan(FILE)) == {"late": "create", "early": "create"}
    assert await bench.rows("SELECT id FROM convex.alert_rules") == []
    applied = await code.apply(FILE)
    assert applied.plan.counts["create"] == 2
    rows = await bench.rows("SELECT name, provenance, for_seconds FROM convex.alert_rules")
    assert sorted((row["name"], row["provenance"], row["for_seconds"]) for row in rows) == [
        ("early", "code", 0),
        ("late", "code", 300),
    ]


async def test_applying_an_unchanged_file_touches_nothing(code: Code, bench: Bench) -> None:
    await code.apply(FILE)
    await bench.push([(0, 20), (3, 20), (6, 20)])  # late fires
    await bench.push([(7, 20)])
    assert [row["state"] for row in await bench.triggers()] == ["firing"]
    before = await everything(bench)
    applied = await code.apply(FILE)
    assert applied.plan.counts["unchanged"] == 2
    assert applied.plan.changes == []
    moved = FILE.replace("rules:", "# a remark\nrules:")
    assert (await code.apply(moved, orphans=Orphans.DELETE)).plan.changes == []
    assert await everything(bench) == before


async def test_a_difference_is_shown_and_only_it_is_written(code: Code, bench: Bench) -> None:
    await code.apply(FILE)
    changed = FILE.replace("threshold_value: 10", "threshold_value: 12").replace("5m", "1h30m")
    plan = await code.plan(changed)
    assert actions(plan) == {"late": "update", "early": "unchanged"}
    said = describe(plan.as_json())
    assert "~ late  (0.yaml:2)" in said
    assert 'for: "5m" → "1h30m"' in said
    assert "threshold_value: 10.0 → 12.0" in said
    await code.apply(changed, fingerprint=plan.fingerprint)
    rows = await bench.rows("SELECT name, version FROM convex.alert_rules")
    assert {row["name"]: row["version"] for row in rows} == {"late": 2, "early": 1}


async def test_a_cosmetic_change_leaves_an_open_trigger_open(code: Code, bench: Bench) -> None:
    await code.apply(FILE)
    await bench.push([(0, 20), (6, 20)])
    await code.apply(FILE.replace("for: 5m", "for: 5m\n    severity: critical"))
    assert [row["state"] for row in await bench.triggers()] == ["firing"]


async def test_removing_is_explicit_and_ends_triggers(code: Code, bench: Bench) -> None:
    await code.apply(FILE)
    await bench.push([(0, 20), (6, 20)])
    one = FILE.partition("  - name: early")[2]
    left = "rules:\n  - name: early" + one
    assert actions(await code.plan(left)) == {"early": "unchanged", "late": "orphaned"}
    assert (await code.apply(left)).plan.changes == []
    assert actions(await code.plan(left, orphans=Orphans.DELETE)) == {
        "early": "unchanged",
        "late": "delete",
    }
    applied = await code.apply(left, orphans=Orphans.DELETE)
    assert len(applied.ended) == 1
    assert applied.cursor is not None
    assert [row["resolution"] for row in await bench.triggers()] == ["rule_deleted"]
    assert actions(await code.plan(left, orphans=Orphans.DELETE)) == {"early": "unchanged"}
    assert actions(await code.plan(FILE)) == {"early": "unchanged", "late": "create"}


async def test_a_rule_can_be_given_back(code: Code, bench: Bench) -> None:
    await code.apply(FILE)
    await bench.push([(0, 20), (6, 20)])
    plan = await code.plan("rules: []", orphans=Orphans.RELEASE)
    assert actions(plan) == {"early": "release", "late": "release"}
    await code.apply("rules: []", orphans=Orphans.RELEASE, fingerprint=plan.fingerprint)
    rows = await bench.rows("SELECT DISTINCT provenance FROM convex.alert_rules")
    assert [row["provenance"] for row in rows] == ["api"]
    assert [row["state"] for row in await bench.triggers()] == ["firing"]
    assert (await code.plan("rules: []", orphans=Orphans.DELETE)).steps == []


async def test_rules_made_elsewhere_are_left_alone_or_taken_over(code: Code, bench: Bench) -> None:
    await bench.rule(name="own")
    mine = await bench.rule(name="late", for_seconds=300)
    plan = await code.plan(FILE, orphans=Orphans.DELETE)
    assert actions(plan) == {"early": "create", "late": "update"}
    (late,) = [step for step in plan.steps if step.name == "late"]
    assert late.differences == (("provenance", "api", "code"),)
    await code.apply(FILE, orphans=Orphans.DELETE)
    rows = await bench.rows("SELECT name, provenance FROM convex.alert_rules")
    assert {row["name"]: row["provenance"] for row in rows}["own"] == "api"
    async with bench.database.transaction(bench.tenant.identity()) as connection:
        for change in (
            rule_service.update_rule(
                connection, bench.tenant.identity(), mine.id, {"enabled": False}, now=NOW
            ),
            rule_service.delete_rule(connection, bench.tenant.identity(), mine.id, now=NOW),
        ):
            with pytest.raises(KeptAsCode):
                await change


async def test_a_stale_plan_is_refused(code: Code, bench: Bench) -> None:
    plan = await code.plan(FILE)
    await bench.rule(name="late")
    with pytest.raises(StalePlan):
        await code.apply(FILE, fingerprint=plan.fingerprint)
    assert [row["name"] for row in await bench.rows("SELECT name FROM convex.alert_rules")] == [
        "late"
    ]
    again = await code.plan(FILE)
    assert again.fingerprint != plan.fingerprint
    await code.apply(FILE, fingerprint=again.fingerprint)


async def test_a_file_with_a_problem_changes_nothing(code: Code, bench: Bench) -> None:
    wrong = FILE + "  - {name: x, framework: nowhere, metric: delay, threshold_value: 1}\n"
    other = "rules:\n  - {name: y, framework: airport, metric: dealy, threshold_value: 1}\n"
    plan = await code.plan(wrong, other)
    assert plan.steps == []
    assert [str(one) for one in plan.problems] == [
        "0.yaml:12: rules[2].framework: There is no framework 'nowhere'; there are: airport.",
        "1.yaml:2: rules[0].metric: airport has no metric 'dealy'; it has: delay.",
    ]
    with pytest.raises(InvalidInput) as refused:
        await code.apply(wrong, other)
    assert len(refused.value.details["errors"]) == 2
    assert await bench.rows("SELECT id FROM convex.alert_rules") == []


async def test_what_is_exported_is_what_is_there(code: Code, bench: Bench) -> None:
    await bench.rule(name="by hand", group_by=("a",), tags=("t",), window_seconds=60)
    await code.apply(FILE)
    text = await code.export()
    plan = await code.plan(text)
    assert actions(plan) == {"by hand": "update", "early": "unchanged", "late": "unchanged"}
    (step,) = plan.changes
    assert step.differences == (("provenance", "api", "code"),)
    await code.apply(text)
    assert await code.export() == text
    assert (await code.plan(text, orphans=Orphans.DELETE)).changes == []


async def test_a_rule_without_a_metric_watches_the_framework(code: Code, bench: Bench) -> None:
    text = "name: all\nframework: airport\ntype: anomaly\ncondition: changes_by\n"
    applied = await code.apply(text)
    (step,) = applied.plan.changes
    assert "metric" not in [field for field, _, _ in step.differences]
    (row,) = await bench.rows("SELECT metric_id, framework_id FROM convex.alert_rules")
    assert (row["metric_id"], row["framework_id"]) == (None, bench.framework_id)
    assert actions(await code.plan(text)) == {"all": "unchanged"}
    assert "metric" not in await code.export()
    (step,) = (await code.plan(text + "metric: delay\n")).changes
    assert step.differences == (("metric", None, "delay"),)


async def test_applied_twice_at_once_it_is_applied_once(code: Code, bench: Bench) -> None:
    """The later one finds nothing to do, or fails as a whole; never half of each."""
    outcomes = await asyncio.gather(*(code.apply(FILE) for _ in range(4)), return_exceptions=True)
    applied = [one for one in outcomes if isinstance(one, Applied)]
    assert all(isinstance(one, Applied | Conflict) for one in outcomes)
    assert sum(len(one.plan.changes) for one in applied) == 2
    rows = await bench.rows("SELECT name, version FROM convex.alert_rules")
    assert sorted((row["name"], row["version"]) for row in rows) == [("early", 1), ("late", 1)]


async def test_viewers_do_not_apply(code: Code) -> None:
    with pytest.raises(NotPermitted):
        await code.apply(FILE, role=Role.VIEWER)
