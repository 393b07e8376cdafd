"""Memory and speed with many series: each is learnt apart, then all get a point at a time."""

from __future__ import annotations

import gc
import random
from dataclasses import dataclass
from pathlib import Path
from time import process_time

from convex.anomaly.model import MINUTE
from convex.anomaly.novelty import Novelty, update_many

_START = 1_700_000_000_000_000
_STEP = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class Scale:
    """`bytes_a_series` of resident memory, and CPU time a point: one call each, all together."""

    series: int
    history: int
    bytes_a_series: float
    snapshot_bytes: float
    alone_us: float
    together_us: float


def run(series: int, kinds: int = 40, history: int = 1500, ticks: int = 3) -> Scale:
    """`kinds` different series are learnt from `history` points each, and copied until there are
    `series` detectors.
    """
    snapshots = []
    for seed in range(kinds):
        rng = random.Random(seed)
        detector = Novelty()
        for at in range(history):
            detector.update(_START + at * _STEP, _value(rng, at, seed))
        snapshots.append(detector.dump())
    gc.collect()
    before = _resident()
    detectors = [Novelty.load(snapshots[at % kinds]) for at in range(series)]
    gc.collect()
    memory = (_resident() - before) / series
    rng = random.Random(1)
    few = detectors[: min(series, 2000)]
    begin = process_time()
    for at, detector in enumerate(few):
        detector.update(_START + history * _STEP, _value(rng, history, at % kinds))
    alone = (process_time() - begin) / len(few)
    spent = 0.0
    for tick in range(1, ticks + 1):
        instant = _START + (history + tick) * _STEP
        values = [_value(rng, history + tick, at % kinds) for at in range(series)]
        begin = process_time()
        for start in range(0, series, 1000):
            some = detectors[start : start + 1000]
            update_many(some, [instant] * len(some), values[start : start + 1000])
        spent += process_time() - begin
    return Scale(
        series,
        history,
        memory,
        sum(map(len, snapshots)) / kinds,
        alone * 1e6,
        spent / (ticks * series) * 1e6,
    )


def _value(rng: random.Random, at: int, kind: int) -> float:
    """A day's course with noise, more or less of each by kind."""
    hour = (at * 5 // 60) % 24
    course = (40.0 if 8 <= hour < 18 else 10.0) if kind % 2 else 20.0
    return course + rng.gauss(0, 1 + kind % 5) + (30.0 if rng.random() < 0.002 else 0.0)


def _resident() -> int:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096
