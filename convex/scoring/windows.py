"""Aggregates of many metrics over many windows at once. Pure, in numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DAY = 86_400_000_000  # microseconds, as all instants here

_QUANTILES = {"p50": 0.5, "p95": 0.95}


def aggregate_windows(
    metric: NDArray[np.int64],
    timestamps: NDArray[np.int64],
    values: NDArray[np.float64],
    ends: NDArray[np.int64],
    aggregates: Sequence[str],
    length: int = DAY,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What each metric's aggregate was over (end - length, end], for every end.

    Points are columns of equal length, sorted by metric (an index into `aggregates`) and, within
    it, by timestamp in microseconds. Returns aggregates (NaN where there is no point) and counts,
    both of shape (metrics, ends).
    """
    shape = (len(aggregates), len(ends))
    if not len(values):
        return np.full(shape, np.nan), np.zeros(shape, np.int64)
    first, last = _bounds(metric, timestamps, ends, len(aggregates), length)
    counts = last - first
    result = np.full(shape, np.nan)
    padded = np.append(values, 0.0)
    for name in set(aggregates):
        rows = np.array([i for i, a in enumerate(aggregates) if a == name])
        low, high = first[rows], last[rows]
        filled = high > low
        if name == "count":
            result[rows] = np.where(filled, high - low, np.nan)
        elif name in _QUANTILES:
            result[rows] = _quantiles(values, low, high, _QUANTILES[name])
        elif name == "last":
            result[rows] = np.where(filled, padded[high - 1], np.nan)
        else:
            result[rows] = _reduced(padded, low, high, name)
    return result, counts


def _bounds(
    metric: NDArray[np.int64],
    timestamps: NDArray[np.int64],
    ends: NDArray[np.int64],
    metrics: int,
    length: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of each window's first point and of the one behind its last."""
    start = min(int(timestamps.min()), int(ends.min()) - length)
    span = max(int(timestamps.max()), int(ends.max())) - start + 1
    key = metric * span + (timestamps - start)
    offset = (np.arange(metrics) * span)[:, None]
    first = np.searchsorted(key, offset + np.maximum(ends - length - start, -1), side="right")
    last = np.searchsorted(key, offset + (ends - start), side="right")
    return first.astype(np.int64), last.astype(np.int64)


def _reduced(
    padded: NDArray[np.float64], low: NDArray[np.int64], high: NDArray[np.int64], name: str
) -> NDArray[np.float64]:
    function = {"min": np.minimum, "max": np.maximum}.get(name, np.add)
    pairs = np.stack([low, high], axis=-1).ravel()
    reduced = function.reduceat(padded, pairs)[::2].reshape(low.shape)
    counts = high - low
    with np.errstate(invalid="ignore", divide="ignore"):
        reduced = reduced / counts if name == "mean" else reduced
    return np.where(counts > 0, reduced, np.nan)


def _quantiles(
    values: NDArray[np.float64], low: NDArray[np.int64], high: NDArray[np.int64], share: float
) -> NDArray[np.float64]:
    return np.array(
        [
            [
                np.quantile(values[a:b], share) if b > a else np.nan
                for a, b in zip(*row, strict=True)
            ]
            for row in zip(low, high, strict=True)
        ]
    ).reshape(low.shape)
