"""Windows at once give what each window gives alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.scoring.windows import aggregate_windows

_ALONE: dict[str, Callable[[list[float]], Any]] = {
    "last": lambda v: v[-1],
    "mean": np.mean,
    "min": np.min,
    "max": np.max,
    "sum": np.sum,
    "count": len,
    "p50": lambda v: np.quantile(v, 0.5),
    "p95": lambda v: np.quantile(v, 0.95),
}

_points = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(-50, 50)), st.floats(-1e3, 1e3), max_size=60
)


@given(
    _points,
    st.lists(st.integers(-60, 60), min_size=1, max_size=5),
    st.lists(st.sampled_from(sorted(_ALONE)), min_size=4, max_size=4),
    st.integers(1, 30),
)
def test_each_window_equals_its_aggregate_alone(
    points: dict[tuple[int, int], float], ends: list[int], aggregates: list[str], length: int
) -> None:
    ordered = sorted(points)
    metric = np.array([m for m, _ in ordered], np.int64)
    timestamps = np.array([t for _, t in ordered], np.int64)
    values = np.array([points[key] for key in ordered])
    result, counts = aggregate_windows(
        metric, timestamps, values, np.array(ends, np.int64), aggregates, length
    )
    for m, name in enumerate(aggregates):
        for e, end in enumerate(ends):
            inside = [points[k] for k in ordered if k[0] == m and end - length < k[1] <= end]
            assert counts[m, e] == len(inside)
            if inside:
                assert result[m, e] == pytest.approx(float(_ALONE[name](inside)), abs=1e-6)
            else:
                assert np.isnan(result[m, e])
