"""What /analytics shows, from the marts alone, under the row level security of the reader.

Days are UTC days; the window of `days` ends with `today`, included. Times in minutes, rates between
0 and 1, None where there is nothing to divide by. Every function raises `Unavailable` until the
marts have been built for the first time.

"Figures" below stands for: total_triggers, historical_triggers, open_triggers,
acknowledged_triggers, resolved_triggers, auto_resolved_triggers, flapping_triggers,
marked_triggers, actionable_triggers, false_positive_triggers, suppressed_actionable_triggers,
triggered_by_type `{threshold, anomaly, performance, milestone}`, triggered_by_severity `{critical,
warning, info}`, avg_response_time_minutes with response_time_n, response_time_median_minutes and
response_time_p90_minutes, mttr_minutes with mttr_n, mttr_median_minutes and mttr_p90_minutes,
resolution_rate, auto_resolved_rate, false_positive_rate, actionable_rate, flap_rate,
suppression_effectiveness, repeats, notifications_sent, notifications_suppressed,
notifications_failed, pages, pages_business_hours, pages_off_hours, pages_sleep_hours.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from convex.analytics.build import Period
from convex.analytics.figures import load_figures, no_figures
from convex.analytics.noise import noise
from convex.analytics.window import first_day, marts
from convex.db import Connection
from convex.errors import InvalidInput

__all__ = [
    "count_marts",
    "distribution",
    "noise",
    "performance",
    "period_start",
    "refreshed_at",
    "summary",
    "trends",
]


async def summary(
    connection: Connection, *, today: date, days: int = 30, framework_id: UUID | None = None
) -> dict[str, Any]:
    """`{from, to, days, …figures, previous: {from, to, …figures}, refreshed_at}`.

    `previous` is the window of the same length before; refreshed_at when the marts were last built.
    """
    first = first_day(today, days)
    before = (first - timedelta(days=days), first - timedelta(days=1))
    async with marts():
        now = await load_figures(connection, "all", first, today, framework_id)
        then = await load_figures(connection, "all", *before, framework_id)
        refreshed = await refreshed_at(connection)
    return {
        "from": first,
        "to": today,
        "days": days,
        **now.get(0, no_figures()),
        "previous": {"from": before[0], "to": before[1], **then.get(0, no_figures())},
        "refreshed_at": refreshed,
    }


async def trends(
    connection: Connection,
    *,
    today: date,
    period: Period = "daily",
    days: int = 30,
    framework_id: UUID | None = None,
) -> dict[str, Any]:
    """`{period, from, to, items: [{period_start, …figures}]}`, oldest first and without gaps.

    The first period is the one that holds the first day of the window, whole.
    """
    first = period_start(first_day(today, days), period)
    async with marts():
        found = await load_figures(connection, period, first, today, framework_id)
    items = []
    start = first
    while start <= today:
        items.append({"period_start": start, **found.get(start, no_figures())})
        start = _next(start, period)
    return {"period": period, "from": first, "to": today, "items": items}


async def performance(connection: Connection, *, today: date, days: int = 30) -> dict[str, Any]:
    """`{from, to, items: [{framework_id, slug, name, …figures}]}`: the busiest framework first."""
    first = first_day(today, days)
    async with marts():
        found = await load_figures(connection, "framework", first, today)
        rows = await connection.execute(
            "SELECT framework_id, slug, name FROM analytics.dim_frameworks ORDER BY slug"
        )
        items = [
            {**row, **found.get(row["framework_id"], no_figures())} for row in await rows.fetchall()
        ]
    items.sort(key=lambda item: -item["total_triggers"])
    return {"from": first, "to": today, "items": items}


async def distribution(
    connection: Connection,
    *,
    today: date,
    days: int = 30,
    framework_id: UUID | None = None,
    timezone: str = "UTC",
) -> dict[str, Any]:
    """How the window's triggers are spread.

    `{from, to, timezone, total, by_type, by_severity, by_state, by_resolution, by_source,
    by_feedback: each {word: n}, by_hour: [n × 24], by_weekday: [n × 7, Monday first],
    by_hour_of_week: [[n × 24] × 7], by_framework: [{framework_id, slug, name, triggers}]}`. Hours
    and weekdays are of `timezone`. Raises `InvalidInput` for a zone that does not exist.
    """
    first = first_day(today, days)
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"{timezone!r} is no IANA time zone.") from None
    values = {"first": first, "last": today, "framework": framework_id, "zone": timezone}
    async with marts():
        found = await connection.execute(_DISTRIBUTION, values)
        spread: dict[str, dict[str, int]] = {}
        for row in await found.fetchall():
            spread.setdefault(row["what"], {})[row["word"]] = row["triggers"]
        rows = await connection.execute(_BY_FRAMEWORK, values)
        by_framework = await rows.fetchall()
    week = [[0] * 24 for _ in range(7)]
    for word, triggers in spread.pop("hour_of_week", {}).items():
        weekday, hour = (int(part) for part in word.split("-"))
        week[weekday - 1][hour] = triggers
    return {
        "from": first,
        "to": today,
        "timezone": timezone,
        "total": sum(spread.get("type", {}).values()),
        **{f"by_{what}": spread.get(what, {}) for what in _WORDS},
        "by_hour": [sum(day[hour] for day in week) for hour in range(24)],
        "by_weekday": [sum(day) for day in week],
        "by_hour_of_week": week,
        "by_framework": by_framework,
    }


async def count_marts(connection: Connection) -> dict[str, int]:
    """The rows of each mart that the acting identity sees, by name."""
    async with marts():
        found = await connection.execute(_ROWS)
        return {row["mart"]: row["n"] for row in await found.fetchall()}


async def refreshed_at(connection: Connection) -> datetime | None:
    """When the run began that last wrote the acting workspace's analytics."""
    async with marts():
        found = await connection.execute(
            "SELECT max(refreshed_at) AS at FROM analytics.alert_analytics"
        )
        row = await found.fetchone()
    return None if row is None else row["at"]


def period_start(day: date, period: Period) -> date:
    """The first day of the period that holds `day`."""
    if period == "weekly":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "monthly" else day


def _next(start: date, period: Period) -> date:
    if period == "monthly":
        return (start + timedelta(days=31)).replace(day=1)
    return start + timedelta(days=7 if period == "weekly" else 1)


_WORDS = ("type", "severity", "state", "resolution", "source", "feedback")
_DISTRIBUTION = """
WITH triggers AS (
    SELECT
        type, severity, state, resolution, source, feedback,
        to_char(opened_at AT TIME ZONE %(zone)s, 'ID-HH24') AS hour_of_week
    FROM analytics.fct_alert_triggers
    WHERE opened_on BETWEEN %(first)s AND %(last)s
        AND (%(framework)s::uuid IS NULL OR framework_id = %(framework)s)
)
SELECT w.what, w.word, count(*) AS triggers
FROM triggers AS t
CROSS JOIN LATERAL (VALUES
    ('type', t.type), ('severity', t.severity), ('state', t.state),
    ('resolution', t.resolution), ('source', t.source), ('feedback', t.feedback),
    ('hour_of_week', t.hour_of_week)
) AS w (what, word)
WHERE w.word IS NOT NULL
GROUP BY w.what, w.word
ORDER BY triggers DESC, w.word
"""
_BY_FRAMEWORK = """
SELECT f.framework_id, f.slug, f.name, count(t.trigger_id) AS triggers
FROM analytics.dim_frameworks AS f
LEFT JOIN analytics.fct_alert_triggers AS t
    ON t.framework_id = f.framework_id AND t.opened_on BETWEEN %(first)s AND %(last)s
WHERE %(framework)s::uuid IS NULL OR f.framework_id = %(framework)s
GROUP BY f.framework_id, f.slug, f.name
ORDER BY triggers DESC, f.slug
"""
_ROWS = " UNION ALL ".join(
    f"SELECT '{mart}' AS mart, count(*) AS n FROM analytics.{mart}"
    for mart in (
        *("alert_analytics", "fct_alert_triggers", "fct_notifications", "fct_predictions"),
        *("dim_alert_rules", "dim_frameworks", "dim_members", "metric_hourly"),
    )
)
