"""Health from readings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from convex.metrics.model import Category
from convex.scoring.model import CategoryScore, Health, MetricScore, Reading, Status


def score_metric(value: float, target: float, limit: float) -> float:
    """100 at the target and beyond, 0 at the limit and beyond, straight in between.

    Works in both directions: a target above the limit means that more is better. `target` and
    `limit` differ (the table's constraint).
    """
    share = (value - limit) / (target - limit)
    return 100.0 * min(1.0, max(0.0, share))


def status_of(score: float | None) -> Status:
    """The word for a score."""
    if score is None:
        return Status.UNKNOWN
    if score >= 90:
        return Status.EXCELLENT
    if score >= 75:
        return Status.GOOD
    return Status.FAIR if score >= 50 else Status.POOR


def score_framework(
    readings: Sequence[Reading], category_weights: Mapping[Category, float] | None = None
) -> Health:
    """Health from the readings of all scored metrics of one framework, in any order.

    A metric without data lowers the coverage and is otherwise left out; a category without any
    data does not count towards the whole. `category_weights` default to 1.
    """
    weights = category_weights or {}
    categories = [
        _score_category(category, [r for r in readings if r.category is category])
        for category in Category
        if any(r.category is category for r in readings)
    ]
    whole = _weighted_mean((c.score, weights.get(c.category, 1.0)) for c in categories)
    return Health(whole, status_of(whole), _coverage(readings), categories)


def explain_metric(scored: MetricScore) -> str:
    """The score of one metric in words."""
    reading = scored.reading
    unit = f" {reading.unit}" if reading.unit else ""
    if scored.score is None or reading.value is None:
        return f"{reading.name} has sent nothing for 24 h, so it is left out."
    return (
        f"{reading.name} was {reading.value:.4g}{unit} over the last 24 h:"
        f" {scored.score:.0f} of 100 between the limit {reading.limit:.4g} (0) and the target"
        f" {reading.target:.4g} (100)."
    )


def points_lost(
    health: Health, category_weights: Mapping[Category, float] | None = None
) -> dict[UUID, float]:
    """How many of the 100 points each metric with data takes away; together 100 - the score."""
    weights = category_weights or {}
    known = [c for c in health.categories if c.score is not None]
    whole = sum(weights.get(c.category, 1.0) for c in known)
    lost: dict[UUID, float] = {}
    for category in known:
        scored = [(m.reading, m.score) for m in category.metrics if m.score is not None]
        within = sum(reading.weight for reading, _ in scored)
        for reading, score in scored:
            share = weights.get(category.category, 1.0) / whole * reading.weight / within
            lost[reading.metric_id] = (100.0 - score) * share
    return lost


def _score_category(category: Category, readings: Sequence[Reading]) -> CategoryScore:
    scored = [
        MetricScore(r, None if r.value is None else score_metric(r.value, r.target, r.limit))
        for r in readings
    ]
    score = _weighted_mean((m.score, m.reading.weight) for m in scored)
    return CategoryScore(category, score, status_of(score), _coverage(readings), scored)


def _coverage(readings: Sequence[Reading]) -> float:
    whole = sum(r.weight for r in readings)
    return sum(r.weight for r in readings if r.value is not None) / whole if whole else 0.0


def _weighted_mean(scores: Iterable[tuple[float | None, float]]) -> float | None:
    known = [(score, weight) for score, weight in scores if score is not None and weight > 0]
    whole = sum(weight for _, weight in known)
    if not whole:
        return None
    mean = sum(score * weight for score, weight in known) / whole
    # rounding of the sums must not lift a mean out of what it averages
    return min(max(mean, min(s for s, _ in known)), max(s for s, _ in known))
