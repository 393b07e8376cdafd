"""Candidate, new, active, fading, gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from convex.patterns.lifecycle import APART, FADES_FOR, NEW_FOR, Life, advance
from convex.patterns.model import State

START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(hours=6)


def live(*found: bool, every: timedelta = STEP, life: Life | None = None) -> Life | None:
    """The life after runs that found it or not."""
    now = START if life is None else life.last_seen_at + every
    for number, each in enumerate(found):
        life = advance(life, found=each, now=now + every * number)
    return life


def state(life: Life | None) -> tuple[State, int] | None:
    return None if life is None else (life.state, life.runs_seen)


def test_two_runs_that_find_it_show_it() -> None:
    assert state(live(True)) == (State.CANDIDATE, 1)
    assert state(live(True, True)) == (State.NEW, 2)


def test_two_runs_on_the_same_history_do_not() -> None:
    assert state(live(True, True, every=timedelta(minutes=10))) == (State.CANDIDATE, 2)


def test_a_run_between_that_misses_it_starts_the_wait_anew() -> None:
    assert state(live(True, False)) == (State.CANDIDATE, 0)
    assert state(live(True, False, True)) == (State.CANDIDATE, 1)
    assert state(live(True, False, True, True)) == (State.NEW, 2)


def test_what_was_never_found_has_no_life() -> None:
    assert live(False, False) is None


def test_it_is_active_after_a_week() -> None:
    runs = [True] * (NEW_FOR // STEP)
    assert state(live(*runs)) == (State.NEW, len(runs))
    assert state(live(*runs, True)) == (State.ACTIVE, len(runs) + 1)


def test_it_fades_comes_back_or_is_gone_and_then_has_to_be_found_twice_again() -> None:
    shown = live(True, True)
    assert shown is not None
    faded = live(False, life=shown)
    assert faded is not None
    assert faded.state is State.FADING
    assert faded.last_seen_at == shown.last_seen_at
    assert state(advance(faded, found=True, now=START + STEP * 3)) == (State.ACTIVE, 3)
    gone = advance(faded, found=False, now=shown.last_seen_at + FADES_FOR)
    assert gone is not None
    assert gone.state is State.GONE
    assert advance(gone, found=False, now=START + FADES_FOR * 2) == gone
    assert state(advance(gone, found=True, now=START + FADES_FOR * 2)) == (State.CANDIDATE, 1)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=60))
def test_nothing_is_shown_before_two_runs_in_a_row_have_found_it(found: list[bool]) -> None:
    life, row, since = None, 0, START
    for number, each in enumerate(found):
        now = START + STEP * number
        before = life
        life = advance(life, found=each, now=now)
        row = row + 1 if each else 0
        since = now if row == 1 else since
        if life is not None and life.shown and not (before is not None and before.shown):
            assert row >= 2
            assert now - since >= APART
