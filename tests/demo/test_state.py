"""The demo remembers its secret and its place between runs, for its owner's eyes only."""

from __future__ import annotations

from pathlib import Path

from demo.state import DemoState


def test_what_is_saved_is_loaded_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    state = DemoState.load(tmp_path)
    state.live_cursor = 7
    state.save(tmp_path)
    assert DemoState.load(tmp_path) == state
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600


def test_two_homes_have_different_secrets(tmp_path: Path) -> None:
    one, other = DemoState.load(tmp_path / "one"), DemoState.load(tmp_path / "other")
    assert one.webhook_secret != other.webhook_secret


def test_a_setting_of_a_later_version_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text('{"email_port": 25, "colour": "blue"}')
    assert DemoState.load(tmp_path).email_port == 25
