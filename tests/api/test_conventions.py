"""What holds for every route: problems, headers, bodies, pages, conditional requests, keys."""

from __future__ import annotations

import asyncio
import gzip
import re
import sys
import zlib
from collections.abc import AsyncIterator
from subprocess import run
from uuid import uuid4

import httpx
import orjson
import pytest

from api.app import LARGEST_BODY
from convex.db import SYSTEM, Database
from convex.settings import Settings
from tests.api.conftest import Running, Team, serve, tenant_of


def check_problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"urn:convex:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == answer.request.url.path
    return body


async def test_nobody_is_told_to_authenticate(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/api/v1/me")
    check_problem(answer, 401, "not_authenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_an_unknown_path_and_an_unknown_id_are_not_found(
    anonymous: httpx.AsyncClient, team: Team
) -> None:
    check_problem(await anonymous.get("/api/v1/nothing"), 404, "not_found")
    check_problem(await team.owner.get(f"/api/v1/members/{uuid4()}"), 404, "not_found")


async def test_a_wrong_method_names_all_that_are_allowed(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.put(f"/api/v1/members/{uuid4()}")
    check_problem(answer, 405, "method_not_allowed")
    allowed = {each.strip() for each in answer.headers["allow"].split(",")}
    assert {"GET", "PATCH", "DELETE"} <= allowed
    assert "PUT" not in allowed


@pytest.mark.parametrize("path", ["/api/v1/points", "/api/v1/alert-triggers/bulk"])
async def test_reading_what_can_only_be_sent_is_a_wrong_method(
    anonymous: httpx.AsyncClient, path: str
) -> None:
    answer = await anonymous.get(path)
    check_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


async def test_the_page_takes_paths_of_its_own_and_no_others(
    anonymous: httpx.AsyncClient,
) -> None:
    page = await anonymous.get("/alerts/some-id")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-cache"
    asset = next(iter(re.findall(r"/assets/[^\"']+", page.text)))
    assert "immutable" in (await anonymous.get(asset)).headers["cache-control"]
    for path in ("/assets/none.js", "/favicon.none", "/api/none", "/..%2f..%2fpyproject.toml"):
        check_problem(await anonymous.get(path), 404, "not_found")
    check_problem(await anonymous.post("/alerts"), 404, "not_found")
    check_problem(await anonymous.delete("/api/v1/members/not-an-id"), 404, "not_found")


async def test_broken_json_is_a_bad_request(team: Team) -> None:
    answer = await team.owner.post(
        "/api/v1/api-keys", content=b'{"name": ', headers={"content-type": "application/json"}
    )
    check_problem(answer, 400, "malformed_json")


async def test_another_content_type_is_not_read(team: Team) -> None:
    answer = await team.owner.post(
        "/api/v1/api-keys", content=b"name=x", headers={"content-type": "text/plain"}
    )
    check_problem(answer, 415, "unsupported_media_type")
    answer = await team.owner.post(
        "/api/v1/api-keys", content=b"{}", headers={"content-encoding": "br"}
    )
    check_problem(answer, 415, "unsupported_media_type")


async def test_wrong_values_are_listed_by_place(team: Team) -> None:
    answer = await team.owner.post("/api/v1/api-keys", json={"name": "", "scopes": ["x"], "y": 1})
    body = check_problem(answer, 422, "invalid_input")
    errors = body["errors"]
    assert isinstance(errors, list)
    assert {tuple(each["loc"][:2]) for each in errors} == {
        ("body", "name"),
        ("body", "scopes"),
        ("body", "y"),
    }


@pytest.mark.parametrize("cursor", ["x", "W10", "bnVsbA", "%00", "WyJhIiwgImIiXQ", "é"])
async def test_a_cursor_that_nobody_gave_out_is_refused(team: Team, cursor: str) -> None:
    answer = await team.owner.get("/api/v1/api-keys", params={"cursor": cursor})
    check_problem(answer, 422, "invalid_input")


async def test_pages_lead_through_everything_once(team: Team) -> None:
    for number in range(5):
        await team.owner.post(
            "/api/v1/api-keys", json={"name": f"key {number}", "scopes": ["read"]}
        )
    seen: list[str] = []
    answer = await team.owner.get("/api/v1/api-keys", params={"limit": 2})
    while True:
        seen += [item["name"] for item in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            assert "link" not in answer.headers
            break
        link = answer.links["next"]["url"]
        assert "limit=2" in link
        answer = await team.owner.get(link)
    assert len(seen) == len(set(seen)) == 9
    assert seen[0] == "key 4"


async def test_a_client_that_has_it_gets_304(team: Team) -> None:
    first = await team.owner.get("/api/v1/me")
    tag = first.headers["etag"]
    assert tag.startswith('"')
    again = await team.owner.get("/api/v1/me", headers={"if-none-match": f'"x", {tag}'})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == tag


async def test_if_match_refuses_what_was_changed_meanwhile(team: Team) -> None:
    url = f"/api/v1/workspaces/{team.workspace_id}"
    tag = (await team.owner.get(url)).headers["etag"]
    changed = await team.owner.patch(url, json={"name": "One"}, headers={"if-match": tag})
    assert changed.status_code == 200
    answer = await team.owner.patch(url, json={"name": "Two"}, headers={"if-match": tag})
    check_problem(answer, 412, "precondition_failed")
    tag = changed.headers["etag"]
    assert (await team.owner.get(url)).headers["etag"] == tag
    again = await team.owner.patch(url, json={"name": "Two"}, headers={"if-match": tag})
    assert again.json()["name"] == "Two"
    weak = await team.owner.patch(
        url, json={"name": "x"}, headers={"if-match": f"W/{again.headers['etag']}"}
    )
    assert weak.status_code == 412


async def test_large_answers_are_compressed_under_a_tag_of_their_own(team: Team) -> None:
    for number in range(10):
        await team.owner.post(
            "/api/v1/api-keys", json={"name": f"key {number}", "scopes": ["read"]}
        )
    plain = await team.owner.get("/api/v1/api-keys", headers={"accept-encoding": "identity"})
    packed = await team.owner.get("/api/v1/api-keys", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert packed.headers["etag"] != plain.headers["etag"]
    for answer in (plain, packed):
        assert answer.headers["vary"] == "Accept-Encoding"
        again = await team.owner.get(
            "/api/v1/api-keys", headers={"if-none-match": answer.headers["etag"]}
        )
        assert again.status_code == 304


@pytest.mark.parametrize("wbits", [16 + zlib.MAX_WBITS, zlib.MAX_WBITS])
async def test_compressed_requests_are_read(team: Team, wbits: int) -> None:
    packer = zlib.compressobj(wbits=wbits)
    body = packer.compress(orjson.dumps({"name": "k", "scopes": ["read"]})) + packer.flush()
    encoding = "gzip" if wbits > 16 else "deflate"
    headers = {"content-encoding": encoding, "content-type": "application/json"}
    answer = await team.owner.post("/api/v1/api-keys", content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    cut = await team.owner.post("/api/v1/api-keys", content=body[:-12], headers=headers)
    check_problem(cut, 422, "invalid_input")
    wrong = await team.owner.post("/api/v1/api-keys", content=b"{}", headers=headers)
    check_problem(wrong, 422, "invalid_input")


async def test_too_large_bodies_and_bombs_are_refused(team: Team) -> None:
    headers = {"content-type": "application/json"}

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_BODY // 1_000_000 + 2):
            yield b" " * 1_000_000

    answer = await team.owner.post("/api/v1/api-keys", content=endless(), headers=headers)
    check_problem(answer, 413, "too_large")
    bomb = gzip.compress(b" " * (LARGEST_BODY + 10))
    answer = await team.owner.post(
        "/api/v1/api-keys", content=bomb, headers={**headers, "content-encoding": "gzip"}
    )
    check_problem(answer, 413, "too_large")


async def test_a_request_sent_again_gets_the_same_answer_and_changes_nothing(
    team: Team, worker: Database
) -> None:
    headers = {"idempotency-key": uuid4().hex}
    body = {"name": "once", "scopes": ["read"]}
    answers = [
        await team.owner.post("/api/v1/api-keys", json=body, headers=headers) for _ in range(3)
    ]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert [a.headers.get("idempotency-replayed") for a in answers] == [None, "true", "true"]
    listed = (await team.owner.get("/api/v1/api-keys")).json()["items"]
    assert [key["name"] for key in listed].count("once") == 1
    other = await team.owner.post("/api/v1/api-keys", json={**body, "name": "x"}, headers=headers)
    check_problem(other, 422, "idempotency_key_reused")
    async with worker.read(tenant_of(team).flow) as connection:
        stored = await (
            await connection.execute("SELECT response::text AS text FROM convex.idempotency_keys")
        ).fetchone()
    assert stored is not None
    assert answers[0].json()["key"] not in stored["text"]


async def test_a_request_that_failed_may_be_sent_again_with_its_key(team: Team) -> None:
    headers = {"idempotency-key": "again"}
    bad = {"email": "x@example.com", "name": "X", "password": "a long password", "role": "viewer"}
    taken = await team.owner.post(
        "/api/v1/members", json={**bad, "email": team.emails["viewer"]}, headers=headers
    )
    assert taken.status_code == 409
    await team.owner.delete(f"/api/v1/members/{team.users['viewer']}")
    again = await team.owner.post(
        "/api/v1/members", json={**bad, "email": team.emails["viewer"]}, headers=headers
    )
    assert again.status_code == 201


async def test_of_requests_at_once_with_one_key_one_does_the_work(team: Team) -> None:
    headers = {"idempotency-key": uuid4().hex}
    body = {"name": "race", "scopes": ["read"]}
    answers = await asyncio.gather(
        *(team.owner.post("/api/v1/api-keys", json=body, headers=headers) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.content for answer in made}) == 1
    for answer in answers:
        if answer.status_code == 409:
            check_problem(answer, 409, "request_in_flight")
    listed = (await team.owner.get("/api/v1/api-keys")).json()["items"]
    assert [key["name"] for key in listed].count("race") == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "ü".encode()])
async def test_an_unusable_idempotency_key_is_refused(team: Team, key: str | bytes) -> None:
    answer = await team.owner.post(
        "/api/v1/api-keys",
        json={"name": "k", "scopes": ["read"]},
        headers={b"idempotency-key": key if isinstance(key, bytes) else key.encode()},
    )
    check_problem(answer, 422, "invalid_input")


async def test_limits_are_counted_down_and_told(running: Running, team: Team) -> None:
    first = await team.editor.get("/api/v1/me")
    second = await team.editor.get("/api/v1/me")
    assert first.headers["ratelimit-limit"] == "1000"
    assert first.headers["ratelimit-policy"] == "1000;w=3600"
    left = int(first.headers["ratelimit-remaining"])
    assert int(second.headers["ratelimit-remaining"]) == left - 1
    name = f"{team.workspace_id}:user:{team.users['editor']}"
    for _ in range(left):
        await running.resources.limiter.hit(name, 1000, 3600, running.resources.now())
    refused = await team.editor.get("/api/v1/me")
    check_problem(refused, 429, "too_many_requests")
    assert refused.headers["ratelimit-remaining"] == "0"
    assert refused.headers["retry-after"] == refused.headers["ratelimit-reset"]
    assert (await team.viewer.get("/api/v1/me")).status_code == 200


async def test_every_answer_has_an_id_and_protective_headers(
    anonymous: httpx.AsyncClient,
) -> None:
    for path in ("/livez", "/api/v1/nothing", "/openapi.json", "/docs/api"):
        answer = await anonymous.get(path, headers={"x-request-id": "abc-1"})
        assert answer.headers["x-request-id"] == "abc-1"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors" in answer.headers["content-security-policy"]
    odd = await anonymous.get("/livez", headers={"x-request-id": "a b<script>"})
    assert "<" not in odd.headers["x-request-id"]


async def test_the_reference_needs_no_other_host(anonymous: httpx.AsyncClient) -> None:
    page = await anonymous.get("/docs/api")
    assert page.headers["content-type"].startswith("text/html")
    assert "//" not in page.text.replace("<!doctype html>", "")
    script = await anonymous.get("/docs/api/vendor/redoc.standalone.js")
    assert script.status_code == 200
    assert len(script.content) > 500_000


async def test_docs_that_were_not_built_yet_are_not_found(anonymous: httpx.AsyncClient) -> None:
    check_problem(await anonymous.get("/docs/dbt/"), 404, "not_found")
    assert (await anonymous.get("/docs/dbt")).status_code == 307


async def test_documents_of_the_home_are_served(
    running: Running, anonymous: httpx.AsyncClient
) -> None:
    folder = running.resources.settings.home / "docs" / "dbt"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("<p>marts</p>")
    try:
        page = await anonymous.get("/docs/dbt/")
        assert page.text == "<p>marts</p>"
        for outside in ("../secrets.json", "..%2f..%2fsecrets.json", "%2e%2e/secrets.json"):
            assert (await anonymous.get(f"/docs/dbt/{outside}")).status_code == 404
    finally:
        (folder / "index.html").unlink()
        folder.rmdir()


async def test_probes_say_what_is_missing(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/livez")).json() == {"status": "alive"}
    ready = await anonymous.get("/readyz")
    assert ready.status_code == 503
    checks = ready.json()["checks"]
    assert [name for name, check in checks.items() if not check["ok"]] == ["alert_flow"]
    assert checks["alert_flow"]["detail"]


async def test_ready_while_an_alert_flow_holds_its_lock(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    async with (
        serve(fresh_settings) as running,
        httpx.AsyncClient(base_url=running.url) as client,
    ):
        async with fresh_worker.read(SYSTEM) as connection:
            await connection.execute("SELECT convex.hold_alert_flow()")
            assert (await client.get("/readyz")).status_code == 200
            await connection.execute("SELECT pg_advisory_unlock_all()")
        assert (await client.get("/readyz")).status_code == 503


async def test_metrics_are_exposed_in_both_formats(anonymous: httpx.AsyncClient) -> None:
    plain = await anonymous.get("/metrics")
    assert "# TYPE convex_websocket_connections gauge" in plain.text
    assert 'convex_http_requests_total{method="GET"' in plain.text
    modern = await anonymous.get(
        "/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0"}
    )
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")


async def test_the_health_score_has_its_parts(team: Team) -> None:
    body = (await team.viewer.get("/api/v1/system/health")).json()
    assert body["score"] == 70
    assert sum(part["points"] for part in body["parts"]) == body["score"]


def test_the_api_imports_nothing_heavy() -> None:
    heavy = ("great_expectations", "dbt", "sklearn", "anthropic", "prefect", "pandas", "scipy")
    program = (
        "import sys, api.app; api.app.create_app().openapi();"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    ended = run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
