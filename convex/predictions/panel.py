"""The histories of all rules on one grid of hours. Pure.

Hour i is [start + i h, start + (i + 1) h). A prediction at origin i knows the hours before i, and
its outcome is whether a trigger opens in the hours i … i + horizon − 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from convex.metrics.model import HOUR, SECOND, BoolArray, FloatArray, IntArray
from convex.predictions.model import HORIZONS, RuleFacts, RuleHistory

WEEK_HOURS = 168
LONGEST = max(HORIZONS)


@dataclass(frozen=True, slots=True)
class Panel:
    """R rules × N hours.

    `openings` counts triggers by hour; `firing[:, i]` says that one is open when hour i begins (N +
    1 columns); `week` is the local hour of the week (0 is Monday 00:00) of the hours 0 … N + 72.
    `margins` are in float32 with NaN, `measured` says which rules have any.
    """

    start: int
    hours: int
    rules: tuple[RuleFacts, ...]
    openings: NDArray[np.uint8]
    firing: BoolArray
    margins: NDArray[np.float32]
    measured: BoolArray
    week: IntArray

    @property
    def end(self) -> int:
        """The instant up to which the panel knows, in microseconds."""
        return self.start + self.hours * HOUR

    def part(self, rows: slice | IntArray) -> Panel:
        """The same hours of some rules."""
        chosen = np.arange(len(self.rules))[rows]
        return Panel(
            self.start,
            self.hours,
            tuple(self.rules[row] for row in chosen.tolist()),
            self.openings[rows],
            self.firing[rows],
            self.margins[rows],
            self.measured[rows],
            self.week,
        )


def build_panel(histories: Sequence[RuleHistory], end: int, hours: int, zone: str) -> Panel:
    """Put histories on the `hours` before `end` (microseconds). Margins have that many values."""
    start = end - hours * HOUR
    count = len(histories)
    openings = np.zeros((count, hours), np.uint8)
    firing = np.zeros((count, hours + 1), np.bool_)
    margins = np.full((count, hours), np.nan, np.float32)
    measured = np.zeros(count, np.bool_)
    for row, history in enumerate(histories):
        known = (history.opened >= start) & (history.opened < end)
        np.add.at(openings[row], (history.opened[known] - start) // HOUR, 1)
        earlier = history.opened < end
        first = -((start - history.opened[earlier]) // HOUR)  # the next whole hour
        last = (history.closed[earlier] - start) // HOUR  # still open when that hour begins
        delta = np.zeros(hours + 2, np.int64)
        lower, upper = np.clip(first, 0, hours + 1), np.clip(last + 1, 0, hours + 1)
        real = upper > lower
        np.add.at(delta, lower[real], 1)
        np.add.at(delta, upper[real], -1)
        firing[row] = np.cumsum(delta)[: hours + 1] > 0
        if history.margins is not None and np.isfinite(history.margins).any():
            margins[row] = history.margins
            measured[row] = True
    facts = tuple(history.facts for history in histories)
    week = local_week_hours(start, hours + LONGEST + 1, zone)
    return Panel(start, hours, facts, openings, firing, margins, measured, week)


def local_week_hours(start: int, count: int, zone: str) -> IntArray:
    """The hour of the week in `zone` of `count` hours from `start` (microseconds) on."""
    place = ZoneInfo(zone)
    seconds = start // SECOND
    result = np.empty(count, np.int64)
    for index in range(count):
        local = datetime.fromtimestamp(seconds + index * 3600, UTC).astimezone(place)
        result[index] = local.weekday() * 24 + local.hour
    return result


def count_before(openings: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Rules × (hours + 1): how many triggers had opened before each hour."""
    totals = np.zeros((openings.shape[0], openings.shape[1] + 1), np.int32)
    np.cumsum(openings, axis=1, out=totals[:, 1:])
    return totals


def outcomes(totals: NDArray[np.int32], horizon: int) -> BoolArray:
    """Whether a trigger opens in the `horizon` hours from each origin 0 … N − horizon, from
    `count_before`.
    """
    return np.asarray(totals[:, horizon:] > totals[:, :-horizon], np.bool_)


def hourly_margins(timestamps: IntArray, margins: FloatArray, start: int, hours: int) -> FloatArray:
    """The largest margin of each hour from `start` on; NaN in hours without any."""
    result = np.full(hours, np.nan)
    inside = (timestamps >= start) & (timestamps < start + hours * HOUR) & np.isfinite(margins)
    if inside.any():
        places = (timestamps[inside] - start) // HOUR
        highest = np.full(hours, -np.inf)
        np.maximum.at(highest, places, margins[inside])
        result = np.where(np.isfinite(highest), highest, np.nan)
    return result
