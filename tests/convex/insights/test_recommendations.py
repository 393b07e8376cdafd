"""Recommendations: ranked by what they are worth, done and undone, held against their promise."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.alerts import rule_service, tuning
from convex.alerts.backtest import History, prepare
from convex.alerts.measure import Points
from convex.alerts.model import Provenance
from convex.db import Database, Identity, Role
from convex.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from convex.insights import proposals, recommendations, service
from convex.insights import recommendation_store as store
from convex.insights.claude import Claude
from convex.insights.recommendation import (
    Origin,
    Proposal,
    Recommendation,
    State,
    benefit,
    distinct,
    measure,
    priority,
)
from convex.metrics.model import MINUTE
from tests.conftest import Tenant
from tests.convex.alerts.conftest import NOW, Bench, make_bench
from tests.convex.alerts.rules import make_rule
from tests.convex.insights.messages_server import MessagesServer, Say, content, evidence_of
from tests.convex.insights.packs import airport_pack


def proposal(**changes: Any) -> Proposal:
    fields: dict[str, Any] = {
        "origin": Origin.HEALTH,
        "fingerprint": "health:x",
        "title": "Do it",
        "action": {"kind": "improve_metric"},
        "actionability": 50,
        "evidence": {},
    }
    return Proposal(**fields | changes)


# -- ranking


@given(effect=st.floats(0, 1e6), more=st.floats(0.001, 1e6), ability=st.integers(1, 100))
def test_more_effect_never_ranks_lower(effect: float, more: float, ability: int) -> None:
    for name in ("triggers_saved_a_week", "pages_saved_a_week", "health_points"):
        low, high = {name: effect}, {name: effect + more}
        assert priority(low, ability) <= priority(high, ability) <= ability
        assert 0 <= benefit(low) < 1


def test_what_nobody_has_measured_ranks_below_what_somebody_has() -> None:
    assert priority({}, 90) < priority({"triggers_saved_a_week": 1}, 60)
    assert priority({"triggers_spared_a_week": 4}, 60) == priority({"triggers_saved_a_week": 4}, 60)


def test_one_proposal_of_each_kind_and_one_change_of_each_rule_is_kept() -> None:
    change = {"kind": "update_rule", "rule_id": "r1", "changes": {"for": "2h"}}
    kept = distinct(
        [
            proposal(fingerprint="a", action=change, effect={"triggers_saved_a_week": 1}),
            proposal(fingerprint="b", action=change, effect={"triggers_saved_a_week": 9}),
            proposal(fingerprint="b", action=change, effect={"triggers_saved_a_week": 2}),
            proposal(fingerprint="c"),
            proposal(fingerprint="c"),
        ]
    )
    assert [one.fingerprint for one in kept] == ["b", "c"]
    assert kept[0].effect == {"triggers_saved_a_week": 9}


def test_what_was_measured_is_held_against_the_promise_with_its_uncertainty() -> None:
    found = measure(before=10.0, events=2, days=14, promised=2.0)
    assert found["after_a_week"] == 1.0
    assert found["saved_a_week"] == 9.0
    assert found["interval"][0] < 1 < found["interval"][1]
    assert found["kept"] is True
    assert measure(before=10.0, events=20, days=14, promised=2.0)["kept"] is False
    assert measure(before=10.0, events=5, days=14, promised=None)["kept"] is None
    assert measure(before=1.0, events=0, days=7, promised=0.0)["interval"][0] == 0.0


# -- what is proposed


def tuned() -> tuple[Any, tuning.Tuning]:
    """A rule with as many peaks far above its limit as short ones a little above it."""
    rule = make_rule(name="Noisy")
    values = [{10: 12.0, 30: 90.0, 31: 90.0}.get(i % 40, 5.0) for i in range(2000)]
    at = np.arange(len(values), dtype=np.int64) * 10 * MINUTE
    points = Points(at, np.array(values, np.float64))
    prepared = prepare(rule, [History(1, {}, points)], 0, int(at[-1]))
    return rule, tuning.tune(rule, prepared, 0, int(at[-1]))


def test_a_tuning_becomes_a_change_with_its_backtest() -> None:
    rule, found = tuned()
    made = proposals.from_tuning(rule, found)
    assert made is not None
    assert made.action["kind"] == "update_rule"
    assert made.action["changes"]
    effect = made.effect
    assert effect["triggers_saved_a_week"] > 0
    # nobody has said which alerts were worth it: at least half of them stay
    assert effect["triggers_a_week_then"] >= effect["triggers_a_week_now"] / 2 - 0.001
    assert set(made.evidence) == {"tried", "backtest_now", "backtest_then"}
    assert made.title.startswith("Tune “Noisy”: ")


def test_a_rule_that_is_fine_is_left_alone() -> None:
    rule, found = tuned()
    assert proposals.from_tuning(rule, replace(found, candidates=[], gentle=None)) is None


@pytest.mark.parametrize(
    ("severity", "pages", "softer"),
    [("critical", 9, "warning"), ("warning", 9, "info"), ("info", 9, None), ("warning", 0, None)],
)
def test_what_nobody_acknowledges_is_said_more_softly(
    severity: str, pages: int, softer: str | None
) -> None:
    rule = {
        "rule_id": uuid4(),
        "name": "R",
        "framework_id": uuid4(),
        "severity": severity,
        "triggers": 5,
        "pages": pages,
        "pages_sleep_hours": 1,
        "acknowledged": 0,
        "auto_resolved_rate": 1.0,
    }
    made = proposals.from_noise(rule, 30)
    if softer is None:
        assert made is None
    else:
        assert made is not None
        assert made.action["changes"] == {"severity": softer}
        assert made.effect["pages_saved_a_week"] == pytest.approx(2.1)


def test_metrics_that_pull_down_and_checks_that_fail_are_proposed() -> None:
    metric = {"id": uuid4(), "name": "m", "unit": "", "value": 9.0, "target": 1.0, "limit": 5.0}
    health = {
        "categories": [
            {
                "metrics": [
                    {**metric, "score": 20.0, "weight": 1},
                    {**metric, "score": 90.0, "weight": 3},
                ]
            }
        ]
    }
    (made,) = proposals.from_health(uuid4(), "F", health)
    assert made.effect == {"health_points": 20.0}
    failing = {"name": "n", "column": "value", "says": "no gaps", "unexpected": 7}
    run = {
        "suite": "points",
        "finished_at": NOW,
        "failures": [{**failing, "severity": "warning"}, {**failing, "severity": "info"}],
    }
    (made,) = proposals.from_quality(run)
    assert made.title == "Repair the data so that this holds: no gaps"
    assert made.effect == {"failing_rows": 7}


# -- in the database


async def keep(database: Database, tenant: Tenant, *made: Proposal) -> list[Recommendation]:
    async with database.transaction(tenant.flow) as connection:
        await recommendations.save(connection, tenant.workspace_id, made, now=NOW)
    return await listed(database, tenant)


async def listed(database: Database, tenant: Tenant) -> list[Recommendation]:
    async with database.read(tenant.flow) as connection:
        return list((await store.list_recommendations(connection, tenant.workspace_id)).items)


def change_of(rule_id: object, **changes: Any) -> Proposal:
    return proposal(
        origin=Origin.TUNING,
        fingerprint=f"rule:{rule_id}:tune",
        action={"kind": "update_rule", "rule_id": str(rule_id), "changes": changes},
        actionability=90,
        effect={"triggers_saved_a_week": 3.0, "triggers_a_week_then": 1.0},
        rule_id=rule_id,
    )


async def test_they_are_listed_by_rank_page_by_page(worker: Database, tenant: Tenant) -> None:
    made = [
        proposal(fingerprint=str(i), effect={"health_points": i}, title=str(i)) for i in range(7)
    ]
    await keep(worker, tenant, *made)
    seen: list[str] = []
    cursor = None
    async with worker.read(tenant.flow) as connection:
        while True:
            page = await store.list_recommendations(
                connection, tenant.workspace_id, limit=3, cursor=cursor
            )
            seen += [one.title for one in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]
    assert len(seen) == len(set(seen)) == 7


async def test_proposing_again_changes_nothing_and_what_is_over_goes(
    worker: Database, tenant: Tenant
) -> None:
    (first,) = await keep(worker, tenant, proposal())
    (again,) = await keep(worker, tenant, proposal())
    assert (again.id, again.version) == (first.id, first.version)
    (changed,) = await keep(worker, tenant, proposal(actionability=80))
    assert (changed.id, changed.version) == (first.id, first.version + 1)
    assert await keep(worker, tenant) == []


async def test_what_another_package_wrote_gets_its_place_and_stays(
    worker: Database, tenant: Tenant
) -> None:
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute(
            "INSERT INTO convex.recommendations (workspace_id, origin, title, action,"
            " actionability, evidence, effect, fingerprint) VALUES (%s, 'pattern', 't',"
            """ '{"kind": "tune_rule"}', 80, '{}', '{"triggers_spared_a_week": 2}', 'pattern:1')""",
            (tenant.workspace_id,),
        )
    (found,) = await keep(worker, tenant)
    assert found.priority == 40.0


async def test_accepting_changes_the_rule_and_undo_changes_it_back(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    bench = await make_bench(api, tenant)
    rule = await bench.rule(for_seconds=60)
    (one,) = await keep(
        worker, tenant, change_of(rule.id, **{"for": "2h", "threshold_value": 12.5})
    )
    identity = tenant.identity(Role.EDITOR)
    async with api.transaction(identity) as connection:
        done = await recommendations.accept(connection, identity, one.id, note="ok", now=NOW)
    assert done.recommendation.state is State.ACCEPTED
    assert done.recommendation.decided_by == tenant.user_id
    assert done.recommendation.applied == {
        "kind": "update_rule",
        "rule_id": str(rule.id),
        "before": {"for": "1m", "threshold_value": 10.0},
        "after": {"for": "2h", "threshold_value": 12.5},
    }
    assert await _rule(bench, rule.id) == (7200, 12.5)
    # it is not proposed again while it is decided
    assert (await keep(worker, tenant, change_of(rule.id, **{"for": "3h"})))[
        0
    ].state is State.ACCEPTED
    async with api.transaction(identity) as connection:
        undone = await recommendations.undo(connection, identity, one.id, now=NOW)
    assert undone.recommendation.state is State.OPEN
    assert undone.recommendation.applied is None
    assert await _rule(bench, rule.id) == (60, 10.0)


async def _rule(bench: Bench, rule_id: object) -> tuple[int, float]:
    (row,) = await bench.rows(
        "SELECT for_seconds, threshold_value FROM convex.alert_rules WHERE id = %s", rule_id
    )
    return row["for_seconds"], row["threshold_value"]


async def test_what_was_changed_since_is_not_undone(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    bench = await make_bench(api, tenant)
    rule = await bench.rule()
    (one,) = await keep(worker, tenant, change_of(rule.id, threshold_value=12.5))
    identity = tenant.identity()
    async with api.transaction(identity) as connection:
        await recommendations.accept(connection, identity, one.id, now=NOW)
        await rule_service.update_rule(
            connection, identity, rule.id, {"threshold_value": 99.0}, now=NOW
        )
    with pytest.raises(Conflict):
        async with api.transaction(identity) as connection:
            await recommendations.undo(connection, identity, one.id, now=NOW)
    assert (await listed(worker, tenant))[0].state is State.ACCEPTED


async def test_a_rule_that_is_gone_cannot_be_changed(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    bench = await make_bench(api, tenant)
    rule = await bench.rule()
    (one,) = await keep(worker, tenant, change_of(rule.id, threshold_value=12.5))
    identity = tenant.identity()
    async with api.transaction(identity) as connection:
        await rule_service.delete_rule(connection, identity, rule.id, now=NOW)
        with pytest.raises(Conflict):
            await recommendations.accept(connection, identity, one.id, now=NOW)


async def test_a_rule_of_a_file_is_given_as_the_file_should_say_it(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    bench = await make_bench(api, tenant)
    rule = await bench.rule(name="From a file", provenance=Provenance.CODE)
    (one,) = await keep(worker, tenant, change_of(rule.id, threshold_value=12.5))
    identity = tenant.identity()
    async with api.transaction(identity) as connection:
        done = await recommendations.accept(connection, identity, one.id, now=NOW)
    applied = done.recommendation.applied
    assert applied is not None
    assert applied["kind"] == "code"
    assert "threshold_value: 12.5" in applied["file"]
    assert "From a file" in applied["file"]
    assert await _rule(bench, rule.id) == (0, 10.0)


@pytest.mark.parametrize(
    ("action", "table"),
    [
        (
            {
                "kind": "mute_window",
                "name": "Nights",
                "timezone": "UTC",
                "intervals": [{"start": "22:00", "end": "06:00", "days": ["mon"]}],
                "matchers": [{"label": "rule", "operator": "=", "value": "R"}],
            },
            "mute_windows",
        ),
        (
            {
                "kind": "inhibition_rule",
                "name": "A explains B",
                "source_matchers": [{"label": "rule", "operator": "=", "value": "A"}],
                "target_matchers": [{"label": "rule", "operator": "=", "value": "B"}],
                "equal_labels": [],
            },
            "inhibition_rules",
        ),
    ],
)
async def test_a_mute_is_made_and_switched_off_again(
    api: Database, worker: Database, tenant: Tenant, action: dict[str, Any], table: str
) -> None:
    (one,) = await keep(worker, tenant, proposal(origin=Origin.HEALTH, action=action))
    identity = tenant.identity(Role.EDITOR)

    async def enabled() -> list[bool]:
        async with api.read(identity) as connection:
            rows = await connection.execute(f"SELECT enabled FROM convex.{table}")
            return [row["enabled"] for row in await rows.fetchall()]

    async with api.transaction(identity) as connection:
        await recommendations.accept(connection, identity, one.id, now=NOW)
    assert await enabled() == [True]
    async with api.transaction(identity) as connection:
        await recommendations.undo(connection, identity, one.id, now=NOW)
    assert await enabled() == [False]


async def test_dismissing_needs_a_reason_and_lasts_for_a_month(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    (one,) = await keep(worker, tenant, proposal())
    identity = tenant.identity()
    with pytest.raises(InvalidInput):
        async with api.transaction(identity) as connection:
            await recommendations.dismiss(connection, identity, one.id, reason=" ", now=NOW)
    async with api.transaction(identity) as connection:
        done = await recommendations.dismiss(connection, identity, one.id, reason="no", now=NOW)
        assert (done.recommendation.state, done.recommendation.note) == (State.DISMISSED, "no")
        with pytest.raises(Conflict):
            await recommendations.accept(connection, identity, one.id, now=NOW)
    assert (await keep(worker, tenant, proposal()))[0].state is State.DISMISSED
    async with worker.transaction(tenant.flow) as connection:
        later = NOW + timedelta(days=31)
        await recommendations.save(connection, tenant.workspace_id, [proposal()], now=later)
    assert (await listed(worker, tenant))[0].state is State.OPEN


async def test_what_people_do_is_done_when_they_say_so(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    (one,) = await keep(worker, tenant, proposal())
    identity = tenant.identity()
    async with api.transaction(identity) as connection:
        accepted = await recommendations.accept(connection, identity, one.id, now=NOW)
        assert accepted.recommendation.applied == {"kind": "by_hand"}
        done = await recommendations.finish(connection, identity, one.id, now=NOW)
        assert done.recommendation.state is State.DONE
        with pytest.raises(Conflict):
            await recommendations.finish(connection, identity, one.id, now=NOW)
        with pytest.raises(PreconditionFailed):
            await recommendations.undo(connection, identity, one.id, now=NOW, expected_version=1)


async def test_nobody_decides_for_another_workspace(
    api: Database, worker: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    (one,) = await keep(worker, tenant, proposal())
    identity: Identity = other_tenant.identity()
    with pytest.raises(NotFound):
        async with api.transaction(identity) as connection:
            await recommendations.accept(connection, identity, one.id, now=NOW)


async def test_a_change_is_measured_against_what_it_promised(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    bench = await make_bench(api, tenant)
    rule = await bench.rule(deduplication_window_seconds=0)
    # one every 14 minutes: not often enough to count as flapping
    await bench.push([(i, 50.0 if i % 14 == 7 else 1.0) for i in range(112)])
    assert len(await bench.triggers()) == 8
    (one,) = await keep(worker, tenant, change_of(rule.id, threshold_value=60.0))
    identity = tenant.identity()
    async with api.transaction(identity) as connection:
        await recommendations.accept(connection, identity, one.id, now=NOW)

    async def measured(days: int) -> int:
        async with worker.transaction(tenant.flow) as connection:
            return await recommendations.measure_effects(
                connection, tenant.workspace_id, now=NOW + timedelta(days=days)
            )

    assert await measured(3) == 0  # too early to say
    assert await measured(14) == 1
    (after,) = await listed(worker, tenant)
    assert after.measured_effect is not None
    assert after.measured_effect["before_a_week"] == 2.0
    assert after.measured_effect["after_a_week"] == 0
    assert after.measured_effect["promised_a_week"] == 1.0
    assert after.measured_effect["kept"] is True


async def test_the_workspace_s_own_state_is_proposed(
    api: Database, worker: Database, tenant: Tenant
) -> None:
    bench = await make_bench(api, tenant)
    rule = await bench.rule(deduplication_window_seconds=0, recovery_threshold=10.0)
    # a little above the limit every 40 minutes, far above it in between
    high = {10: 11.0, 30: 80.0, 31: 80.0}
    await bench.push([(float(i), high.get(i % 40, 1.0)) for i in range(112)])
    async with api.transaction(tenant.identity()) as connection:
        await connection.execute(
            'UPDATE convex.metrics SET target = 0, "limit" = 5, default_aggregate = %s', ("max",)
        )
    async with worker.read(tenant.flow) as connection:
        found = await recommendations.propose(connection, tenant.workspace_id, now=NOW)
    by_origin = {one.origin: one for one in found}
    assert set(by_origin) == {Origin.TUNING, Origin.HEALTH}
    assert by_origin[Origin.TUNING].rule_id == rule.id
    assert by_origin[Origin.TUNING].evidence["backtest_now"]["triggers"] > 0
    kept = await keep(worker, tenant, *found)
    assert [one.origin for one in kept] == [one.origin for one in found]


async def test_what_claude_recommends_is_kept_once_however_it_is_worded(
    api: Database, worker: Database, tenant: Tenant, claude: Claude, server: MessagesServer
) -> None:
    def advise(words: str) -> Any:
        def answer(body: Any) -> Say:
            fact = evidence_of(body)["facts"][0]
            head = {"text": "Health is poor now.", "facts": [fact["id"]]}
            step = {"text": words, "facts": [fact["id"]], "actionability": 70}
            return Say(content(head, head, recommendations=[step]))

        return answer

    server.then(advise("Look at the health score."), advise("Have a look at the score of health."))
    for hours in (0, 24 * 8):
        order = service.Order(tenant.workspace_id, airport_pack())
        await service.write(
            lambda: api.transaction(tenant.identity(Role.EDITOR)),
            claude,
            server.settings(),
            order,
            now=NOW + timedelta(hours=hours),
        )
    (one,) = await listed(worker, tenant)
    assert one.origin is Origin.CLAUDE
    assert one.title == "Have a look at the score of health."
    assert one.evidence["facts"][0]["what"] == "health score"
    assert one.actionability == 70
