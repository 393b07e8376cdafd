"""`convex patterns run`: every workspace is looked at, and says what it lacks."""

from __future__ import annotations

from tests.convex.cli.conftest import Convex


def test_a_run_says_what_it_looked_at(convex: Convex) -> None:
    convex("user", "create", "ada@example.com", "--workspace", "acme")
    ended = convex("patterns", "run", "--json")
    assert ended.status == 0
    assert ended.json["patterns"] == 0
    assert ended.json["workspaces"]["acme"]["rules"] == 0
    assert {one["type"] for one in ended.json["workspaces"]["acme"]["tested"]} == {
        "seasonal",
        "cyclical",
        "correlated",
        "triggered_by",
        "escalating",
    }
    spoken = convex("patterns", "run", "--workspace", "acme")
    assert "acme: 0 patterns in 0 triggers of 0 rules" in spoken.out


def test_an_unknown_workspace_is_refused(convex: Convex) -> None:
    ended = convex("patterns", "run", "--workspace", "nowhere")
    assert (ended.status, "nowhere" in ended.err) == (1, True)
