"""The fact queries by name: everything that an insight or an answer may be made of.

Each asks the package that knows, and adds what it says to the pack.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from convex.db import Connection
from convex.insights import facts_of_alerts, facts_of_state
from convex.insights.packing import Packer, Scope

Run = Callable[[Connection, Scope, Packer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Query:
    """A query with what it answers, in the words that questions use."""

    name: str
    says: str
    words: tuple[str, ...]
    run: Run


async def ask(connection: Connection, query: Query, scope: Scope, packer: Packer) -> None:
    """Run it; where a source is not there yet the pack says so."""
    packer.query = f"{query.name}(days={scope.days}, framework={scope.framework or 'all'})"
    await query.run(connection, scope, packer)


_ALL = (
    Query(
        "health",
        "health score, its trend, the worst metrics with target and limit",
        ("health", "healthy", "score", "status", "trend", "target", "worst", "well"),
        facts_of_state.add_health,
    ),
    Query(
        "risk",
        "risk score and its factors",
        ("risk", "danger", "threat", "worry"),
        facts_of_state.add_risk,
    ),
    Query(
        "open_alerts",
        "alerts that are open now, with value and threshold",
        ("open", "now", "firing", "current", "currently", "unresolved", "happening"),
        facts_of_alerts.add_open_alerts,
    ),
    Query(
        "alerts",
        "how many alerts, by severity and type, response and resolve times, false alarms, pages",
        (
            *("alerts", "alert", "triggers", "many", "respond", "response", "acknowledge"),
            *("resolve", "false", "pages", "paged", "night", "sleep", "critical", "severity"),
            "actionable",
        ),
        facts_of_alerts.add_alerts,
    ),
    Query(
        "noisy_rules",
        "the rules that fire most, and whether anybody acknowledges them",
        ("noisy", "noise", "noisiest", "rule", "rules", "ignored", "loud", "often"),
        facts_of_alerts.add_noisy_rules,
    ),
    Query(
        "predictions",
        "probability of alerts to come, and how good predictions were",
        (
            "predict",
            "prediction",
            "predictions",
            "forecast",
            "tomorrow",
            "next",
            "expect",
            "likely",
        ),
        facts_of_state.add_predictions,
    ),
    Query(
        "patterns",
        "recurring patterns of alerts and when they are due next",
        ("pattern", "patterns", "recurring", "regular", "seasonal", "cause", "correlated", "why"),
        facts_of_state.add_patterns_of_scope,
    ),
    Query(
        "busy_hours",
        "the hour and the weekday in which most alerts open",
        ("when", "hour", "hours", "weekday", "day", "time", "busiest"),
        facts_of_alerts.add_busy_hours,
    ),
    Query(
        "frameworks",
        "frameworks compared by their alerts",
        ("framework", "frameworks", "compare", "compared", "which", "most", "airport", "airports"),
        facts_of_alerts.add_frameworks,
    ),
    Query(
        "metrics",
        "the mean of each metric and how it changed against the window before",
        ("metric", "metrics", "mean", "average", "value", "delay", "rate", "changed", "level"),
        facts_of_state.add_metrics,
    ),
    Query(
        "quality",
        "checks of the data that held and failed",
        ("quality", "data", "checks", "missing", "rejected", "trust"),
        facts_of_state.add_quality,
    ),
)
QUERIES: Mapping[str, Query] = {query.name: query for query in _ALL}
