"""Points in over HTTP, and out again."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
import pytest_asyncio

from tests.api.conftest import Team

NOW = datetime.now(UTC).replace(microsecond=0)


def point(minutes: float, value: float, **more: Any) -> dict[str, Any]:
    at = (NOW + timedelta(minutes=minutes)).isoformat()
    return {"framework": "ewr", "metric": "rate", "timestamp": at, "value": value, **more}


async def send(client: httpx.AsyncClient, *points: dict[str, Any], **more: Any) -> httpx.Response:
    return await client.post("/api/v1/points", json={"points": list(points)}, **more)


@pytest_asyncio.fixture
async def framework(team: Team) -> dict[str, Any]:
    answer = await team.editor.post(
        "/api/v1/frameworks", json={"slug": "ewr", "name": "Newark", "tags": ["airport"]}
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.usefixtures("framework")
async def test_points_are_stored_evaluated_and_read_again(team: Team) -> None:
    answer = await send(team.clients["key_ingest"], *(point(-m, m) for m in range(1, 6)))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "accepted": 5,
        "corrected": 0,
        "unchanged": 0,
        "rejected": 0,
        "triggers": [],
    }
    again = await send(team.clients["key_ingest"], *(point(-m, m) for m in range(1, 6)))
    assert again.json()["unchanged"] == 5
    other = await send(team.clients["key_ingest"], point(-3, 33))
    assert other.json()["corrected"] == 1
    series = (await team.viewer.get("/api/v1/series", params={"framework": "ewr"})).json()["items"]
    assert [(s["metric"], s["framework"], s["labels"]) for s in series] == [("rate", "ewr", {})]
    raw = await team.viewer.get(f"/api/v1/series/{series[0]['id']}/points", params={"step": "0s"})
    assert [p["value"] for p in raw.json()["points"]] == [5, 4, 33, 2, 1]
    day = await team.viewer.get(
        f"/api/v1/series/{series[0]['id']}/points",
        params={
            "from": (NOW - timedelta(days=6)).isoformat(),
            "to": (NOW + timedelta(days=1)).isoformat(),
            "step": "7d",
        },
    )
    assert day.json()["step_seconds"] == 604800
    assert sum(p["count"] for p in day.json()["points"]) == 5
    assert max(p["max"] for p in day.json()["points"]) == 33
    listed = (await team.viewer.get("/api/v1/frameworks/ewr")).json()
    assert (listed["metrics"], listed["series"]) == (1, 1)
    assert listed["last_point_at"].startswith((NOW - timedelta(minutes=1)).isoformat()[:19])


@pytest.mark.usefixtures("framework")
async def test_every_form_of_a_body_says_the_same(team: Team) -> None:
    rows = [point(-m, m, metric=f"m{m}", labels={"a": "b"}) for m in range(1, 4)]
    csv = "framework,metric,timestamp,value,a\n" + "".join(
        f"ewr,{r['metric']},{r['timestamp']},{r['value']},b\n" for r in rows
    )
    bodies = {
        "application/json": orjson.dumps({"points": rows}),
        "application/json; charset=utf-8": orjson.dumps({"points": rows}),
        "application/x-ndjson": b"\n".join(orjson.dumps(row) for row in rows),
        "text/csv": csv.encode(),
    }
    counts = []
    for kind, body in bodies.items():
        answer = await team.editor.post(
            "/api/v1/points", content=body, headers={"content-type": kind}
        )
        assert answer.status_code == 200, answer.text
        counts.append((answer.json()["accepted"], answer.json()["unchanged"]))
    assert counts == [(3, 0), (0, 3), (0, 3), (0, 3)]
    packed = await team.editor.post(
        "/api/v1/points",
        content=gzip.compress(bodies["application/json"]),
        headers={"content-type": "application/json", "content-encoding": "gzip"},
    )
    assert packed.json()["unchanged"] == 3


@pytest.mark.usefixtures("framework")
async def test_bodies_that_cannot_be_read_are_refused(team: Team) -> None:
    for kind, body, status in (
        ("application/json", b"{", 422),
        ("application/json", b"[]", 422),
        ("application/json", b"", 422),
        ("text/csv", b"a,b\n1,2\n", 422),
        ("application/xml", b"<a/>", 415),
    ):
        answer = await team.editor.post(
            "/api/v1/points", content=body, headers={"content-type": kind}
        )
        assert answer.status_code == status, (kind, body, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.usefixtures("framework")
async def test_points_that_cannot_be_taken_are_kept_with_their_reason(team: Team) -> None:
    answer = await send(
        team.editor,
        point(-1, 1),
        point(60 * 24, 1),
        point(-1, 1, framework="nowhere"),
        {"framework": "ewr"},
        point(-1, 1, labels={"": "x"}),
    )
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 4)
    kept = (await team.viewer.get("/api/v1/rejected-points")).json()["items"]
    reasons = {"in_the_future", "unknown_framework", "unreadable", "invalid_labels"}
    assert {each["reason"] for each in kept} == reasons
    one = await team.viewer.get("/api/v1/rejected-points", params={"reason": "unreadable"})
    assert [each["point"] for each in one.json()["items"]] == [{"framework": "ewr"}]
    first = await team.viewer.get("/api/v1/rejected-points", params={"limit": 3})
    rest = await team.viewer.get(first.links["next"]["url"])
    assert [e["id"] for e in first.json()["items"] + rest.json()["items"]] == [
        e["id"] for e in kept
    ]


@pytest.mark.usefixtures("framework")
async def test_a_batch_sent_again_with_its_key_gets_the_same_answer(team: Team) -> None:
    headers = {"idempotency-key": uuid4().hex}
    first = await send(team.editor, point(-1, 1), headers=headers)
    again = await send(team.editor, point(-1, 1), headers=headers)
    assert first.json()["accepted"] == 1
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    other = await send(team.editor, point(-1, 2), headers=headers)
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"


@pytest.mark.usefixtures("framework")
async def test_writers_at_once_lose_nothing(team: Team) -> None:
    batches = [
        [point(-n - m / 100, m, labels={"n": str(m % 7)}) for m in range(50)] for n in range(1, 9)
    ]
    answers = await asyncio.gather(*(send(team.editor, *batch) for batch in batches))
    assert [a.status_code for a in answers] == [200] * 8
    assert sum(a.json()["accepted"] for a in answers) == 400


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("owner", 200),
        ("editor", 200),
        ("viewer", 403),
        ("key_ingest", 200),
        ("key_write", 200),
        ("key_read", 403),
        ("key_read_ingest", 200),
    ],
)
@pytest.mark.usefixtures("framework")
async def test_who_may_send(team: Team, name: str, status: int) -> None:
    assert (await send(team.clients[name], point(-1, 1))).status_code == status


@pytest.mark.usefixtures("framework")
async def test_sending_is_not_counted_against_the_hourly_limit(team: Team) -> None:
    answer = await send(team.clients["key_ingest"], point(-1, 1))
    assert "ratelimit-limit" not in answer.headers


async def test_frameworks_are_made_changed_and_removed(
    team: Team, framework: dict[str, Any]
) -> None:
    url = f"/api/v1/frameworks/{framework['id']}"
    taken = await team.editor.post("/api/v1/frameworks", json={"slug": "ewr", "name": "x"})
    assert taken.status_code == 409
    read = await team.viewer.get(url)
    assert read.json() == framework
    tag = read.headers["etag"]
    changed = await team.editor.patch(url, json={"name": "EWR"}, headers={"if-match": tag})
    assert changed.json()["name"] == "EWR"
    stale = await team.editor.patch(url, json={"name": "x"}, headers={"if-match": tag})
    assert stale.status_code == 412
    assert (await team.editor.delete(url)).status_code == 403
    assert (await team.owner.delete(url)).status_code == 204
    assert (await team.viewer.get(url)).status_code == 404


async def test_metrics_are_described(team: Team, framework: dict[str, Any]) -> None:
    made = await team.editor.post(
        "/api/v1/metrics",
        json={"framework_id": framework["id"], "name": "rate", "unit": "%", "target": 1},
    )
    assert made.status_code == 201, made.text
    url = made.headers["location"]
    equal = await team.editor.patch(url, json={"limit": 1})
    assert equal.status_code == 422
    changed = await team.editor.patch(url, json={"limit": 20, "target": None})
    assert (changed.json()["limit"], changed.json()["target"]) == (20, None)
    listed = await team.viewer.get("/api/v1/metrics", params={"framework": framework["id"]})
    assert [m["name"] for m in listed.json()["items"]] == ["rate"]
    assert (await team.owner.delete(url)).status_code == 204


@pytest.mark.usefixtures("framework")
async def test_whatever_was_rejected_can_be_read(team: Team) -> None:
    huge = 10**40
    sent = await team.editor.post(
        "/api/v1/points",
        content=f'{{"points": [{{"framework": "ewr", "value": {huge}}}]}}'.encode(),
        headers={"content-type": "application/json"},
    )
    assert sent.json()["rejected"] == 1
    kept = await team.viewer.get("/api/v1/rejected-points")
    assert kept.status_code == 200
    (one,) = kept.json()["items"]
    assert one["received_at"].endswith("Z")
    assert one["point"]["framework"] == "ewr"


@pytest.mark.usefixtures("framework")
async def test_lines_of_unknown_length_are_taken_piece_by_piece(team: Team) -> None:
    rows = 30_000
    begin = NOW - timedelta(days=3)

    async def lines() -> AsyncIterator[bytes]:
        yield b"framework,metric,timestamp,value,gate\n"
        for first in range(0, rows, 1000):
            yield b"".join(
                f"ewr,rate,{(begin + timedelta(seconds=n)).isoformat()},{n},a\n".encode()
                for n in range(first, first + 1000)
            )

    for _ in range(2):
        answer = await team.clients["key_ingest"].post(
            "/api/v1/points", content=lines(), headers={"content-type": "text/csv"}, timeout=120
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["accepted"] + answer.json()["unchanged"] == rows
    assert answer.json()["unchanged"] == rows
