"""What clients send, where it would do harm if anybody took it for more than text."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle

import cramjam
import httpx
import psycopg
import pytest

from api.app import LARGEST_BODY, create_app
from convex.settings import Settings
from tests.api.conftest import Team
from tests.api.test_access import fill

INJECTIONS = (
    "' OR '1'='1",
    "x'; DROP TABLE convex.frameworks; --",
    "') UNION SELECT email, password_hash FROM convex.users --",
    "1 AND (SELECT pg_sleep(30)) IS NULL",
    "%' OR true) --",
    "\\'; SELECT 1; --",
    "{0.__class__.__mro__} %s %(a)s $1",
)
FORMULAS = ("=1+1", "+1+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1")


def questions() -> Iterator[tuple[str, list[str]]]:
    """Every route that is read, with its parameters: a new one is tried by itself."""
    document = create_app(Settings()).openapi()
    for path, item in document["paths"].items():
        operation = item.get("get")
        if operation and operation.get("security"):
            names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            yield path.removeprefix("/api/v1"), names


async def test_sql_in_parameters_stays_text(team: Team, other_team: Team) -> None:
    made = await other_team.owner.post(
        "/api/v1/frameworks", json={"slug": "secret-of-b", "name": "B"}
    )
    assert made.status_code == 201
    tried = 0
    # A few for each parameter, in turn: a caller has a thousand requests an hour.
    some = cycle([INJECTIONS[:2], INJECTIONS[2:4], INJECTIONS[4:6], INJECTIONS[6:]])
    for path, names in questions():
        url = fill(path, {"series_id": "1", "number": "1"})
        for name in names:
            for text in next(some):
                answer = await team.owner.get(url, params={name: text}, timeout=10)
                assert answer.status_code in {200, 400, 404, 422, 304}, (path, name, answer.text)
                assert "secret-of-b" not in answer.text
                assert "argon2" not in answer.text
                tried += 1
        if "{" in path:
            for text in next(some)[:1]:
                part = httpx.URL("/", params={"q": text}).query[2:].decode()
                answer = await team.owner.get(fill(path, dict.fromkeys(_parts(path), part)))
                assert answer.status_code in {404, 422}, (path, answer.text)
    assert tried > 100
    still = await other_team.owner.get("/api/v1/frameworks/secret-of-b")
    assert still.status_code == 200


def _parts(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


async def test_sql_in_bodies_stays_text(team: Team) -> None:
    for number, text in enumerate(INJECTIONS):
        framework = await team.owner.post(
            "/api/v1/frameworks", json={"slug": f"f-{number}", "name": text, "description": text}
        )
        assert framework.status_code == 201, framework.text
        assert framework.json()["name"] == text
        at = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
        point = {"framework": f"f-{number}", "metric": text, "labels": {"a": text}}
        sent = await team.owner.post(
            "/api/v1/points", json={"points": [{**point, "timestamp": at, "value": 20}]}
        )
        assert sent.json()["accepted"] == 1, sent.text
        metrics = await team.owner.get("/api/v1/metrics", params={"framework": f"f-{number}"})
        (metric,) = metrics.json()["items"]
        rule = {
            "name": text,
            "framework_id": framework.json()["id"],
            "metric_id": metric["id"],
            "threshold_value": 10,
            "label_matchers": [{"label": "a", "operator": "=", "value": text}],
            "templates": {"title": text},
        }
        made = await team.owner.post("/api/v1/alert-rules", json=rule)
        assert made.status_code in {201, 422}, made.text
        rule.pop("templates")
        if made.status_code == 422:
            made = await team.owner.post("/api/v1/alert-rules", json=rule)
            assert made.status_code == 201, made.text
        at = datetime.now(UTC).isoformat()
        fired = await team.owner.post(
            "/api/v1/points", json={"points": [{**point, "timestamp": at, "value": 21}]}
        )
        assert len(fired.json()["triggers"]) == 1, fired.text
    listed = await team.owner.get("/api/v1/alert-triggers", params={"limit": 100})
    assert {one["rule_name"] for one in listed.json()["items"]} == set(INJECTIONS)


@pytest.mark.parametrize(
    "formula", FORMULAS, ids=["equals", "plus", "minus", "at", "tab", "return"]
)
async def test_an_export_holds_no_formula(team: Team, formula: str) -> None:
    point = {"framework": formula, "metric": formula, "labels": {}, "value": -5}
    sent = await team.owner.post(
        "/api/v1/points", json={"points": [{**point, "timestamp": "2199-01-01T00:00:00Z"}]}
    )
    assert sent.json()["rejected"] == 1
    exported = await team.owner.get("/api/v1/rejected-points/export")
    header, row = csv.reader(io.StringIO(exported.text, newline=""))
    values = dict(zip(header, row, strict=True))
    assert values["metric"] == f"'{formula}"
    assert values["value"] == "-5.0"  # a number stays one
    for cell in row:
        assert cell[:1] not in tuple("=+@\t\r\n") or _is_number(cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _deflated(wbits: int) -> bytes:
    packer = zlib.compressobj(9, wbits=wbits)
    blank = b" " * 1_000_000
    return b"".join(packer.compress(blank) for _ in range(600)) + packer.flush()


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("points", {"content-encoding": "gzip"}, _deflated(31), 413),
        ("points", {"content-encoding": "deflate"}, _deflated(15), 413),
        ("points", {"content-encoding": "zstd"}, b"\x28\xb5\x2f\xfd", 415),
        ("points", {"content-encoding": "br"}, b"\x0b", 415),
        ("points", {"content-encoding": "gzip, gzip"}, b"\x1f\x8b", 415),
        ("otlp/v1/metrics", {"content-encoding": "gzip"}, _deflated(31), 413),
        ("alert-rules/plan", {"content-encoding": "gzip"}, _deflated(31), 413),
        ("prometheus/write", {"content-encoding": "snappy"}, b"\xff\xff\xff\xff\x0f", 422),
        (
            "prometheus/write",
            {"content-encoding": "snappy"},
            bytes(cramjam.snappy.compress_raw(b"\0" * 200_000_000)),
            422,
        ),
    ],
    ids=["gzip", "deflate", "zstd", "brotli", "twice", "otlp", "rules", "length", "snappy"],
)  # fmt: skip
async def test_what_unpacks_to_too_much_is_never_unpacked(
    team: Team, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    before = _peak()
    kind = "application/x-protobuf" if path in {"prometheus/write", "otlp/v1/metrics"} else None
    answer = await team.owner.post(
        f"/api/v1/{path}",
        content=body,
        headers={**headers, "content-type": kind or "application/json"},
    )
    assert answer.status_code in {status, 413}, answer.text
    assert answer.json()["code"] in {"too_large", "unsupported_media_type", "invalid_input"}
    assert _peak() - before < 150_000_000


def _peak() -> int:
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    raise AssertionError


async def test_a_body_may_be_nested_and_long_without_harm(team: Team) -> None:
    headers = {"content-type": "application/json"}
    deep = b"[" * 100_000
    for path in ("points", "frameworks", "alertmanager/webhook"):
        answer = await team.owner.post(f"/api/v1/{path}", content=deep, headers=headers)
        assert answer.status_code in {400, 422}, answer.text
    long = {"slug": "x", "name": "n" * (LARGEST_BODY // 100)}
    answer = await team.owner.post("/api/v1/frameworks", json=long)
    assert answer.status_code == 422


async def test_secrets_are_not_at_rest_in_the_clear(team: Team, settings: Settings) -> None:
    secret = "hunter2-hunter2-hunter2"
    channel = {
        "name": "hook",
        "kind": "webhook",
        "config": {"url": f"https://example.com/hook/{secret}"},
    }
    assert (await team.owner.post("/api/v1/channels", json=channel)).status_code == 201
    key = (
        await team.owner.post("/api/v1/api-keys", json={"name": "k", "scopes": ["read"]})
    ).json()["key"]
    with psycopg.connect(settings.database_url) as admin:
        for table in ("channels", "api_keys", "audit_log", "refresh_tokens", "idempotency_keys"):
            rows = admin.execute(
                f"SELECT to_jsonb(t)::text FROM convex.{table} AS t WHERE workspace_id = %s",
                (team.workspace_id,),
            ).fetchall()
            everything = " ".join(text for (text,) in rows)
            assert key not in everything, table
            assert team.keys["read"] not in everything, table
