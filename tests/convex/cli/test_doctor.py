"""`convex doctor`: each part that is not well is named, with what to do."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from convex.embedded.process import choose_port
from tests.convex.cli.conftest import Convex, Ended, run_convex


@pytest.fixture
def ports(tmp_path: Path) -> dict[str, str]:
    return {
        "CONVEX_API_PORT": str(choose_port(tmp_path, "api")),
        "CONVEX_PREFECT_PORT": str(choose_port(tmp_path, "prefect")),
    }


def found(ended: Ended) -> dict[str, dict[str, Any]]:
    return {finding["check"]: finding for finding in ended.json["findings"]}


def test_a_home_where_nothing_runs_yet_is_well(tmp_path: Path, ports: dict[str, str]) -> None:
    home = tmp_path / "new"
    ended = run_convex("doctor", "--json", variables={"CONVEX_HOME": str(home), **ports})
    findings = found(ended)
    assert ended.status == 0
    assert ended.json["well"]
    assert {name for name, finding in findings.items() if finding["result"] == "off"} == {
        "up",
        "database",
        "redis",
        "smtp",
    }
    assert not home.exists()


def test_servers_from_outside_are_asked(convex: Convex, ports: dict[str, str]) -> None:
    findings = found(convex("doctor", "--json", **ports))
    assert {name: findings[name]["result"] for name in ("database", "migrations", "redis")} == {
        "database": "ok",
        "migrations": "ok",
        "redis": "ok",
    }


@pytest.mark.parametrize(
    ("variables", "check", "words"),
    [
        ({"CONVEX_DATABASE_URL": "postgresql://x:y@127.0.0.1:9/z"}, "database", "DATABASE_URL"),
        ({"CONVEX_REDIS_URL": "redis://127.0.0.1:9/0"}, "redis", "CONVEX_REDIS_URL"),
        ({"CONVEX_SMTP__HOST": "127.0.0.1", "CONVEX_SMTP__PORT": "9"}, "smtp", "SMTP__HOST"),
    ],
)
def test_what_does_not_answer_is_a_problem(
    convex: Convex, ports: dict[str, str], variables: dict[str, str], check: str, words: str
) -> None:
    ended = convex("doctor", "--json", **ports, **variables)
    assert ended.status == 1
    assert not ended.json["well"]
    assert found(ended)[check]["result"] == "problem"
    assert words in found(ended)[check]["remedy"]


def test_a_port_that_is_taken_is_named(convex: Convex, ports: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(ports["CONVEX_API_PORT"]))):
        ended = convex("doctor", **ports)
    assert ended.status == 1
    assert f"{ports['CONVEX_API_PORT']} is taken. Set CONVEX_API_PORT" in ended.out


def test_a_schema_that_is_behind_is_named(
    convex: Convex, ports: dict[str, str], postgres: Any
) -> None:
    url = postgres.url  # the server's own database, which Convex never migrates
    ended = convex("doctor", "--json", CONVEX_DATABASE_URL=url, **ports)
    assert found(ended)["migrations"]["remedy"] == "Run: convex migrate"


def test_a_home_that_is_a_file_is_a_problem(tmp_path: Path, ports: dict[str, str]) -> None:
    (tmp_path / "file").write_text("")
    variables = {"CONVEX_HOME": str(tmp_path / "file" / "home"), **ports}
    ended = run_convex("doctor", "--json", variables=variables)
    assert ended.status == 1
    assert found(ended)["home"]["result"] == "problem"
