"""Triggers that lie close together are one episode."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from convex.patterns.episodes import GAP, REACH, merge
from convex.patterns.model import DAY, HOUR, MINUTE, NEVER, History, Subject

triggers = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 300), st.one_of(st.none(), st.integers(0, 90))),
    max_size=40,
)


def history(rows: list[tuple[int, int, int | None]]) -> History:
    """(subject, minute of opening, minutes open or None for open)."""
    opened = np.array([at * 10 * MINUTE for _, at, _ in rows], np.int64)
    lasts = [NEVER if m is None else at * 10 * MINUTE + m * MINUTE for _, at, m in rows]
    return History(
        [Subject(str(n), str(n), "f") for n in range(3)],
        np.array([s for s, _, _ in rows], np.int64),
        opened,
        np.array(lasts, np.int64),
        10 * DAY,
    )


def plainly(rows: list[tuple[int, int, int | None]], subject: int) -> list[int]:
    """Starts of episodes, found one trigger after the other."""
    starts: list[int] = []
    reach = -1
    mine = sorted(((at * 10, m) for s, at, m in rows if s == subject), key=lambda each: each[0])
    for at, minutes in mine:
        if not starts or at * MINUTE > reach + GAP:
            starts.append(at)
            reach = -1
        lasts = REACH if minutes is None else min(minutes * MINUTE, REACH)
        reach = max(reach, at * MINUTE + lasts)
    return starts


@settings(deadline=None)
@given(triggers)
def test_episodes_are_those_of_the_plain_loop(rows: list[tuple[int, int, int | None]]) -> None:
    merged = merge(history(rows))
    for subject in range(3):
        assert (merged.starts_of(subject) // MINUTE).tolist() == plainly(rows, subject)


@settings(deadline=None)
@given(triggers, st.randoms(use_true_random=False))
def test_every_trigger_belongs_to_one_episode_whatever_their_order(
    rows: list[tuple[int, int, int | None]], random: Random
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = merge(history(rows)), merge(history(shuffled))
    assert one.start.tolist() == other.start.tolist()
    assert one.end.tolist() == other.end.tolist()
    behind = [
        row
        for subject in range(3)
        for row in one.rows_of(subject, np.ones(one.counts[subject], np.bool_)).tolist()
    ]
    assert sorted(behind) == list(range(len(rows)))


def test_a_stuck_trigger_does_not_swallow_what_comes_after_a_day() -> None:
    merged = merge(history([(0, 0, None), (0, 6, 5), (0, 6 * 26, 5)]))
    assert merged.starts_of(0).tolist() == [0, 26 * HOUR]
    assert merged.ends_of(0).tolist() == [NEVER, 26 * HOUR + 5 * MINUTE]
