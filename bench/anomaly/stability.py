"""What the choice of one threshold on the development files is worth elsewhere.

The scores of all files are alerted at a grid of thresholds. `halves`: the threshold is chosen on a
random half of the files and scored on the other, both ways, twenty times; `nearby`: the mean score
of the thresholds within 10 % of the one that ships.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

from bench.anomaly.nab import PROFILES, LabelledSeries, Result, normalise, score_series
from convex.anomaly.holdoff import HoldOff
from convex.anomaly.model import Condition, Sensitivity
from convex.anomaly.novelty import Novelty

STANDARD: Final = PROFILES[0]
REPEATS: Final = 20
_WISH: Final = (Sensitivity.MEDIUM, Condition.CHANGES_BY)
_GRID: Final = [0.024 * 1.04**step for step in range(34)]


@dataclass(frozen=True, slots=True)
class Stability:
    """Standard scores."""

    halves: float
    nearby: float


def measure(files: Sequence[LabelledSeries], scores: Mapping[str, Sequence[float]]) -> Stability:
    """`scores` are the detector's, row by row, by file."""
    grid = [[_result(one, scores[one.name], limit) for one in files] for limit in _GRID]
    chosen = Novelty.thresholds[Sensitivity.MEDIUM]
    near = [
        normalise(results, STANDARD)
        for limit, results in zip(_GRID, grid, strict=True)
        if chosen / 1.1 <= limit <= chosen * 1.1
    ]
    rng = random.Random(0)
    halves = []
    for _ in range(REPEATS):
        first = set(rng.sample(range(len(files)), len(files) // 2))
        second = set(range(len(files))) - first
        together: list[Result] = []
        for learn, test in ((first, second), (second, first)):
            best = max(grid, key=lambda results: sum(results[at].earned for at in learn))
            together += [best[at] for at in test]
        halves.append(normalise(together, STANDARD))
    return Stability(fmean(halves), fmean(near))


def _result(series: LabelledSeries, scores: Sequence[float], limit: float) -> Result:
    hold = HoldOff({Sensitivity.MEDIUM: limit})
    gaps = [b - a for a, b in zip(series.instants, series.instants[1:], strict=False)]
    interval = int(median(gaps))
    rows = [
        row
        for row in range(series.probation, len(scores))
        if scores[row] >= limit
        and _WISH in hold.judge(series.instants[row], scores[row], 0.0, 1, interval)[0]
    ]
    return score_series(series, rows, STANDARD)
