"""Is a series behaving as it always has? Detectors that learn one series each, as it comes.

Owns: the detectors (`model.Detector` is what all of them are; `build` and `revive` make one by its
method's name), their explanations and confidence, and their snapshots. Does not own: rules,
triggers and what to do about an anomaly (`convex.alerts`), nor the points (`convex.metrics`).

A detector is a fold over the points of a series in time order. It has no clock, draws no random
numbers and never looks ahead, so a snapshot of it is a cache and nothing more.
"""

from __future__ import annotations

from convex.anomaly.model import (
    LEARNING,
    Condition,
    Detector,
    Score,
    Sensitivity,
    State,
)
from convex.anomaly.registry import METHODS, build, revive

__all__ = [
    "LEARNING",
    "METHODS",
    "Condition",
    "Detector",
    "Score",
    "Sensitivity",
    "State",
    "build",
    "revive",
]
