"""Many connections of one sender at once: fewer transactions, and to each its own answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg

from convex.settings import Settings
from tests.api.conftest import Running, Team

NOW = datetime.now(UTC).replace(microsecond=0)


def body(gate: str, value: Any, minutes: float = -1) -> dict[str, Any]:
    at = (NOW + timedelta(minutes=minutes)).isoformat()
    labels = {"gate": gate}
    point = {"framework": "ewr", "metric": "m", "labels": labels, "timestamp": at, "value": value}
    return {"points": [point]}


async def furnish(team: Team) -> None:
    framework = await team.editor.post("/api/v1/frameworks", json={"slug": "ewr", "name": "x"})
    metric = await team.editor.post(
        "/api/v1/metrics", json={"framework_id": framework.json()["id"], "name": "m"}
    )
    rule = {
        "name": "high",
        "framework_id": framework.json()["id"],
        "metric_id": metric.json()["id"],
        "threshold_value": 10,
    }
    assert (await team.editor.post("/api/v1/alert-rules", json=rule)).status_code == 201
    for gate in "abcdef":
        sent = await team.clients["key_ingest"].post(
            "/api/v1/points", json=body(gate, 1, minutes=-2)
        )
        assert sent.json()["accepted"] == 1


async def while_one_is_held(
    settings: Settings, running: Running, team: Team, bodies: list[dict[str, Any]]
) -> list[httpx.Response]:
    """Send the first, which cannot go on, then the others, then let go."""
    client = team.clients["key_ingest"]
    with psycopg.connect(settings.database_url) as admin:
        admin.execute(
            'SELECT FROM convex.series WHERE workspace_id = %s AND labels = \'{"gate": "a"}\''
            " FOR UPDATE",
            (team.workspace_id,),
        )
        sending = [asyncio.create_task(client.post("/api/v1/points", json=bodies[0]))]
        lanes = running.resources.gatherer._lanes
        async with asyncio.timeout(20):
            while not lanes:  # noqa: ASYNC110  # the application tells in no other way
                await asyncio.sleep(0.01)
            (lane,) = lanes.values()
            for number, one in enumerate(bodies[1:], start=1):
                sending.append(asyncio.create_task(client.post("/api/v1/points", json=one)))
                while len(lane.waiting) < number:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        admin.rollback()
        return await asyncio.gather(*sending)


async def test_who_waits_for_the_same_goes_together(
    settings: Settings, running: Running, team: Team
) -> None:
    await furnish(team)
    bodies = [body("a", 1), body("b", 20), body("c", 2), body("d", 30)]
    answers = await while_one_is_held(settings, running, team, bodies)
    assert [answer.json()["accepted"] for answer in answers] == [1, 1, 1, 1]
    triggers = (await team.viewer.get("/api/v1/alert-triggers")).json()["items"]
    of_gate = {one["labels"]["gate"]: [one["id"]] for one in triggers}
    assert [answer.json()["triggers"] for answer in answers] == [[], of_gate["b"], [], of_gate["d"]]
    with psycopg.connect(settings.database_url) as admin:
        row = admin.execute(
            "SELECT count(DISTINCT p.xmin::text) FROM convex.points AS p"
            " WHERE workspace_id = %s AND timestamp = %s",
            (team.workspace_id, NOW - timedelta(minutes=1)),
        ).fetchone()
    assert row == (2,)  # the one that was held, and the others


async def test_a_point_that_is_refused_or_there_already_is_its_senders_alone(
    settings: Settings, running: Running, team: Team
) -> None:
    await furnish(team)
    bodies = [
        body("a", 1),
        body("b", 1, minutes=-2),  # there already
        body("c", 7, minutes=-2),  # a correction
        body("d", 1, minutes=60),  # in the future
        body("e", 20),
        body("e", 21, minutes=-0.5),  # the same series again
    ]
    answers = await while_one_is_held(settings, running, team, bodies)
    counts = [
        [answer.json()[name] for name in ("accepted", "corrected", "unchanged", "rejected")]
        for answer in answers
    ]
    assert counts == [
        [1, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 1],
        [1, 0, 0, 0],
        [1, 0, 0, 0],
    ]
    assert len(answers[4].json()["triggers"]) == 1
