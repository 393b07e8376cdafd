"""What becomes of a pattern from run to run. Pure.

A pattern is shown once two runs, at least three hours apart, have found it and none between them
has not. It is new for a week, then active. When a run does not find it any more it fades; after two
weeks of that it is gone, and has to be found twice again to come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from convex.patterns.model import State

APART = timedelta(hours=3)
NEW_FOR = timedelta(days=7)
FADES_FOR = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Life:
    """Where a pattern stands. `first_seen_at` is when it was found first in this life of it.

    `runs_seen` counts the runs that found it since; 0 for a candidate that the last run missed.
    """

    state: State
    runs_seen: int
    first_seen_at: datetime
    last_seen_at: datetime

    @property
    def shown(self) -> bool:
        """Whether people see it."""
        return self.state in (State.NEW, State.ACTIVE, State.FADING)


def advance(life: Life | None, *, found: bool, now: datetime) -> Life | None:
    """The life after a run at `now`; None for what was never found."""
    if not found:
        return None if life is None else _missed(life, now)
    if life is None or life.state is State.GONE or life.runs_seen == 0:
        return Life(State.CANDIDATE, 1, now, now)
    first, runs = life.first_seen_at, life.runs_seen + 1
    match life.state:
        case State.CANDIDATE:
            state = State.NEW if now - first >= APART else State.CANDIDATE
        case State.NEW:
            state = State.ACTIVE if now - first >= NEW_FOR else State.NEW
        case _:
            state = State.ACTIVE
    return Life(state, runs, first, now)


def _missed(life: Life, now: datetime) -> Life:
    match life.state:
        case State.CANDIDATE:
            return Life(State.CANDIDATE, 0, life.first_seen_at, life.last_seen_at)
        case State.GONE:
            return life
        case _:
            over = now - life.last_seen_at >= FADES_FOR
            state = State.GONE if over else State.FADING
            return Life(state, life.runs_seen, life.first_seen_at, life.last_seen_at)
