"""Service level objectives as rules: three of them, that fire by how fast the budget of errors is
spent. Pure.

With an objective of 99.9 % the budget is 0.1 % of all events. A burn rate of 1 spends it in exactly
the 30 days that it is meant for, 14.4 spends 2 % of it in one hour. Each rule looks at a long
window, which says that it matters, and at a short one, which says that it still goes on, so that
the alert is over minutes after the incident. Windows and rates are those of "The Site Reliability
Workbook" (Google, 2018), chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from convex.alerts.code.document import MatcherEntry, Name, Part, Words


@dataclass(frozen=True, slots=True)
class Burn:
    """One pair of windows."""

    rate: float
    window: str
    confirm_window: str
    severity: str


BURNS = (
    Burn(14.4, "1h", "5m", "critical"),
    Burn(6.0, "6h", "30m", "critical"),
    Burn(1.0, "3d", "6h", "warning"),
)


class SloEntry(Part):
    """A service level objective; it becomes three rules, named after it."""

    name: Name
    framework: Name
    """Slug of the framework."""
    metric: Name
    """A metric whose points are a share of events, from 0 to 1."""
    counts: Literal["bad", "good"] = "bad"
    """Whether the metric is the share of bad events or of good ones."""
    objective: Annotated[float, Field(gt=0, lt=100, allow_inf_nan=False)]
    """Percentage of events that are to be good, such as 99.9."""
    description: Annotated[str, Field(max_length=9_000)] = ""
    label_matchers: Annotated[list[MatcherEntry], Field(max_length=20, default_factory=list)]
    group_by: Words = Field(default_factory=list)
    channels: Words = Field(default_factory=list)
    runbook_url: Annotated[str, Field(max_length=2000)] = ""
    tags: Words = Field(default_factory=list)
    enabled: bool = True


def expand(slo: SloEntry) -> list[dict[str, Any]]:
    """The rules of an objective, as files say them. Raises `ValueError` where one cannot fire."""
    budget = (100 - slo.objective) / 100
    rules = []
    for burn in BURNS:
        # Rounded, so that 99.9 gives 0.0144 and not 0.014399999999999918.
        share = round(burn.rate * budget, 12)
        if share >= 1:
            least = 100 - 100 / burn.rate
            raise ValueError(
                f"With an objective of {slo.objective:g} % even total failure burns less than"
                f" {burn.rate:g} times the budget; take one above {least:.1f} %"
            )
        said = f"{slo.description} " if slo.description else ""
        rules.append(
            {
                "name": f"{slo.name}: burn rate {burn.rate:g}",
                "description": f"{said}The error budget of {slo.objective:g} % is being spent"
                f" {burn.rate:g} times too fast, over {burn.window} and over the last"
                f" {burn.confirm_window}.",
                "framework": slo.framework,
                "metric": slo.metric,
                "label_matchers": [one.model_dump() for one in slo.label_matchers],
                "type": "threshold",
                "condition": "above" if slo.counts == "bad" else "below",
                "threshold_value": share if slo.counts == "bad" else round(1 - share, 12),
                "aggregate": "mean",
                "window": burn.window,
                "confirm_window": burn.confirm_window,
                "severity": burn.severity,
                "group_by": list(slo.group_by),
                "channels": list(slo.channels),
                "runbook_url": slo.runbook_url,
                "tags": list(slo.tags),
                "enabled": slo.enabled,
            }
        )
    return rules
