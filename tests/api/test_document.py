"""The OpenAPI document: complete, and true under fuzzing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from jsonschema import Draft202012Validator, FormatChecker
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from api.problems import MEDIA_TYPE
from convex.db import Database
from convex.db.roles import role_url
from convex.settings import Settings
from tests.api.conftest import make_team, serve

DOCUMENT: dict[str, Any] = create_app(Settings()).openapi()
OPERATIONS = [
    (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]
# Signing in costs hashing, changing the password ends the session, probes are 503 in a test, and
# the marts are not built here.
LEFT_OUT = ("/auth/", "/me/password", "/readyz", "/metrics", "/analytics/", "unsubscribe")
BINARY = {"application/x-protobuf", "application/zip", "parquet"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def test_the_document_says_what_it_is() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert DOCUMENT["info"]["description"]
    assert {tag["name"] for tag in DOCUMENT["tags"]} >= {
        tag for _, _, operation in OPERATIONS for tag in operation["tags"]
    }
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))
    assert [name for name in ids if "api_v" in name] == []
    assert [name for name in DOCUMENT["components"]["schemas"] if "__" in name] == []


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_every_operation_is_described_with_its_problems(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert any(status.startswith(("2", "302")) for status in operation["responses"])
    if path.startswith("/api/v1"):
        for status in ("422", "429", "503"):
            assert operation["responses"][status] == {
                "$ref": f"#/components/responses/Problem{status}"
            }
    if "{" in path:
        assert "404" in operation["responses"]
    if operation.get("security"):
        assert {"401", "403"} <= operation["responses"].keys()


def examples() -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every example of a JSON body: where it is, its schema, and itself."""
    for method, path, operation in OPERATIONS:
        bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for name, body in bodies.items():
            media = body.get("content", {}).get("application/json", {})
            if "example" in media:
                yield f"{method} {path} {name}", media["schema"], media["example"]


@pytest.mark.parametrize(
    ("schema", "example"), [pytest.param(*rest, id=where) for where, *rest in examples()]
)
def test_every_example_is_what_its_schema_says(schema: dict[str, Any], example: Any) -> None:
    whole = {**schema, "components": DOCUMENT["components"]}
    found = Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(example)
    assert [f"{error.json_path}: {error.message}" for error in found] == []


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_every_body_has_an_example(method: str, path: str, operation: dict[str, Any]) -> None:
    bodies = [operation.get("requestBody", {})]
    bodies += [body for status, body in operation["responses"].items() if status[0] == "2"]
    for body in bodies:
        for kind, media in body.get("content", {}).items():
            if kind.split(".")[-1] not in BINARY:
                assert "example" in media or "examples" in media, (method, path, kind)


def test_problems_are_documents_of_their_own_type() -> None:
    for response in DOCUMENT["components"]["responses"].values():
        assert list(response["content"]) == [MEDIA_TYPE]


@pytest.fixture(scope="module")
def address(settings: Settings, password_hash: str) -> Iterator[tuple[str, str]]:
    """The application in a thread of its own, and an owner's token: the fuzzer is synchronous."""
    ready: Future[tuple[str, str]] = Future()
    stop = threading.Event()

    async def run() -> None:
        async with (
            Database.open(role_url(settings, "convex_worker")) as worker,
            serve(settings) as running,
        ):
            team = await make_team(running, worker, password_hash)
            for client in team.clients.values():
                await client.aclose()
            ready.set_result((running.url, team.token("owner")))
            await asyncio.to_thread(stop.wait)

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield ready.result(timeout=60)
    finally:
        stop.set()
        thread.join(timeout=30)


@schemathesis.serializer("application/x-protobuf")
def _as_bytes(_: Any, value: Any) -> bytes:
    """What is no message of any kind, which is what a fuzzer has."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(autouse=True)
def no_hourly_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuzzer sends more than a person."""
    monkeypatch.setattr("api.dependencies.HOURLY_REQUESTS", 10**9)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (method, path)
        for method, path, _ in OPERATIONS
        if not any(part in path for part in LEFT_OUT)
    ],
)
def test_no_request_gets_an_answer_that_is_not_documented(
    method: str, path: str, address: tuple[str, str]
) -> None:
    url, token = address
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.config.update(base_url=url)
    strategy = schema[path][method.upper()].as_strategy()

    @given(case=strategy)
    @hypothesis_settings(
        max_examples=8,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Any) -> None:
        if case.media_type not in (None, "application/json"):
            case.media_type = "application/json"
        response = case.call(headers={"Authorization": f"Bearer {token}"})
        case.validate_response(response, checks=CHECKS)

    send()
