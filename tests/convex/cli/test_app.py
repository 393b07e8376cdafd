"""What holds for every command: help with an example, exit codes, one line for an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.convex.cli.conftest import Convex, run_convex

COMMANDS = [
    ["up"],
    ["down"],
    ["demo"],
    ["migrate"],
    ["serve"],
    ["doctor"],
    ["ingest"],
    ["openapi"],
    ["user", "create"],
    ["key", "create"],
    ["audit", "verify"],
    ["patterns", "run"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(command: list[str], tmp_path: Path) -> None:
    ended = run_convex(*command, "--help", variables={"CONVEX_HOME": str(tmp_path)})
    assert ended.status == 0
    assert f"convex {' '.join(command)}" in " ".join(ended.out.split()).split("Example: ")[1]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_an_output_for_machines(command: list[str], tmp_path: Path) -> None:
    ended = run_convex(*command, "--help", variables={"CONVEX_HOME": str(tmp_path)})
    assert "--json" in ended.out or command == ["demo"]  # whose last line is JSON by itself


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command 'nonsense'; see `convex --help`."),
        (["up", "--sideways"], "No such option: --sideways; see `convex up --help`."),
        (["key", "create"], "Missing parameter: name; see `convex key create --help`."),
        (["ingest", "/no/such/file.csv"], "see `convex ingest --help`."),
    ],
)
def test_wrong_usage_is_2_and_says_where_help_is(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    ended = run_convex(*arguments, variables={"CONVEX_HOME": str(tmp_path)})
    assert ended.status == 2
    assert ended.err.count("\n") == 1
    assert said in ended.err


def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    variables = {"CONVEX_HOME": str(tmp_path), "CONVEX_SMTP__PORT": "mail"}
    ended = run_convex("doctor", variables=variables)
    assert ended.status == 2
    assert "CONVEX_SMTP__PORT: " in ended.err
    assert ended.err.count("\n") == 1


def test_without_a_server_one_line_says_how_to_start_it(tmp_path: Path) -> None:
    ended = run_convex("migrate", variables={"CONVEX_HOME": str(tmp_path)})
    assert ended.status == 1
    assert ended.err.count("\n") == 1
    assert "`convex up`" in ended.err
    assert "CONVEX_DATABASE_URL" in ended.err


def test_a_server_that_does_not_answer_is_one_line_too(convex: Convex) -> None:
    ended = convex("migrate", CONVEX_DATABASE_URL="postgresql://nobody:x@127.0.0.1:9/convex")
    assert ended.status == 1
    assert ended.err.count("\n") == 1
    assert "does not answer" in ended.err


def test_migrating_a_current_database_does_nothing(convex: Convex) -> None:
    assert convex("migrate").status == 0  # the clone of a test lacks Prefect's database
    assert convex("migrate", "--json").json == {"done": []}


def test_nothing_to_stop_is_no_error(tmp_path: Path) -> None:
    ended = run_convex("down", "--json", variables={"CONVEX_HOME": str(tmp_path)})
    assert (ended.status, ended.json) == (0, {"stopped": False, "pid": None})


def test_the_document_of_the_api_can_be_had_without_a_server(tmp_path: Path) -> None:
    ended = run_convex("openapi", variables={"CONVEX_HOME": str(tmp_path)})
    assert ended.status == 0
    assert ended.json["openapi"].startswith("3.1")
    assert "/api/v1/auth/sign-in" in ended.json["paths"]
