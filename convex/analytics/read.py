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

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg

from convex.analytics.build import Period
from convex.analytics.figures import Figures, load_figures, no_figures, ratio
from convex.db import Connection
from convex.errors import InvalidInput, Unavailable

LONGEST_DAYS = 3660
# A rule must have fired this often before it is said to be always, or never, something.
_ENOUGH = 3


async def summary(
    connection: Connection, *, today: date, days: int = 30, framework_id: UUID | None = None
) -> dict[str, Any]:
    """`{from, to, days, …figures, previous: {from, to, …figures}, refreshed_at}`.

    `previous` is the window of the same length before; refreshed_at when the marts were last built.
    """
    first = _first_day(today, days)
    before = (first - timedelta(days=days), first - timedelta(days=1))
    async with _marts():
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
    first = period_start(_first_day(today, days), period)
    async with _marts():
        found = await load_figures(connection, period, first, today, framework_id)
    items = []
    start = first
    while start <= today:
        items.append({"period_start": start, **found.get(start, no_figures())})
        start = _next(start, period)
    return {"period": period, "from": first, "to": today, "items": items}


async def performance(connection: Connection, *, today: date, days: int = 30) -> dict[str, Any]:
    """`{from, to, items: [{framework_id, slug, name, …figures}]}`: the busiest framework first."""
    first = _first_day(today, days)
    async with _marts():
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
    first = _first_day(today, days)
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"{timezone!r} is no IANA time zone.") from None
    values = {"first": first, "last": today, "framework": framework_id, "zone": timezone}
    async with _marts():
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


async def noise(
    connection: Connection, *, today: date, days: int = 30, limit: int = 20
) -> dict[str, Any]:
    """Which alerts cost attention without being worth it.

    `{from, to, rules: [rule], never_acknowledged: [rule], always_auto_resolved: [rule], flapping:
    [rule], members: [{user_id, pages, pages_business_hours, pages_off_hours, pages_sleep_hours}],
    suppression: {sent, suppressed, effectiveness, by_reason: {reason: n}, suppressed_actionable}}`,
    where rule is `{rule_id, name, framework_id, severity, type, triggers, share, open,
    acknowledged, auto_resolved_rate, flap_rate, false_positive_rate, repeats, pages,
    pages_sleep_hours}`. `rules` are the `limit` noisiest. The other lists judge triggers that
    somebody could have been told of (history left out), from three on. suppressed_actionable counts
    triggers that nobody was told of although they proved actionable. A viewer sees the pages of no
    member but themselves.
    """
    first = _first_day(today, days)
    values = {"first": first, "last": today}
    async with _marts():
        found = await connection.execute(_RULES, values)
        judged = [_judge(row) for row in await found.fetchall()]
        members = await (await connection.execute(_MEMBERS, values)).fetchall()
        reasons = await (await connection.execute(_REASONS, values)).fetchall()
        total = (await load_figures(connection, "all", first, today)).get(0, no_figures())
    rules = [rule for rule, _ in judged]
    enough = [(rule, live) for rule, live in judged if live["live"] >= _ENOUGH]
    return {
        "from": first,
        "to": today,
        "rules": rules[:limit],
        "never_acknowledged": [r for r, live in enough if not live["live_acknowledged"]][:limit],
        "always_auto_resolved": [
            rule for rule, live in enough if live["live_auto_resolved"] == live["live"]
        ][:limit],
        "flapping": sorted(
            (rule for rule in rules if rule["flap_rate"]), key=lambda rule: -rule["flap_rate"]
        )[:limit],
        "members": members,
        "suppression": {
            "sent": total["notifications_sent"],
            "suppressed": total["notifications_suppressed"],
            "effectiveness": total["suppression_effectiveness"],
            "by_reason": {row["reason"]: row["notifications"] for row in reasons},
            "suppressed_actionable": total["suppressed_actionable_triggers"],
        },
    }


async def count_marts(connection: Connection) -> dict[str, int]:
    """The rows of each mart that the acting identity sees, by name."""
    async with _marts():
        found = await connection.execute(_ROWS)
        return {row["mart"]: row["n"] for row in await found.fetchall()}


async def refreshed_at(connection: Connection) -> datetime | None:
    """When the run began that last wrote the acting workspace's analytics."""
    async with _marts():
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


def _first_day(today: date, days: int) -> date:
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput(f"days must be between 1 and {LONGEST_DAYS}, not {days}.")
    return today - timedelta(days=days - 1)


@asynccontextmanager
async def _marts() -> AsyncIterator[None]:
    try:
        yield
    except psycopg.errors.UndefinedTable:
        raise Unavailable(
            "The analytics have not been built yet; run the deployment build-marts/daily, or wait"
            " for its schedule."
        ) from None


def _judge(row: dict[str, Any]) -> tuple[Figures, Figures]:
    """A rule as it is shown, and the counts by which it is judged."""
    shown = ("rule_id", "name", "framework_id", "severity", "type", "triggers")
    counted = ("open", "acknowledged", "repeats", "pages", "pages_sleep_hours")
    rule = {
        **{name: row[name] for name in shown},
        "share": ratio(row["triggers"], row["all_triggers"]),
        **{name: row[name] for name in counted},
        "auto_resolved_rate": ratio(row["auto_resolved"], row["resolved"]),
        "flap_rate": ratio(row["flapping"], row["triggers"]),
        "false_positive_rate": ratio(row["false_positive"], row["marked"]),
    }
    return rule, {name: value for name, value in row.items() if name.startswith("live")}


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
_RULES = """
SELECT
    t.rule_id, coalesce(r.name, max(t.rule_name)) AS name, t.framework_id,
    coalesce(r.severity, max(t.severity)) AS severity, coalesce(r.type, max(t.type)) AS type,
    count(*) AS triggers, (sum(count(*)) OVER ())::bigint AS all_triggers,
    count(*) FILTER (WHERE t.state <> 'resolved') AS open,
    count(t.acknowledged_at) AS acknowledged,
    count(t.resolved_at) AS resolved,
    count(*) FILTER (WHERE t.is_auto_resolved) AS auto_resolved,
    count(*) FILTER (WHERE t.is_flapping) AS flapping,
    count(t.feedback) AS marked,
    count(*) FILTER (WHERE t.feedback = 'false_positive') AS false_positive,
    sum(t.repeat_count) AS repeats, sum(t.pages) AS pages,
    sum(t.pages_sleep_hours) AS pages_sleep_hours,
    count(*) FILTER (WHERE NOT t.is_historical) AS live,
    count(t.acknowledged_at) FILTER (WHERE NOT t.is_historical) AS live_acknowledged,
    count(*) FILTER (WHERE NOT t.is_historical AND t.is_auto_resolved) AS live_auto_resolved
FROM analytics.fct_alert_triggers AS t
LEFT JOIN analytics.dim_alert_rules AS r ON r.rule_id = t.rule_id
WHERE t.opened_on BETWEEN %(first)s AND %(last)s
GROUP BY t.rule_id, t.framework_id, r.name, r.severity, r.type
ORDER BY triggers DESC, name
"""
_MEMBERS = """
SELECT
    recipient_id AS user_id, count(*) AS pages,
    count(*) FILTER (WHERE page_hours = 'business') AS pages_business_hours,
    count(*) FILTER (WHERE page_hours = 'off') AS pages_off_hours,
    count(*) FILTER (WHERE page_hours = 'sleep') AS pages_sleep_hours
FROM analytics.fct_notifications
WHERE is_page AND (delivered_at AT TIME ZONE 'UTC')::date BETWEEN %(first)s AND %(last)s
GROUP BY recipient_id
ORDER BY pages_sleep_hours DESC, pages DESC, recipient_id
"""
_REASONS = """
SELECT n.reason, count(*) AS notifications
FROM analytics.fct_notifications AS n
INNER JOIN analytics.fct_alert_triggers AS t ON t.trigger_id = n.trigger_id
WHERE n.is_suppressed AND t.opened_on BETWEEN %(first)s AND %(last)s
GROUP BY n.reason
ORDER BY notifications DESC, n.reason
"""
_ROWS = " UNION ALL ".join(
    f"SELECT '{mart}' AS mart, count(*) AS n FROM analytics.{mart}"
    for mart in (
        *("alert_analytics", "fct_alert_triggers", "fct_notifications", "fct_predictions"),
        *("dim_alert_rules", "dim_frameworks", "metric_hourly"),
    )
)
