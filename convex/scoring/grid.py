"""Health of many frameworks at many hours at once. Pure, in numpy; equal to `score_framework`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from convex.metrics.model import Category
from convex.scoring.model import Reading, Status

CATEGORIES = tuple(Category)
# By how many of the bounds a score reaches; the last stands for a score that is not known.
STATUSES = (Status.POOR, Status.FAIR, Status.GOOD, Status.EXCELLENT, Status.UNKNOWN)
_BOUNDS = (50.0, 75.0, 90.0)


@dataclass(frozen=True, slots=True)
class ScoredMetric:
    """A metric that has a target and a limit, and so a score."""

    metric_id: UUID
    framework_id: UUID
    name: str
    unit: str
    category: Category
    target: float
    limit: float
    weight: float
    aggregate: str

    def read(self, value: float | None, points: int) -> Reading:
        """This metric with what it measured."""
        return Reading(
            self.metric_id,
            self.name,
            self.unit,
            self.category,
            self.target,
            self.limit,
            value,
            points,
            self.weight,
        )


@dataclass(frozen=True, slots=True)
class HealthGrid:
    """Scores (NaN: unknown) and coverage, shape (frameworks, categories + 1, hours).

    The categories stand in the order of `CATEGORIES`; the last row of each framework is the whole.
    Where a framework has no metric of a category, its coverage is NaN.
    """

    frameworks: Sequence[UUID]
    scores: NDArray[np.float64]
    coverage: NDArray[np.float64]


def score_grid(metrics: Sequence[ScoredMetric], values: NDArray[np.float64]) -> HealthGrid:
    """Scores from `values` of shape (metrics, hours), NaN where a metric has no data."""
    frameworks = sorted({m.framework_id for m in metrics})
    row = {framework: i for i, framework in enumerate(frameworks)}
    column = [CATEGORIES.index(m.category) for m in metrics]
    cells = [
        row[m.framework_id] * len(CATEGORIES) + c for m, c in zip(metrics, column, strict=True)
    ]
    cell = np.array(cells, np.int64)
    weight = np.array([m.weight for m in metrics])[:, None]
    limit = np.array([m.limit for m in metrics])[:, None]
    target = np.array([m.target for m in metrics])[:, None]

    known = ~np.isnan(values)
    shares = np.clip((values - limit) / (target - limit), 0.0, 1.0)
    shape = (len(frameworks) * len(CATEGORIES), values.shape[1])

    def added(parts: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.zeros(shape)
        np.add.at(sums, cell, parts)
        return sums.reshape(len(frameworks), len(CATEGORIES), -1)

    total = added(np.where(known, 100.0 * shares * weight, 0.0))
    weights = added(known * weight)
    possible = added(np.broadcast_to(weight, values.shape))

    with np.errstate(invalid="ignore", divide="ignore"):
        categories = total / weights
        scored = weights > 0
        whole = np.where(scored, categories, 0.0).sum(axis=1) / scored.sum(axis=1)
        coverage = weights / possible
        covered = weights.sum(axis=1) / possible.sum(axis=1)
    return HealthGrid(
        frameworks,
        np.concatenate([categories, whole[:, None]], axis=1),
        np.concatenate([coverage, covered[:, None]], axis=1),
    )


def status_codes(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions in `STATUSES`; as `status_of` would say."""
    reached = np.searchsorted(np.array(_BOUNDS), scores, side="right")
    return np.where(np.isnan(scores), len(STATUSES) - 1, reached).astype(np.int64)
