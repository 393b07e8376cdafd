"""How much may be said: confidence classes, and the risk of a prediction. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from convex.predictions.model import Confidence

LEAST_DAYS, LEAST_TRIGGERS = 84, 20
HIGH_DAYS, HIGH_TRIGGERS = 120, 40
NOT_ENOUGH = "not enough history"

# What a firing of this severity weighs.
SEVERITY_WEIGHT: Mapping[str, float] = {"info": 0.3, "warning": 0.6, "critical": 1.0}


def confidence_of(days: float, triggers: int, skill_bound: float | None) -> tuple[Confidence, str]:
    """The class and its reason. `skill_bound` is the lower bound of the rule's skill in the last 8
    weeks, None where that could not be measured. At low, only the base rate is shown.
    """
    if days < LEAST_DAYS or triggers < LEAST_TRIGGERS:
        known = f"{days:.0f} of {LEAST_DAYS} days, {triggers} of {LEAST_TRIGGERS} alerts"
        return Confidence.LOW, f"{NOT_ENOUGH}: {known}; this is how often it has fired so far"
    if skill_bound is None or skill_bound <= 0:
        return Confidence.MEDIUM, "not shown to be better than its base rate in the last 8 weeks"
    if days < HIGH_DAYS or triggers < HIGH_TRIGGERS:
        return (
            Confidence.MEDIUM,
            f"{days:.0f} days and {triggers} alerts; high needs {HIGH_DAYS} and {HIGH_TRIGGERS}",
        )
    return Confidence.HIGH, f"better than its base rate by at least {skill_bound:.0%} in 8 weeks"


def risk_of(probability: float, severity: str) -> float:
    """0–100: the probability (0–1) weighted by how bad a firing is."""
    return 100.0 * probability * SEVERITY_WEIGHT[severity]
