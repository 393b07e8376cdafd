"""The grid gives at every hour what scoring one framework gives."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.metrics.model import Category
from convex.scoring.grid import (
    CATEGORIES,
    STATUSES,
    ScoredMetric,
    score_grid,
    status_codes,
)
from convex.scoring.health import score_framework, status_of

_metrics = st.lists(
    st.builds(
        ScoredMetric,
        st.just(UUID(int=9)),
        st.integers(0, 2).map(lambda i: UUID(int=i)),
        st.just("m"),
        st.just(""),
        st.sampled_from(Category),
        st.floats(1, 100),
        st.floats(-100, 0),
        st.floats(0.1, 10),
        st.just("mean"),
    ),
    min_size=1,
    max_size=8,
)


@given(_metrics, st.data())
def test_the_grid_equals_one_framework_at_a_time(
    metrics: list[ScoredMetric], data: st.DataObject
) -> None:
    hours = 3
    values = np.array(
        data.draw(
            st.lists(
                st.lists(
                    st.just(float("nan")) | st.floats(-200, 200), min_size=hours, max_size=hours
                ),
                min_size=len(metrics),
                max_size=len(metrics),
            )
        )
    )
    grid = score_grid(metrics, values)
    for f, framework in enumerate(grid.frameworks):
        for hour in range(hours):
            readings = [
                m.read(None if np.isnan(v) else float(v), 1)
                for m, v in zip(metrics, values[:, hour], strict=True)
                if m.framework_id == framework
            ]
            health = score_framework(readings)
            assert grid.coverage[f, -1, hour] == pytest.approx(health.coverage)
            _same(grid.scores[f, -1, hour], health.score)
            for category in health.categories:
                c = CATEGORIES.index(category.category)
                _same(grid.scores[f, c, hour], category.score)
                assert grid.coverage[f, c, hour] == pytest.approx(category.coverage)


def _same(found: float, expected: float | None) -> None:
    if expected is None:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(expected)


def test_statuses_of_many_scores_are_those_of_each() -> None:
    scores = np.array([np.nan, 0, 49.99, 50, 74.99, 75, 89.99, 90, 100])
    found = [STATUSES[code] for code in status_codes(scores)]
    assert found == [status_of(None if np.isnan(s) else float(s)) for s in scores]
