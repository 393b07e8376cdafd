"""Health: metric, category, whole, and what missing data does to each."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.metrics.model import Category
from convex.scoring.health import score_framework, score_metric, status_of
from convex.scoring.model import Reading, Status

_ID = UUID(int=1)
_numbers = st.floats(-1e6, 1e6)


def _reading(
    value: float | None,
    category: Category = Category.PERFORMANCE,
    *,
    target: float = 100.0,
    limit: float = 0.0,
    weight: float = 1.0,
) -> Reading:
    points = 0 if value is None else 24
    return Reading(_ID, "m", "", category, target, limit, value, points, weight)


@pytest.mark.parametrize(
    ("value", "target", "limit", "score"),
    [
        (0.9, 0.9, 0.5, 100),  # at the target
        (0.95, 0.9, 0.5, 100),  # beyond it
        (0.5, 0.9, 0.5, 0),  # at the limit
        (0.1, 0.9, 0.5, 0),  # beyond it
        (0.7, 0.9, 0.5, 50),  # half way
        (10, 0, 20, 50),  # less is better
        (-5, 0, 20, 100),
        (25, 0, 20, 0),
    ],
)
def test_a_metric_scores_between_its_limit_and_its_target(
    value: float, target: float, limit: float, score: float
) -> None:
    assert score_metric(value, target, limit) == pytest.approx(score)


@pytest.mark.parametrize(
    ("score", "status"),
    [
        (100, Status.EXCELLENT),
        (90, Status.EXCELLENT),
        (89.99, Status.GOOD),
        (75, Status.GOOD),
        (74.99, Status.FAIR),
        (50, Status.FAIR),
        (49.99, Status.POOR),
        (0, Status.POOR),
        (None, Status.UNKNOWN),
    ],
)
def test_a_score_has_a_word(score: float | None, status: Status) -> None:
    assert status_of(score) is status


def test_nothing_known_is_not_100() -> None:
    health = score_framework([_reading(None), _reading(None, Category.COST)])
    assert (health.score, health.status, health.coverage) == (None, Status.UNKNOWN, 0.0)
    assert score_framework([]).score is None


def test_a_category_without_data_does_not_count_but_shows_in_the_coverage() -> None:
    health = score_framework([_reading(80), _reading(None, Category.COST)])
    assert health.score == 80
    assert health.coverage == 0.5
    assert [c.status for c in health.categories] == [Status.GOOD, Status.UNKNOWN]


def test_weights_count_within_and_between_categories() -> None:
    readings = [
        _reading(100, weight=3),
        _reading(0, weight=1),
        _reading(15, Category.COST),
    ]
    assert score_framework(readings).score == pytest.approx((75 + 15) / 2)
    weighted = score_framework(readings, {Category.COST: 3})
    assert weighted.score == pytest.approx((75 + 3 * 15) / 4)


_readings = st.lists(
    st.builds(
        _reading,
        st.none() | _numbers,
        st.sampled_from(Category),
        weight=st.floats(0.1, 10),
    ),
    max_size=8,
)


@given(_readings)
def test_scores_stay_in_range_and_order_does_not_matter(readings: list[Reading]) -> None:
    health = score_framework(readings)
    assert 0 <= health.coverage <= 1
    known = [c.score for c in health.categories if c.score is not None]
    assert (health.score is None) == (not known)
    if health.score is not None:
        assert min(known) <= health.score <= max(known)
        assert 0 <= health.score <= 100
    backwards = score_framework(readings[::-1])
    assert backwards.score == pytest.approx(health.score) if health.score is not None else True


@given(_numbers, _numbers, st.floats(-100, 100), st.floats(101, 200))
def test_better_values_never_score_less(a: float, b: float, limit: float, target: float) -> None:
    low, high = sorted((a, b))
    assert score_metric(low, target, limit) <= score_metric(high, target, limit)
    assert score_metric(low, limit, target) >= score_metric(high, limit, target)
