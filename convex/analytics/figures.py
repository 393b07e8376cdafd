"""Figures of several rows of `alert_analytics` together.

The formulas are those of dbt/models/marts/alert_analytics.sql. A mean of means is weighted by their
n, and a rate is computed again from its counts; medians and percentiles cannot be combined, so they
come from `fct_alert_triggers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg import sql

from convex.db import Connection

Figures = dict[str, Any]
Grouping = Literal["all", "daily", "weekly", "monthly", "framework"]

TYPES = ("threshold", "anomaly", "performance", "milestone")
SEVERITIES = ("critical", "warning", "info")
COUNTS: tuple[LiteralString, ...] = (
    *("total_triggers", "historical_triggers", "open_triggers", "acknowledged_triggers"),
    *("resolved_triggers", "auto_resolved_triggers", "flapping_triggers", "marked_triggers"),
    *("actionable_triggers", "false_positive_triggers", "suppressed_actionable_triggers"),
    *("response_time_n", "mttr_n", "repeats"),
    *("notifications_sent", "notifications_suppressed", "notifications_failed"),
    *("pages", "pages_business_hours", "pages_off_hours", "pages_sleep_hours"),
)
_RATES = {
    "resolution_rate": ("resolved_triggers", "total_triggers"),
    "auto_resolved_rate": ("auto_resolved_triggers", "resolved_triggers"),
    "false_positive_rate": ("false_positive_triggers", "marked_triggers"),
    "actionable_rate": ("actionable_triggers", "marked_triggers"),
    "flap_rate": ("flapping_triggers", "total_triggers"),
}
_QUANTILES = (
    *("response_time_median_minutes", "response_time_p90_minutes"),
    *("mttr_median_minutes", "mttr_p90_minutes"),
)
# How each grouping names its key in alert_analytics and in fct_alert_triggers.
_KEYS: Mapping[Grouping, tuple[LiteralString, LiteralString]] = {
    "all": ("0", "0"),
    "framework": ("framework_id", "framework_id"),
    "daily": ("period_start", "opened_on"),
    "weekly": ("period_start", "week_starts_on"),
    "monthly": ("period_start", "month_starts_on"),
}
_COUNTED = """
SELECT {key} AS key, {counts},
    sum(avg_response_time_minutes * response_time_n) AS response_minutes,
    sum(mttr_minutes * mttr_n) AS resolve_minutes,
    {objects}
FROM analytics.alert_analytics
WHERE period_type = %(period_type)s AND period_start BETWEEN %(first)s AND %(last)s
    AND (%(framework_id)s::uuid IS NULL OR framework_id = %(framework_id)s)
GROUP BY 1
"""
_SPREAD = """
SELECT {key} AS key,
    percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY response_minutes) AS response,
    percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY resolve_minutes) AS resolve
FROM analytics.fct_alert_triggers
WHERE opened_on >= %(first)s AND {period} <= %(last)s
    AND (%(framework_id)s::uuid IS NULL OR framework_id = %(framework_id)s)
GROUP BY 1
"""


async def load_figures(
    connection: Connection,
    grouping: Grouping,
    first: date,
    last: date,
    framework_id: UUID | None = None,
) -> dict[Any, Figures]:
    """Figures of the acting workspace by group: its period's first day, or its framework's id.

    For "daily", "weekly" and "monthly" `first` and `last` bound the first days of the periods; for
    the others the days. Groups without a trigger are missing; "all" has the one key 0.
    """
    by_period = grouping in ("daily", "weekly", "monthly")
    keys = _KEYS[grouping]
    values = {
        "period_type": grouping if by_period else "daily",
        "first": first,
        "last": last,
        "framework_id": framework_id,
    }
    counts = sql.SQL(", ").join(
        sql.SQL("coalesce(sum({name}), 0)::bigint AS {name}").format(name=sql.Identifier(name))
        for name in COUNTS
    )
    objects = sql.SQL(", ").join(
        sql.SQL("sum(({column} ->> {key})::bigint)::bigint AS {name}").format(
            column=sql.Identifier(column), key=sql.Literal(key), name=sql.Identifier(key)
        )
        for column, names in (("triggered_by_type", TYPES), ("triggered_by_severity", SEVERITIES))
        for key in names
    )
    found = await connection.execute(
        sql.SQL(_COUNTED).format(key=sql.SQL(keys[0]), counts=counts, objects=objects), values
    )
    figures = {row["key"]: _derive(row) for row in await found.fetchall()}
    spread = await connection.execute(
        sql.SQL(_SPREAD).format(
            key=sql.SQL(keys[1]), period=sql.SQL(keys[1] if by_period else "opened_on")
        ),
        values,
    )
    for row in await spread.fetchall():
        # Rows of a build that has just begun to show may be ahead of the other mart's.
        if row["key"] in figures:
            quantiles = [*(row["response"] or (None, None)), *(row["resolve"] or (None, None))]
            figures[row["key"]].update(zip(_QUANTILES, quantiles, strict=True))
    return figures


def no_figures() -> Figures:
    """The figures of a time in which no trigger opened."""
    return _derive(dict.fromkeys((*COUNTS, *TYPES, *SEVERITIES), 0))


def ratio(part: float | None, whole: float | None) -> float | None:
    """The share that `part` is of `whole`; None where there is no whole."""
    return None if not whole or part is None else float(part) / float(whole)


def _derive(row: Mapping[str, Any]) -> Figures:
    suppressed, sent = row["notifications_suppressed"], row["notifications_sent"]
    return {
        **{name: row[name] for name in COUNTS},
        "triggered_by_type": {name: row[name] or 0 for name in TYPES},
        "triggered_by_severity": {name: row[name] or 0 for name in SEVERITIES},
        "avg_response_time_minutes": ratio(row.get("response_minutes"), row["response_time_n"]),
        "mttr_minutes": ratio(row.get("resolve_minutes"), row["mttr_n"]),
        **dict.fromkeys(_QUANTILES),
        **{name: ratio(row[part], row[whole]) for name, (part, whole) in _RATES.items()},
        "suppression_effectiveness": ratio(suppressed, suppressed + sent),
    }
