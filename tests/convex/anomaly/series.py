"""Series that tests feed to detectors: made from a seed, in microseconds and plain floats."""

from __future__ import annotations

import math
import random

from convex.anomaly.model import DAY, HOUR, MINUTE, Score
from convex.anomaly.novelty import Novelty

START = 1_700_000_000_000_000
FIVE_MINUTES = 5 * MINUTE

Series = list[tuple[int, float]]


def noisy(count: int, *, seed: int = 1, step: int = FIVE_MINUTES, level: float = 10.0) -> Series:
    rng = random.Random(seed)
    return [(START + at * step, level + rng.gauss(0.0, 1.0)) for at in range(count)]


def daily(count: int, *, seed: int = 1, step: int = 15 * MINUTE, noise: float = 1.0) -> Series:
    """A working day of 80 on a level of 20."""
    rng = random.Random(seed)
    points = []
    for at in range(count):
        instant = START + at * step
        busy = 8 <= (instant % DAY) // HOUR < 18
        points.append((instant, (80.0 if busy else 20.0) + rng.gauss(0.0, noise)))
    return points


def irregular(count: int, *, seed: int = 1) -> Series:
    """Random distances between points, with gaps of days."""
    rng = random.Random(seed)
    instant, points = START, []
    for at in range(count):
        instant += rng.randrange(1, 20) * MINUTE + (3 * DAY if at % 211 == 210 else 0)
        points.append((instant, 50.0 + 20.0 * math.sin(instant / DAY * 6.283) + rng.gauss(0, 2)))
    return points


def feed(detector: Novelty, points: Series) -> list[Score]:
    return [detector.update(instant, value) for instant, value in points]
