"""Backtests and tunings over HTTP."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from api.schemas.trials import RehearsalShape, TuningShape
from tests.api.conftest import Team

_NIGHT, _NOON = 2, 12


@pytest_asyncio.fixture
async def rule(team: Team) -> dict[str, Any]:
    """Above 10; five weeks of hourly points with a peak on each Monday night and one at noon."""
    post = team.editor.post
    framework = (await post("/api/v1/frameworks", json={"slug": "ewr", "name": "Newark"})).json()
    metric = (
        await post("/api/v1/metrics", json={"framework_id": framework["id"], "name": "rate"})
    ).json()
    made = await post(
        "/api/v1/alert-rules",
        json={
            "name": "too much",
            "framework_id": framework["id"],
            "metric_id": metric["id"],
            "threshold_value": 10,
            "deduplication_window": 0,
        },
    )
    assert made.status_code == 201, made.text
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    lines = []
    for hour in range(35 * 24):
        at = end - timedelta(hours=hour)
        peak = at.weekday() == 0 and at.hour in (_NIGHT, _NOON)
        value = 5 if not peak else (20 if at.hour == _NIGHT else 40)
        lines.append(f"ewr,rate,{at.isoformat()},{value}")
    answer = await team.clients["key_ingest"].post(
        "/api/v1/points",
        content="\n".join(["framework,metric,timestamp,value", *lines]),
        headers={"content-type": "text/csv"},
    )
    assert answer.status_code == 200, answer.text
    rule: dict[str, Any] = made.json()
    return rule


def draft(rule: dict[str, Any], **changes: Any) -> dict[str, Any]:
    kept = ("name", "framework_id", "metric_id", "threshold_value", "deduplication_window")
    return {name: rule[name] for name in kept} | changes


async def test_an_unsaved_rule_is_compared_with_the_saved_one(
    rule: dict[str, Any], team: Team
) -> None:
    body = {"rule": draft(rule, threshold_value=30), "rule_id": rule["id"], "days": 35}
    answer = await team.editor.post("/api/v1/alert-rules/backtest", json=body)
    assert answer.status_code == 200, answer.text
    RehearsalShape.model_validate(answer.json())
    tested, saved = answer.json()["tested"], answer.json()["saved"]
    assert (tested["triggers"], saved["triggers"]) == (5, 10)
    assert (tested["triggers_per_week"], saved["triggers_per_week"]) == (1, 2)
    assert tested["triggers_per_week_interval"] == [1, 1]
    assert (tested["sleep_hour_share"], saved["sleep_hour_share"]) == (0, 0.5)
    assert len(tested["episodes"]) == 5
    assert answer.json()["difference"]["triggers_per_week"] == -1
    listed = (await team.viewer.get("/api/v1/alert-rules")).json()["items"]
    assert [one["threshold_value"] for one in listed] == [10]


async def test_a_backtest_finds_what_really_fired(rule: dict[str, Any], team: Team) -> None:
    alone = await team.editor.post(
        "/api/v1/alert-rules/backtest", json={"rule_id": rule["id"], "days": 35}
    )
    assert alone.json()["saved"] is None
    real = await team.viewer.get("/api/v1/alert-triggers", params={"limit": 500})
    told = {(one["opened_at"], one["resolved_at"]) for one in real.json()["items"]}
    assert {
        (one["opened_at"], one["resolved_at"]) for one in alone.json()["tested"]["episodes"]
    } == told
    marked = real.json()["items"][0]["id"]
    await team.editor.post(
        f"/api/v1/alert-triggers/{marked}/feedback", json={"feedback": "actionable"}
    )
    again = await team.editor.post(
        "/api/v1/alert-rules/backtest", json={"rule_id": rule["id"], "days": 35}
    )
    assert again.json()["tested"]["actionable"] == {"total": 1, "found": 1}


async def test_a_tuning_saves_what_nobody_needed_while_others_are_served(
    rule: dict[str, Any], team: Team
) -> None:
    real = (await team.viewer.get("/api/v1/alert-triggers", params={"limit": 500})).json()["items"]
    noon = next(one for one in real if one["value"] == 40)
    await team.editor.post(
        f"/api/v1/alert-triggers/{noon['id']}/feedback", json={"feedback": "actionable"}
    )
    url = f"/api/v1/alert-rules/{rule['id']}/tuning"
    asked = asyncio.create_task(team.editor.post(url, json={"days": 35}))
    longest = 0.0
    while not asked.done():
        started = time.perf_counter()
        assert (await team.viewer.get("/livez")).status_code == 200
        longest = max(longest, time.perf_counter() - started)
        await asyncio.sleep(0)
    answer = await asked
    assert answer.status_code == 200, answer.text
    found = answer.json()
    TuningShape.model_validate(found)
    assert found["tried"] > 20
    assert found["now"]["missed_actionable"] == 0
    lossless = [one for one in found["candidates"] if one["missed_actionable"] == 0]
    assert lossless[0]["saved_per_week"] == pytest.approx(1, abs=0.01)
    assert lossless[0]["backtest"]["triggers_per_week"] == pytest.approx(1, abs=0.01)
    assert longest < 5  # the loop was free: nothing waited for the whole of it


async def test_who_may_ask_and_for_what(rule: dict[str, Any], team: Team, other_team: Team) -> None:
    backtest = "/api/v1/alert-rules/backtest"
    url = f"/api/v1/alert-rules/{rule['id']}/tuning"
    assert (await team.viewer.post(backtest, json={"rule_id": rule["id"]})).status_code == 403
    assert (await team.viewer.post(url)).status_code == 403
    assert (await other_team.editor.post(url)).status_code == 404
    theirs = await other_team.editor.post(backtest, json={"rule_id": rule["id"]})
    assert theirs.status_code == 404
    stolen = await other_team.editor.post(backtest, json={"rule": draft(rule)})
    assert stolen.status_code == 422
    assert (await team.editor.post(backtest, json={"rule_id": str(uuid4())})).status_code == 404
    for wrong in (
        {},
        {"rule": draft(rule, for_="x")},
        {"rule": draft(rule, recovery_threshold=12)},
        {"rule_id": rule["id"], "days": 751},
        {"rule_id": rule["id"], "since": "2020-01-01T00:00:00Z"},
    ):
        answer = await team.editor.post(backtest, json=wrong)
        assert answer.status_code == 422, wrong


async def test_a_rule_says_whether_it_would_fire_now(rule: dict[str, Any], team: Team) -> None:
    path = f"/api/v1/alert-rules/{rule['id']}"
    quiet = (await team.editor.post(f"{path}/test")).json()
    assert (quiet["series"], quiet["would_fire"]) == (1, [])
    point = {"framework": "ewr", "metric": "rate", "value": 11}
    now = datetime.now(UTC) - timedelta(seconds=1)
    await team.editor.patch(path, json={"enabled": False})
    await team.editor.post(
        "/api/v1/points", json={"points": [{**point, "timestamp": now.isoformat()}]}
    )
    loud = (await team.editor.post(f"{path}/test")).json()
    assert [one["value"] for one in loud["would_fire"]] == [11]
    assert (await team.viewer.get("/api/v1/alert-triggers?state=firing")).json()["items"] == []
