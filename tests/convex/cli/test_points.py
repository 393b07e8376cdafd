"""`convex ingest`: a file becomes points, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.convex.cli.conftest import Convex


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """Three points and one that is none, under a name with letters that patterns use."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=4)
    rows = [f"{(start + timedelta(hours=hour)).isoformat()},{hour}.5" for hour in range(3)]
    file = tmp_path / "points[1].csv"
    file.write_text("\n".join(["timestamp,value", *rows, f"{start.isoformat()},nan"]) + "\n")
    return file


def test_a_file_is_taken_up_and_again_without_effect(convex: Convex, points: Path) -> None:
    convex("user", "create", "ada@example.com")
    command = ("ingest", str(points), "--framework", "shop", "--metric", "errors", "--json")
    first = convex(*command)
    assert first.status == 0, first.err
    assert first.json["accepted"] == 3
    assert first.json["rejected"] == 1
    again = convex(*command).json
    assert (again["accepted"], again["unchanged"]) == (0, 3)


def test_it_says_what_the_file_lacks(convex: Convex, points: Path) -> None:
    convex("user", "create", "ada@example.com")
    ended = convex("ingest", str(points))
    assert ended.status == 1
    assert ended.err.count("\n") == 1


def test_it_needs_a_workspace(convex: Convex, points: Path) -> None:
    ended = convex("ingest", str(points), "--framework", "shop", "--metric", "errors")
    assert ended.status == 1
    assert "none yet" in ended.err


def test_a_file_of_which_nothing_can_be_taken_up_has_failed(convex: Convex, tmp_path: Path) -> None:
    convex("user", "create", "ada@example.com")
    file = tmp_path / "strange.csv"
    file.write_text("framework,metric,timestamp,value\nnowhere,errors,2026-01-01T00:00:00Z,1\n")
    ended = convex("ingest", str(file))
    assert ended.status == 1
    assert "1 rejected" in ended.out
