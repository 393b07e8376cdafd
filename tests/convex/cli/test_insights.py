"""`convex insights`: what is due is written, and what a key is good for is tried out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.convex.cli.conftest import Convex
from tests.convex.insights.messages_server import MessagesServer, messages_server, wrong_number


@contextmanager
def served() -> Iterator[MessagesServer]:
    """The Messages API on a thread of its own: the commands run their own event loops."""
    ready: list[MessagesServer] = []
    up, down = threading.Event(), threading.Event()

    async def serve() -> None:
        async with messages_server() as server:
            ready.append(server)
            up.set()
            await asyncio.to_thread(down.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert up.wait(30)
    try:
        yield ready[0]
    finally:
        down.set()
        thread.join(30)


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)


def test_what_is_due_is_written_from_templates_without_a_key(convex: Convex) -> None:
    convex("user", "create", "ada@example.com", "--workspace", "acme")
    ended = convex("insights", "run", "--json")
    assert ended.status == 0
    assert ended.json["workspaces"] == {
        "acme": {"claude": 0, "template": 0, "recommendations": 0}  # nothing is watched yet
    }


def test_trying_out_needs_a_key(convex: Convex) -> None:
    ended = convex("insights", "smoke")
    assert ended.status == 1
    assert "ANTHROPIC_API_KEY" in ended.err


def test_one_call_of_each_kind_is_made_and_its_cost_is_said(
    convex: Convex, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served() as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
        monkeypatch.setenv("CONVEX_INSIGHTS__BASE_URL", server.url)
        server.then(wrong_number)
        ended = convex("insights", "smoke", "--json")
    kinds = [call["kind"] for call in ended.json["calls"]]
    assert kinds == ["framework", "digest", "trigger", "strategy", "question", "plan"]
    outcomes = {call["kind"]: call["outcome"] for call in ended.json["calls"]}
    assert outcomes["framework"] == "verified after one repair"
    assert outcomes["trigger"] == "verified"
    assert outcomes["strategy"].startswith("invalid_answer")  # the stub knows no strategy
    assert ended.status == 1
    assert ended.json["cost_usd"] == pytest.approx(
        sum(call["cost_usd"] for call in ended.json["calls"])
    )
    assert ended.json["cost_usd"] > 0
