"""Strategy versions and scores over the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest_asyncio

from tests.api.conftest import Running, Team
from tests.convex.frameworks.test_rubric import GOOD


@pytest_asyncio.fixture
async def path(team: Team) -> str:
    made = await team.owner.post("/api/v1/frameworks", json={"slug": "ewr", "name": "Newark"})
    return f"/api/v1/frameworks/{made.json()['id']}"


async def add(client: httpx.AsyncClient, path: str, document: str, **more: Any) -> httpx.Response:
    body = {"document": document, **more}
    return await client.post(f"{path}/strategy-versions", json=body)


async def test_versions_are_numbered_and_listed_newest_first(team: Team, path: str) -> None:
    first = await add(team.editor, path, "one\ntwo", note="first")
    assert first.status_code == 201, first.text
    assert first.json()["number"] == 1
    assert first.json()["author"]["name"] == "Editor"
    assert first.headers["location"].endswith("/strategy-versions/1")
    assert (await add(team.editor, path, "one\nthree")).json()["number"] == 2
    page = (await team.viewer.get(f"{path}/strategy-versions", params={"limit": 1})).json()
    assert [item["number"] for item in page["items"]] == [2]
    assert page["items"][0]["document"] is None
    rest = await team.viewer.get(
        f"{path}/strategy-versions", params={"limit": 1, "cursor": page["next_cursor"]}
    )
    assert [item["number"] for item in rest.json()["items"]] == [1]
    one = await team.viewer.get(f"{path}/strategy-versions/1")
    assert one.json()["document"] == "one\ntwo"


async def test_the_slug_names_the_framework_too(team: Team, path: str) -> None:
    await add(team.editor, path, "text")
    found = await team.viewer.get("/api/v1/frameworks/ewr/strategy-versions/1")
    assert found.json()["document"] == "text"


async def test_versions_that_come_at_once_get_different_numbers(team: Team, path: str) -> None:
    made = await asyncio.gather(*(add(team.editor, path, f"text {n}") for n in range(6)))
    assert sorted(one.json()["number"] for one in made) == [1, 2, 3, 4, 5, 6]


async def test_the_same_document_again_is_refused(team: Team, path: str) -> None:
    await add(team.editor, path, "text")
    again = await add(team.editor, path, "text")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_a_version_cannot_be_changed_or_removed(team: Team, path: str) -> None:
    await add(team.editor, path, "text")
    for method in ("PUT", "PATCH", "DELETE"):
        answer = await team.owner.request(method, f"{path}/strategy-versions/1")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET"


async def test_the_diff_is_between_any_two(team: Team, path: str) -> None:
    for text in ("a\nb", "a\nc", "a\nc\nd"):
        await add(team.editor, path, text)
    before = (await team.viewer.get(f"{path}/strategy-versions/3/diff")).json()
    assert (before["old"], before["new"], before["added"], before["removed"]) == (2, 3, 1, 0)
    whole = await team.viewer.get(f"{path}/strategy-versions/3/diff", params={"against": 1})
    assert (whole.json()["added"], whole.json()["removed"]) == (2, 1)
    empty = await team.viewer.get(f"{path}/strategy-versions/1/diff")
    assert (empty.json()["old"], empty.json()["added"]) == (0, 2)
    missing = await team.viewer.get(f"{path}/strategy-versions/1/diff", params={"against": 9})
    assert missing.status_code == 404


async def test_the_rubric_judges_and_says_why(team: Team, path: str) -> None:
    await add(team.editor, path, GOOD)
    made = await team.editor.post(f"{path}/strategy-scores", json={})
    assert made.status_code == 201, made.text
    score = made.json()
    assert score["scored_by"] == "rubric"
    assert score["verdict"] in {"pass", "needs_revision"}
    assert score["score"] == sum(score["sub_scores"].values()) / 6
    assert score["evidence"]["proof"][0]["quotes"]


async def test_judgements_add_up_to_a_history(team: Team, path: str) -> None:
    await add(team.editor, path, "one")
    await add(team.editor, path, "two")
    sides = ("clarity", "specificity", "outcome_focus", "proof")
    by_hand = {
        "scored_by": "hand",
        "version": 1,
        "sub_scores": dict.fromkeys((*sides, "objection_handling", "risk_removal"), 80),
        "rationale": "It convinced the board.",
    }
    await team.editor.post(f"{path}/strategy-scores", json={})
    made = await team.editor.post(f"{path}/strategy-scores", json=by_hand)
    assert made.json()["verdict"] == "pass", made.text
    history = (await team.viewer.get(f"{path}/strategy-scores", params={"limit": 1})).json()
    assert [(i["version"], i["scored_by"]) for i in history["items"]] == [(1, "hand")]
    rest = await team.viewer.get(
        f"{path}/strategy-scores", params={"cursor": history["next_cursor"]}
    )
    assert [(i["version"], i["scored_by"]) for i in rest.json()["items"]] == [(2, "rubric")]
    of_one = await team.viewer.get(f"{path}/strategy-scores", params={"version": 2})
    assert [i["scored_by"] for i in of_one.json()["items"]] == ["rubric"]


async def test_a_judgement_by_hand_needs_scores_and_a_reason(team: Team, path: str) -> None:
    await add(team.editor, path, "one")
    for body in ({"scored_by": "hand"}, {"scored_by": "rubric", "rationale": "mine"}):
        answer = await team.editor.post(f"{path}/strategy-scores", json=body)
        assert answer.status_code == 422, body


async def test_without_a_version_there_is_nothing_to_judge(team: Team, path: str) -> None:
    assert (await team.editor.post(f"{path}/strategy-scores", json={})).status_code == 404


async def test_viewers_read_and_others_see_nothing(
    team: Team, other_team: Team, path: str, running: Running
) -> None:
    await add(team.editor, path, "text")
    assert (await add(team.viewer, path, "mine")).status_code == 403
    assert (await team.viewer.post(f"{path}/strategy-scores", json={})).status_code == 403
    for tail in ("strategy-versions", "strategy-versions/1", "strategy-versions/1/diff"):
        assert (await other_team.owner.get(f"{path}/{tail}")).status_code == 404
    assert (await other_team.owner.get(f"{path}/strategy-scores")).status_code == 404
    assert (await add(other_team.owner, path, "theirs")).status_code == 404
