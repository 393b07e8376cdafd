"""Risk from its factors. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from convex.scoring.model import Factor, FactorKind, Risk, Trend
from convex.scoring.trend import probability_of_decline

# How much of a framework a firing of this severity takes with it.
IMPACT = {"info": 0.05, "warning": 0.2, "critical": 0.5}
_STALE_IMPACT = 0.3
_STEEP = 2.0  # a fall of this many points of score a day has the full impact of a trend
_TREND_IMPACT = 0.3


def combine(factors: Iterable[Factor]) -> Risk:
    """100 times the chance that at least one factor bites, each as likely as p times impact.

    Independence is assumed, so adding a factor never lowers the risk and never lifts it above 100.
    """
    ordered = sorted(factors, key=lambda f: (-f.probability * f.impact, f.kind, f.name))
    safe = 1.0
    for factor in ordered:
        safe *= 1.0 - factor.probability * factor.impact
    return Risk(100.0 * (1.0 - safe), ordered)


def open_trigger(rule: str, severity: str, *, acknowledged: bool) -> Factor:
    """A trigger that is open now: certain. One that somebody has taken counts half."""
    state = "acknowledged" if acknowledged else "firing"
    return Factor(
        FactorKind.OPEN_TRIGGER,
        rule,
        1.0,
        IMPACT[severity] * (0.5 if acknowledged else 1.0),
        f"{rule} is {state} ({severity})",
    )


def predicted_firing(rule: str, severity: str, probability: float, hours: int) -> Factor:
    """A firing that is expected within `hours`, with `probability` 0-1."""
    return Factor(
        FactorKind.PREDICTED_FIRING,
        rule,
        probability,
        IMPACT[severity],
        f"{rule} fires within {hours} h with a probability of {probability:.0%}",
    )


def worsening_trend(trend: Trend, days: int) -> Factor | None:
    """A falling score; None when it does not fall."""
    if trend.slope_per_day >= 0:
        return None
    return Factor(
        FactorKind.WORSENING_TREND,
        f"{days}-day trend",
        probability_of_decline(trend),
        _TREND_IMPACT * min(1.0, -trend.slope_per_day / _STEEP),
        f"health falls by {-trend.slope_per_day:.1f} points a day over {days} days",
    )


def stale_data(coverage: float) -> Factor | None:
    """Metrics that should report and have not for 24 hours; None when all have."""
    if coverage >= 1.0:
        return None
    return Factor(
        FactorKind.STALE_DATA,
        "missing data",
        1.0,
        _STALE_IMPACT * (1.0 - coverage),
        f"{1 - coverage:.0%} of the scored metrics have sent nothing for 24 h",
    )
