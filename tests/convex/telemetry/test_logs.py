"""Log lines: JSON, with the request's id, without secrets."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from convex.telemetry import bind, configure_logs, get_log, unbind
from convex.telemetry.logs import hide_secrets


@pytest.fixture
def configured() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logs("INFO", service="test")
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("configured")
def test_lines_are_json_and_carry_what_was_bound(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO", service="test")
    tokens = bind(request_id="r1")
    get_log("convex.one").info("something happened", count=3)
    logging.getLogger("convex.two").warning("old %s", "style")
    unbind(tokens)
    get_log("convex.one").info("after")
    lines = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["something happened", "old style", "after"]
    assert [line.get("request_id") for line in lines] == ["r1", "r1", None]
    assert lines[0]["count"] == 3
    assert {line["service"] for line in lines} == {"test"}
    assert lines[1]["level"] == "warning"
    assert lines[0]["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "hunter22"),
        ("refresh_token", "abc"),
        ("Authorization", "Bearer abc"),
        ("client_secret", "abc"),
        ("api_key", "abc"),
        ("note", "the key cvx_abcdefghijklmnop was used"),
        ("note", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"),
        ("note", "cannot reach redis://:s3cret@127.0.0.1:6379/0"),
        ("note", "postgresql://convex_api:s3cret@127.0.0.1/convex refused"),
        ("note", {"inner": {"password": "hunter22"}}),
        ("note", ["cvx_abcdefghijklmnop"]),
    ],
)
def test_secrets_are_hidden_wherever_they_are(name: str, value: object) -> None:
    shown = str(hide_secrets(None, "info", {"event": "x", name: value}))
    for secret in ("hunter22", "'abc'", "abcdefghijklmnop", "s3cret", "c2lnbmF0dXJl"):
        assert secret not in shown


def test_what_is_no_secret_stays() -> None:
    event = {"event": "x", "url": "http://127.0.0.1:8000/a", "count": 1, "key": "ci", "at": None}
    assert hide_secrets(None, "info", dict(event)) == event
