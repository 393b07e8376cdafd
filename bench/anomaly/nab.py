"""The Numenta Anomaly Benchmark's scoring, from its definition (Lavin and Ahmad, 2015).

A detection inside a labelled window counts by how early it is: σ(y) = 2 / (1 + e^{5y}) − 1, with y
from −1 at the window's first point to 0 at its last, scaled so that the very first earns the whole
weight; the best detection of a window counts, a window without one costs the weight of a miss. A
detection outside costs the weight of a false positive times −σ at its distance behind the window
before it, in widths of that window (all of it beyond three widths, or if there is none before). The
first 15 % of a file (at most 750 points) are not scored. The sum is put on a scale on which
detecting nothing is 0 and a detector that hits each window's first point and nothing else is 100.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from convex.anomaly.stream import read_instant

HERE: Final = Path(__file__).parent.parent / "data" / "nab"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a hit, a miss and a false positive weigh."""

    name: str
    hit: float
    miss: float
    false_positive: float


PROFILES: Final = (
    Profile("standard", 1.0, 1.0, 0.11),
    Profile("low_FP", 1.0, 1.0, 0.22),
    Profile("low_FN", 1.0, 2.0, 0.11),
)

# Published on all 58 files, standard profile: context for the figures here, which are of 34 files.
PUBLISHED: Final = (
    ("ARTime", 74.9),
    ("HTM", 70.5),
    ("CAD OSE", 69.9),
    ("Random Cut Forest", 51.7),
)


@dataclass(frozen=True, slots=True)
class LabelledSeries:
    """A file: instants in microseconds, values, and windows as first and last row."""

    name: str
    instants: list[int]
    values: list[float]
    windows: list[tuple[int, int]]

    @property
    def category(self) -> str:
        return self.name.partition("/")[0]

    @property
    def probation(self) -> int:
        """Rows at the start that are not scored."""
        return min(math.floor(0.15 * len(self.values)), 750)

    def window_of(self, row: int) -> int | None:
        """The window that the row lies in."""
        for number, (first, last) in enumerate(self.windows):
            if first <= row <= last:
                return number
        return None


def read_folder(folder: Path | None = None) -> list[LabelledSeries]:
    """All files named by windows.json in the folder, CONVEX_NAB_DATA, or the data kept here."""
    folder = folder or Path(os.environ.get("CONVEX_NAB_DATA") or HERE)
    labels: dict[str, list[list[str]]] = json.loads((folder / "windows.json").read_text())
    return [_read(folder, name, windows) for name, windows in labels.items()]


def _read(folder: Path, name: str, windows: Sequence[Sequence[str]]) -> LabelledSeries:
    path = folder / name
    if path.exists():
        lines = path.read_text().splitlines()
    else:
        with gzip.open(f"{path}.gz", "rt") as source:
            lines = source.read().splitlines()
    instants: list[int] = []
    values: list[float] = []
    for row in csv.DictReader(lines):
        instant = read_instant(row["timestamp"])
        assert instant is not None, f"{name}: {row['timestamp']}"
        instants.append(instant)
        values.append(float(row["value"]))
    spans = []
    for begin, end in windows:
        lower, upper = read_instant(begin), read_instant(end)
        assert lower is not None, f"{name}: {begin}"
        assert upper is not None, f"{name}: {end}"
        first = next(row for row, instant in enumerate(instants) if instant >= lower)
        last = max(row for row, instant in enumerate(instants) if instant <= upper)
        spans.append((first, last))
    for at in range(1, len(instants)):  # as `convex detect` takes times that do not advance
        instants[at] = max(instants[at], instants[at - 1] + 1)
    return LabelledSeries(name, instants, values, spans)


def sigmoid(position: float) -> float:
    """What a detection at this relative position is worth: 1 early, 0 at the end, −1 far behind."""
    return -1.0 if position > 3 else 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """What detections on one file earned, and what it takes to put that on the scale."""

    earned: float
    windows: int
    hits: int
    false_positives: int


def score_series(series: LabelledSeries, detections: Iterable[int], profile: Profile) -> Result:
    """Score the rows at which something was detected."""
    scored = [n for n, (_, last) in enumerate(series.windows) if last >= series.probation]
    best: dict[int, float] = {}
    earned, false_positives = 0.0, 0
    for row in detections:
        if row < series.probation:
            continue
        window = series.window_of(row)
        if window is None:
            false_positives += 1
            earned += profile.false_positive * _penalty(series, row)
        elif window in scored:
            first, last = series.windows[window]
            position = -(last - row + 1) / (last - first + 1)
            worth = profile.hit * sigmoid(position) / sigmoid(-1.0)
            best[window] = max(worth, best.get(window, -math.inf))
    earned += sum(best.values()) - profile.miss * (len(scored) - len(best))
    return Result(earned, len(series.windows), len(best), false_positives)


def _penalty(series: LabelledSeries, row: int) -> float:
    before = [window for window in series.windows if window[1] < row]
    if not before:
        return -1.0
    first, last = before[-1]
    return sigmoid((row - last) / max(last - first, 1))


def normalise(results: Iterable[Result], profile: Profile) -> float:
    """0 for detecting nothing, 100 for detecting everything at once and nothing else."""
    results = list(results)
    windows = sum(result.windows for result in results)
    earned = sum(result.earned for result in results)
    return 100.0 * (earned + profile.miss * windows) / ((profile.hit + profile.miss) * windows)


def score_all(
    files: Sequence[LabelledSeries], detections: Mapping[str, Sequence[int]]
) -> dict[str, float]:
    """The score of each profile over all files."""
    return {
        profile.name: normalise(
            (score_series(one, detections[one.name], profile) for one in files), profile
        )
        for profile in PROFILES
    }
