"""Silences, mute windows and inhibition rules over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.schemas.mutes import InhibitionShape, MuteWindowShape
from tests.api.conftest import Team


def fits(label: str, value: str, operator: str = "=") -> dict[str, str]:
    return {"label": label, "operator": operator, "value": value}


def silence(*matchers: dict[str, str], **more: Any) -> dict[str, Any]:
    end = datetime.now(UTC) + timedelta(hours=1)
    return {"matchers": list(matchers), "ends_at": end.isoformat(), "reason": "works"} | more


WINDOW: dict[str, Any] = {
    "name": "nights",
    "matchers": [fits("framework", "ewr")],
    "timezone": "Europe/Berlin",
    "intervals": [{"days": ["sat", "mon"], "start": "22:00", "end": "06:00"}],
}
INHIBITION: dict[str, Any] = {
    "name": "closed",
    "source_matchers": [fits("severity", "critical")],
    "target_matchers": [fits("severity", "warning")],
    "equal_labels": ["framework"],
}


async def many_open(team: Team, count: int) -> None:
    """That many open triggers of two metrics, most of them of the first."""
    post = team.editor.post
    framework = (await post("/api/v1/frameworks", json={"slug": "ewr", "name": "Newark"})).json()
    points = []
    for number, metric in enumerate(("delay", "noise")):
        made = await post("/api/v1/metrics", json={"framework_id": framework["id"], "name": metric})
        rule = await post(
            "/api/v1/alert-rules",
            json={
                "name": f"{metric} is high",
                "framework_id": framework["id"],
                "metric_id": made.json()["id"],
                "threshold_value": 10,
            },
        )
        assert rule.status_code == 201, rule.text
        points += [
            {
                "framework": "ewr",
                "metric": metric,
                "labels": {"gate": str(gate)},
                "timestamp": datetime.now(UTC).isoformat(),
                "value": 20,
            }
            for gate in range(2 if number else count - 2)
        ]
    sent = await team.clients["key_ingest"].post("/api/v1/points", json={"points": points})
    assert len(sent.json()["triggers"]) == count, sent.text


async def test_a_silence_that_would_mute_most_of_what_is_open_wants_confirmation(
    team: Team,
) -> None:
    await many_open(team, 12)
    wide, narrow = fits("rule", "delay is high"), fits("metric", "noise")
    preview = await team.viewer.post("/api/v1/silences/preview", json={"matchers": [wide]})
    assert (preview.json()["matching"], preview.json()["open"]) == (10, 12)
    assert "10 of the 12" in preview.json()["too_broad"]
    refused = await team.editor.post("/api/v1/silences", json=silence(wide))
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "10 of the 12" in refused.json()["detail"]
    made = await team.editor.post("/api/v1/silences", json=silence(wide, confirm_broad=True))
    assert made.status_code == 201, made.text
    preview = await team.viewer.post("/api/v1/silences/preview", json={"matchers": [narrow]})
    assert (preview.json()["matching"], preview.json()["too_broad"]) == (2, None)
    small = await team.editor.post("/api/v1/silences", json=silence(narrow))
    assert small.status_code == 201, small.text
    url = f"/api/v1/silences/{small.json()['id']}"
    grown = await team.editor.patch(url, json={"matchers": [wide]})
    assert grown.status_code == 409
    longer = {"ends_at": (datetime.now(UTC) + timedelta(hours=2)).isoformat()}
    assert (await team.editor.patch(url, json=longer)).status_code == 200


@pytest.mark.parametrize(
    ("matcher", "broad"),
    [
        (fits("gate", ".*", "=~"), True),
        (fits("gate", ".+", "=~"), True),
        (fits("gate", "a?", "=~"), True),
        (fits("gate", "", "="), True),
        (fits("gate", "a", "!="), True),
        (fits("gate", "a", "!~"), True),
        (fits("gate", "a.*", "=~"), False),
        (fits("severity", "critical"), False),
    ],
)
async def test_matchers_that_narrow_nothing_want_confirmation(
    team: Team, matcher: dict[str, str], broad: bool
) -> None:
    answer = await team.editor.post("/api/v1/silences", json=silence(matcher))
    assert answer.status_code == (409 if broad else 201), answer.text
    with_another = silence(matcher, fits("framework", "ewr"))
    assert (await team.editor.post("/api/v1/silences", json=with_another)).status_code == 201


async def test_a_silence_has_an_end_and_its_author_is_who_asks(team: Team) -> None:
    body = silence(fits("framework", "ewr"))
    endless = {name: value for name, value in body.items() if name != "ends_at"}
    assert (await team.editor.post("/api/v1/silences", json=endless)).status_code == 422
    forged = body | {"author": str(team.users["owner"])}
    assert (await team.editor.post("/api/v1/silences", json=forged)).status_code == 422
    hanging = silence(fits("gate", "(a+)+(?=b)", "=~"))
    assert (await team.editor.post("/api/v1/silences", json=hanging)).status_code == 422
    made = (await team.editor.post("/api/v1/silences", json=body)).json()
    assert (made["author"]["name"], made["state"]) == ("Editor", "active")
    url = f"/api/v1/silences/{made['id']}"
    over = await team.editor.patch(url, json={"ends_at": datetime.now(UTC).isoformat()})
    assert over.json()["state"] == "expired"
    assert (await team.editor.patch(url, json={"reason": "more"})).status_code == 422


@pytest.mark.parametrize(
    ("path", "body", "shape"),
    [
        ("mute-windows", WINDOW, MuteWindowShape),
        ("inhibition-rules", INHIBITION, InhibitionShape),
    ],
)
async def test_they_are_made_read_changed_and_removed(
    team: Team, other_team: Team, path: str, body: dict[str, Any], shape: Any
) -> None:
    made = await team.editor.post(f"/api/v1/{path}", json=body)
    assert made.status_code == 201, made.text
    shape.model_validate(made.json())
    assert made.json()["author"]["name"] == "Editor"
    assert (await team.viewer.post(f"/api/v1/{path}", json=body)).status_code == 403
    url = f"/api/v1/{path}/{made.json()['id']}"
    assert made.headers["location"] == url
    read = await team.viewer.get(url)
    assert read.json() == made.json()
    assert (await other_team.owner.get(url)).status_code == 404
    changed = await team.editor.patch(
        url, json={"enabled": False}, headers={"if-match": read.headers["etag"]}
    )
    assert changed.json() == read.json() | {
        "enabled": False,
        "version": 2,
        "updated_at": changed.json()["updated_at"],
    }
    late = await team.editor.patch(
        url, json={"enabled": True}, headers={"if-match": read.headers["etag"]}
    )
    assert late.status_code == 412
    await team.editor.post(f"/api/v1/{path}", json=body | {"name": "zzz"})
    first = await team.viewer.get(f"/api/v1/{path}", params={"limit": 1})
    second = await team.viewer.get(
        f"/api/v1/{path}", params={"limit": 1, "cursor": first.json()["next_cursor"]}
    )
    names = [page.json()["items"][0]["name"] for page in (first, second)]
    assert names == [body["name"], "zzz"]
    assert second.json()["next_cursor"] is None
    assert (await team.editor.delete(url)).status_code == 403
    assert (await other_team.owner.delete(url)).status_code == 404
    assert (await team.owner.delete(url)).status_code == 204
    assert (await team.viewer.get(url)).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "wrong"),
    [
        ("mute-windows", WINDOW, {"timezone": "Europe/Atlantis"}),
        ("mute-windows", WINDOW, {"timezone": "../etc/passwd"}),
        ("mute-windows", WINDOW, {"timezone": "/etc/passwd"}),
        ("mute-windows", WINDOW, {"intervals": []}),
        ("mute-windows", WINDOW, {"intervals": [{"start": "9:00", "end": "10:00"}]}),
        ("mute-windows", WINDOW, {"intervals": [{"start": "24:00", "end": "10:00"}]}),
        ("mute-windows", WINDOW, {"intervals": [{"start": "10:00", "end": "10:00"}]}),
        ("mute-windows", WINDOW, {"intervals": [{"start": "10:00"}]}),
        ("mute-windows", WINDOW, {"matchers": []}),
        ("mute-windows", WINDOW, {"matchers": [fits("gate", "(", "=~")]}),
        ("mute-windows", WINDOW, {"name": " "}),
        ("inhibition-rules", INHIBITION, {"target_matchers": INHIBITION["source_matchers"]}),
        ("inhibition-rules", INHIBITION, {"source_matchers": []}),
        ("inhibition-rules", INHIBITION, {"equal_labels": ["a", "a"]}),
    ],
)
async def test_what_cannot_work_is_refused(
    team: Team, path: str, body: dict[str, Any], wrong: dict[str, Any]
) -> None:
    answer = await team.editor.post(f"/api/v1/{path}", json=body | wrong)
    assert answer.status_code == 422, answer.text


async def test_days_are_shown_in_the_order_of_the_week(team: Team) -> None:
    made = (await team.editor.post("/api/v1/mute-windows", json=WINDOW)).json()
    assert made["intervals"] == [{"days": ["mon", "sat"], "start": "22:00", "end": "06:00"}]
