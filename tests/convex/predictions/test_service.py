"""Predictions from the database and back: made, verified, scored, acted upon, told."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from convex.db import Database, Role
from convex.errors import Conflict, NotFound
from convex.predictions import record, service, store
from convex.predictions.backtest import backtest_known
from convex.predictions.history import load_history
from convex.predictions.series_service import read_forecast
from convex.predictions.store import PredictionFilters
from convex.telemetry.metrics import REGISTRY
from tests.conftest import Tenant
from tests.convex.notifications import rows
from tests.convex.predictions.conftest import DAYS, NOW, Watched, make_watched


async def test_the_history_holds_rules_triggers_and_margins(
    worker: Database, watched: Watched
) -> None:
    tenant = watched.tenant
    async with worker.read(tenant.flow) as connection:
        known = await load_history(connection, tenant.workspace_id, end=NOW)
    assert [facts.name for facts in known.panel.rules] == ["busy", "quiet"]
    assert known.days == pytest.approx(DAYS)
    assert known.panel.hours == DAYS * 24
    busy, quiet = known.panel.openings.sum(axis=1).tolist()
    assert 68 <= busy <= 72
    assert quiet == 0
    fired = known.panel.openings[0] > 0
    np.testing.assert_array_equal(fired, known.panel.margins[0] > 0)
    assert known.panel.measured.tolist() == [True, False]
    assert known.panel.rules[0].series_id == watched.series_id


async def test_what_comes_later_changes_nothing_of_what_was_known(
    worker: Database, watched: Watched
) -> None:
    tenant = watched.tenant
    then = NOW - timedelta(days=10, minutes=7)
    async with worker.read(tenant.flow) as connection:
        before = await load_history(connection, tenant.workspace_id, end=then)
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute(
            "UPDATE convex.points SET value = 500 WHERE series_id = %s AND timestamp >= %s",
            (watched.series_id, then),
        )
        await connection.execute(
            "UPDATE convex.alert_triggers SET resolved_at = now() WHERE rule_id = %s"
            " AND resolved_at > %s",
            (watched.busy, then),
        )
        await connection.execute(
            "DELETE FROM convex.alert_triggers WHERE rule_id = %s AND opened_at >= %s",
            (watched.busy, then),
        )
    async with worker.read(tenant.flow) as connection:
        after = await load_history(connection, tenant.workspace_id, end=then)
    np.testing.assert_array_equal(before.panel.openings, after.panel.openings)
    np.testing.assert_array_equal(before.panel.margins, after.panel.margins)
    np.testing.assert_array_equal(before.panel.firing, after.panel.firing)


async def test_predictions_are_made_verified_and_scored(
    api: Database, worker: Database, watched: Watched
) -> None:
    tenant = watched.tenant
    made = await service.foretell(worker, tenant.workspace_id, now=NOW)
    assert made is not None
    # each rule: an alert, a loss of performance (the metric's category), an escalation (critical)
    assert made.predictions == 6
    assert set(made.cursors) == {tenant.workspace_id}
    again = await service.foretell(worker, tenant.workspace_id, now=NOW)
    assert again is not None
    assert again.predictions == 0
    viewer = tenant.identity(Role.VIEWER)
    async with api.read(viewer) as connection:
        page = await store.list_predictions(
            connection, tenant.workspace_id, PredictionFilters(), limit=50, cursor=None
        )
        cards = await record.read_references(connection, tenant.workspace_id, now=NOW)
    assert len(page.items) == 6
    found = {(one.rule_name, one.kind): one for one in page.items}
    busy = found["busy", "next_alert"]  # Monday noon: it fires at 14:00
    assert busy.confidence == "medium"
    assert busy.probability > busy.climatology
    assert busy.window_start == NOW
    assert busy.window_end == NOW + timedelta(hours=24)
    assert set(busy.inputs["experts"]) >= {"climatology", "gradient_boosting", "metric_crossing"}
    assert [action["kind"] for action in busy.preventive_actions] == ["runbook"]
    assert busy.risk_score == busy.probability
    assert found["busy", "escalation_risk"].probability <= busy.probability
    quiet = found["quiet", "next_alert"]
    assert quiet.confidence == "low"
    assert quiet.model == "climatology"
    assert quiet.probability == quiet.climatology
    assert "not enough history" in quiet.inputs["reason"]
    assert cards["next_alert"]["source"] == "hindcast"
    assert cards["next_alert"]["n"] > 100

    async with worker.transaction(tenant.flow) as connection:
        await connection.execute(
            "INSERT INTO convex.alert_triggers (workspace_id, rule_id, framework_id, fingerprint,"
            " rule_name, type, severity, reason, opened_at, last_seen_at) VALUES (%s, %s, %s, 'x',"
            " 'busy', 'threshold', 'critical', 'condition_met', %s, %s)",
            (
                tenant.workspace_id,
                watched.busy,
                watched.framework_id,
                NOW + timedelta(hours=2),
                NOW + timedelta(hours=2),
            ),
        )
    later = NOW + timedelta(hours=24)
    async with worker.transaction(tenant.flow) as connection:
        early = await service.verify_workspace(connection, tenant.workspace_id, now=later)
    assert early == 2  # of the next alerts, the last trigger may still be on its way
    later += timedelta(minutes=15)
    async with worker.transaction(tenant.flow) as connection:
        done = await service.verify_workspace(connection, tenant.workspace_id, now=later)
        twice = await service.verify_workspace(connection, tenant.workspace_id, now=later)
    assert (done, twice) == (2, 0)
    async with api.read(viewer) as connection:
        busy = await store.get_prediction(connection, tenant.workspace_id, busy.id)
        quiet = await store.get_prediction(connection, tenant.workspace_id, quiet.id)
        card = await record.read_scorecard(connection, tenant.workspace_id, now=later)
        own = await record.read_scorecard(
            connection, tenant.workspace_id, now=later, rule_id=watched.busy, kind="next_alert"
        )
    assert busy.actual_alert_triggered_at == NOW + timedelta(hours=2)
    assert busy.was_accurate == (busy.probability >= 50)
    assert quiet.actual_alert_triggered_at is None
    assert quiet.was_accurate is True
    verified = card["verified"]["all"]
    assert verified["overall"]["n"] == 4
    assert verified["horizons"]["24"]["n"] == 2
    assert verified["kinds"]["escalation_risk"]["n"] == 2
    assert card["verified"]["last_8_weeks"] == verified
    expected = (busy.probability / 100 - 1) ** 2
    assert own["verified"]["all"]["overall"]["brier"] == pytest.approx(expected, abs=1e-4)
    assert set(own["hindcast"]["horizons"]) == {"24"}
    async with worker.read(tenant.flow) as connection:
        published = await record.publish_quality(connection, now=later)
    assert set(published) == {6, 24}


async def test_what_was_done_is_noted_until_the_window_is_over_and_proposed_again(
    api: Database, worker: Database, watched: Watched, other_tenant: Tenant
) -> None:
    tenant = watched.tenant
    await service.foretell(worker, tenant.workspace_id, now=NOW)
    editor = tenant.identity(Role.EDITOR)
    async with api.transaction(editor) as connection:
        page = await store.list_predictions(
            connection,
            tenant.workspace_id,
            PredictionFilters(kinds=("escalation_risk",), rule_id=watched.busy),
            limit=50,
            cursor=None,
        )
        (one,) = page.items
        found = await service.take_action(
            connection, editor, one.id, action="Added a server", note="until 16:00", now=NOW
        )
    assert found.action_taken is not None
    assert [taken["action"] for taken in found.action_taken] == ["Added a server"]
    async with api.transaction(editor) as connection:
        with pytest.raises(Conflict):
            await service.take_action(
                connection, editor, one.id, action="x", now=NOW + timedelta(hours=6)
            )
    stranger = other_tenant.identity(Role.EDITOR)
    async with api.transaction(stranger) as connection:
        with pytest.raises(NotFound):
            await service.take_action(connection, stranger, one.id, action="x", now=NOW)
    next_day = NOW + timedelta(days=1)
    async with worker.transaction(tenant.flow) as connection:
        await service.verify_workspace(connection, tenant.workspace_id, now=next_day)
    await service.foretell(worker, tenant.workspace_id, now=next_day)
    async with api.read(editor) as connection:
        page = await store.list_predictions(
            connection,
            tenant.workspace_id,
            PredictionFilters(rule_id=watched.busy, open_at=next_day),
            limit=50,
            cursor=None,
        )
    newest = [one for one in page.items if one.made_at == next_day]
    for one in newest:
        assert [action["kind"] for action in one.preventive_actions] == [
            "worked_before",
            "runbook",
        ]
        assert one.preventive_actions[0]["title"] == "Added a server"


async def test_pages_follow_one_another(api: Database, worker: Database, watched: Watched) -> None:
    tenant = watched.tenant
    await service.foretell(worker, tenant.workspace_id, now=NOW)
    seen, cursor = [], None
    async with api.read(tenant.identity(Role.VIEWER)) as connection:
        while True:
            page = await store.list_predictions(
                connection, tenant.workspace_id, PredictionFilters(), limit=4, cursor=cursor
            )
            seen += [one.id for one in page.items]
            if (cursor := page.next_cursor) is None:
                break
    assert len(seen) == len(set(seen)) == 6


async def test_a_workspace_without_rules_has_no_predictions(
    worker: Database, tenant: Tenant
) -> None:
    assert await service.foretell(worker, tenant.workspace_id, now=NOW) is None


async def test_a_series_is_forecast_from_its_points(api: Database, watched: Watched) -> None:
    tenant = watched.tenant
    async with api.read(tenant.identity(Role.VIEWER)) as connection:
        found = await read_forecast(
            connection, tenant.workspace_id, watched.series_id, horizon=24, now=NOW
        )
    assert found["as_of"] == NOW
    assert found["reason"] is None
    values = {point["timestamp"].hour: point for point in found["points"]}
    assert len(values) == 24
    assert values[14]["value"] > 70  # Monday
    assert values[3]["value"] < 60
    assert all(
        point["lower_80"] <= point["value"] <= point["upper_80"] for point in values.values()
    )


async def test_a_backtest_scores_the_past_of_a_workspace(
    worker: Database, watched: Watched
) -> None:
    tenant = watched.tenant
    async with worker.read(tenant.flow) as connection:
        known = await load_history(connection, tenant.workspace_id, end=NOW)
    found = backtest_known(known, NOW - timedelta(days=30), None)
    assert found["rules_that_fired"] == 1
    day = found["horizons"]["24"]
    assert day["mixture"]["n"] > 150
    assert day["mixture"]["skill"] > 0.3  # weekdays at 14:00 are easily told
    assert set(day["experts"]) >= {"climatology", "blend"}
    assert day["experts"]["climatology"]["skill"] == 0


async def test_high_confidence_and_risk_is_told_to_those_who_want_it(
    worker: Database, tenant: Tenant
) -> None:
    watched = await make_watched(worker, tenant, days=130)
    async with worker.transaction(tenant.flow) as connection:
        await rows.wish(connection, tenant.workspace_id, predictions=True)
    made = await service.foretell(worker, tenant.workspace_id, now=NOW)
    assert made is not None
    async with worker.read(tenant.flow) as connection:
        page = await store.list_predictions(
            connection,
            tenant.workspace_id,
            PredictionFilters(confidences=("high",), rule_id=watched.busy),
            limit=50,
            cursor=None,
        )
        told = await rows.ledger(connection, tenant.workspace_id)
    risky = [one for one in page.items if one.risk_score >= service.NOTIFY_RISK]
    assert risky
    assert made.notified >= 1
    assert {row["kind"] for row in told} == {"prediction"}
    assert "You could: Follow the runbook" in told[0]["payload"]["lines"][1]


async def test_enough_verified_predictions_take_the_place_of_the_hindcast(
    worker: Database, watched: Watched
) -> None:
    tenant = watched.tenant
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute(
            "INSERT INTO convex.alert_predictions (workspace_id, framework_id, rule_id, kind,"
            " made_at, window_start, window_end, probability, climatology, confidence, risk_score,"
            " model, inputs, was_accurate, verified_at, actual_alert_triggered_at)"
            " SELECT %(w)s, %(f)s, %(r)s, 'next_alert', t, t, t + interval '1 day', 75, 50,"
            " 'medium', 75, 'mixture-1', '{}', true, t + interval '1 day', t"
            " FROM generate_series(%(now)s - interval '40 days', %(now)s, '1 day') AS t",
            {
                "w": tenant.workspace_id,
                "f": watched.framework_id,
                "r": watched.busy,
                "now": NOW,
            },
        )
        cards = await record.read_references(connection, tenant.workspace_id, now=NOW)
        full = await record.read_scorecard(connection, tenant.workspace_id, now=NOW)
    card = cards["next_alert"]
    assert (card["source"], card["n"], card["positives"]) == ("verified", 41, 41)
    assert card["brier"] == pytest.approx(0.0625)
    assert card["skill"] == pytest.approx(0.75)
    assert card["skill_interval"] == [0.75, 0.75]
    whole = full["verified"]["last_8_weeks"]["kinds"]["next_alert"]
    assert {name: whole[name] for name in ("n", "brier", "skill", "skill_interval")} == {
        name: card[name] for name in ("n", "brier", "skill", "skill_interval")
    }
    assert cards["anomaly_risk"]["source"] == "none"


async def test_the_published_figures_are_those_of_the_scorecard(
    worker: Database, watched: Watched
) -> None:
    tenant = watched.tenant
    async with worker.transaction(tenant.flow) as connection:
        await connection.execute(
            "INSERT INTO convex.alert_predictions (workspace_id, framework_id, rule_id, kind,"
            " made_at, window_start, window_end, probability, climatology, confidence, risk_score,"
            " model, inputs, was_accurate, verified_at, actual_alert_triggered_at)"
            " SELECT %(w)s, %(f)s, %(r)s, 'next_alert', t, t, t + interval '1 day',"
            " (n * 37) %% 101, 40, 'medium', 75, 'mixture-1', '{}', true, t + interval '1 day',"
            " CASE WHEN n %% 3 = 0 THEN t END FROM generate_series(1, 50) AS n"
            " CROSS JOIN LATERAL (SELECT %(now)s - n * interval '1 day' AS t) AS day",
            {
                "w": tenant.workspace_id,
                "f": watched.framework_id,
                "r": watched.busy,
                "now": NOW,
            },
        )
        card = await record.read_scorecard(connection, tenant.workspace_id, now=NOW)
        await record.publish_quality(connection, now=NOW)
    said = card["verified"]["last_8_weeks"]["horizons"]["24"]

    def published(name: str, **labels: str) -> float:
        found = REGISTRY.get_sample_value(f"convex_{name}", {"horizon": "24h", **labels})
        assert found is not None
        return found

    low, high = said["skill_interval"]
    assert published("predictions_verified") == said["n"] == 50
    assert published("prediction_brier") == pytest.approx(said["brier"], abs=1e-4)
    assert published("prediction_auc") == pytest.approx(said["auc"], abs=1e-3)
    assert published("prediction_calibration_error") == pytest.approx(said["ece"], abs=1e-3)
    for bound, value in (("estimate", said["skill"]), ("low", low), ("high", high)):
        assert published("prediction_skill", bound=bound) == pytest.approx(value, abs=1e-3)
