"""What the detector says about a point.

Instants are microseconds since 1970-01-01 UTC, values are floats in the metric's own unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY


class State(StrEnum):
    """How far a detector is with its series."""

    LEARNING = "learning"
    WATCHING = "watching"


class Sensitivity(StrEnum):
    """How many false alarms per series and week a rule accepts (docs/methods.md has the counts)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Condition(StrEnum):
    """The side of the expected value that counts as an anomaly."""

    ABOVE = "above"
    BELOW = "below"
    CHANGES_BY = "changes_by"


Wish = tuple[Sensitivity, Condition]
_NONE: frozenset[Wish] = frozenset()


class Score(NamedTuple):
    """What a detector says about one point, from the points before it alone.

    `score` is 0 for what was seen before and has no upper end.
    `expected` lies within `low` … `high`, the band in which the value would have surprised nobody;
    all three are None as long as nothing is known. `raised` holds the rules for which this point is
    a new anomaly, `unusual` those for which it is one, new or not.
    """

    score: float
    expected: float | None
    low: float | None
    high: float | None
    state: State
    raised: frozenset[Wish] = _NONE
    unusual: frozenset[Wish] = _NONE

    def raises(self, sensitivity: Sensitivity, condition: Condition) -> bool:
        """True if this point is worth a new alert: unusual enough, and not the echo of one."""
        return (sensitivity, condition) in self.raised

    def continues(self, sensitivity: Sensitivity, condition: Condition) -> bool:
        """True while an alert that is open already should stay open."""
        return (sensitivity, condition) in self.unusual


LEARNING = Score(0.0, None, None, None, State.LEARNING)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the newest point was scored as it was.

    `value` is what came (a rate per second if the series is a counter), `view` how it was looked at
    ("values", or "season": the difference from the same time of other days), `scale` over how many
    points. `share` is how much of the score that view and scale gave, 0 … 1. `nearest_at` is when
    the most similar stretch of the past ended (microseconds UTC), None if there was none to compare
    with.
    """

    value: float
    score: Score
    view: str
    scale: int
    share: float
    nearest_at: int | None
