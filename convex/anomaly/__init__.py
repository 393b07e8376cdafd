"""Is a series behaving as it always has? A detector that learns one series each, as it comes.

Owns: the detector (`novelty`), what it says (`model`), its explanations and confidence, and its
snapshots (`service`, `store`). Does not own: rules, triggers and what to do about an anomaly
(`convex.alerts`, which also has the plain method, a robust z-score against the hour of the week),
nor the points (`convex.metrics`).

The detector is a fold over the points of a series in time order. It has no clock, draws no random
numbers and never looks ahead, so a snapshot of it is a cache and nothing more.
"""

from __future__ import annotations

from convex.anomaly.model import (
    LEARNING,
    Condition,
    Explanation,
    Score,
    Sensitivity,
    State,
)
from convex.anomaly.novelty import Novelty, update_many

__all__ = [
    "LEARNING",
    "Condition",
    "Explanation",
    "Novelty",
    "Score",
    "Sensitivity",
    "State",
    "update_many",
]
