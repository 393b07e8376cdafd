"""What is usually done instead, one way per type, without merging, clusters or any correction.

seasonal: χ² of raw triggers by hour of the day. cyclical: a lag at which hourly counts correlate
with themselves beyond 2/√n. correlated: Pearson's r of daily counts. triggered_by: at least a fifth
of the first rule's triggers have one of the second within the hour. escalating: slope of daily
counts by least squares. Each at p < .05 where it has a p-value.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import chdtrc, stdtr

from convex.patterns.model import DAY, HOUR, Floats, History

Found = set[tuple[str, str, str | None]]
_LEVEL = 0.05


def search(history: History) -> Found:
    """(type, key, key of the other rule or None) of everything that looks like a pattern."""
    found: Found = set()
    start = min(subject.since for subject in history.subjects)
    days = int((history.end - start) // DAY)
    keys = [subject.key for subject in history.subjects]
    times = [np.sort(history.opened[history.subject == n]) - start for n in range(len(keys))]
    daily = np.array([np.bincount(t // DAY, minlength=days)[:days] for t in times], np.float64)
    for n, key in enumerate(keys):
        if len(times[n]) < 8:
            continue
        hours = np.bincount(times[n] % DAY // HOUR, minlength=24)
        chi = float(((hours - hours.mean()) ** 2 / hours.mean()).sum())
        if chdtrc(23, chi) < _LEVEL:
            found.add(("seasonal", key, None))
        if _repeats(np.bincount(times[n] // HOUR, minlength=days * 24).astype(np.float64)):
            found.add(("cyclical", key, None))
        x = np.arange(days, dtype=np.float64)
        if _significant(_pearson(x, daily[n]), days):
            found.add(("escalating", key, None))
    for a in range(len(keys)):
        for b in range(len(keys)):
            if a == b or min(len(times[a]), len(times[b])) < 8:
                continue
            if a < b and _significant(_pearson(daily[a], daily[b]), days):
                found.add(("correlated", keys[a], keys[b]))
            after = np.searchsorted(times[b], times[a] + 1)
            there = after < len(times[b])
            delay = times[b][np.minimum(after, len(times[b]) - 1)] - times[a]
            if float(np.mean(there & (delay <= HOUR))) >= 0.2:
                found.add(("triggered_by", keys[b], keys[a]))
    return found


def _repeats(counts: Floats) -> bool:
    centred = counts - counts.mean()
    size = len(centred)
    spectrum = np.abs(np.fft.rfft(centred, 2 * size)) ** 2
    related = np.fft.irfft(spectrum)[: size // 2]
    return bool((related[2:] / related[0] > 2 / math.sqrt(size)).any())


def _pearson(x: Floats, y: Floats) -> float:
    x, y = x - x.mean(), y - y.mean()
    both = float((x * x).sum() * (y * y).sum())
    return float((x * y).sum()) / math.sqrt(both) if both > 0 else 0.0


def _significant(r: float, size: int) -> bool:
    """Whether a positive correlation is below the level, one-sided."""
    if not -1 < r < 1:
        return False
    t = r * math.sqrt((size - 2) / (1 - r * r))
    return float(stdtr(size - 2, -t)) < _LEVEL
