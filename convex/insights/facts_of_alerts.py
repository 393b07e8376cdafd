"""Facts about alerts: how many, which are open, which rules are noisy, when. Reads only."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from convex.analytics import read as analytics
from convex.analytics.noise import noise
from convex.db import Connection
from convex.insights import fact_store
from convex.insights.model import RATIO
from convex.insights.packing import About, Packer, Scope, day_window

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


async def add_alerts(connection: Connection, scope: Scope, packer: Packer) -> None:
    """How many opened against the window before, of what kind, and how they were answered."""
    if not await _marts(connection, packer):
        return
    found = await analytics.summary(
        connection, today=scope.as_of.date(), days=scope.days, framework_id=scope.framework_id
    )
    start, end = day_window(scope.as_of, scope.days)
    before = (start - timedelta(days=scope.days), start)
    window = About(start=start, end=end)
    then = found["previous"]

    packer.add("alerts.total", "alerts that opened", found["total_triggers"], "triggers", window)
    packer.add(
        "alerts.previous",
        "alerts that opened in the window before",
        then["total_triggers"],
        "triggers",
        start=before[0],
        end=before[1],
    )
    packer.add(
        "alerts.change",
        "change of the number of alerts against the window before",
        found["total_triggers"] - then["total_triggers"],
        "triggers",
        window,
        change=True,
    )
    for severity, count in found["triggered_by_severity"].items():
        packer.add(
            f"alerts.severity.{severity}",
            f"alerts of severity {severity} that opened",
            count,
            "triggers",
            window,
        )
    for type_, count in found["triggered_by_type"].items():
        if count:
            packer.add(
                f"alerts.type.{type_}",
                f"alerts of type {type_} that opened",
                count,
                "triggers",
                window,
            )
    if found["historical_triggers"]:
        packer.add(
            "alerts.historical",
            "of these, alerts found in imported history, of which nobody was told",
            found["historical_triggers"],
            "triggers",
            window,
        )
    for key, what, name, unit in (
        ("alerts.response", "median time to acknowledge", "response_time_median_minutes", "min"),
        ("alerts.resolve", "median time to resolve", "mttr_median_minutes", "min"),
        ("alerts.auto_resolved", "share resolved without anybody", "auto_resolved_rate", RATIO),
        ("alerts.actionable", "share of marked alerts: actionable", "actionable_rate", RATIO),
        ("alerts.false_positive", "share of marked alerts: false", "false_positive_rate", RATIO),
        (
            "alerts.suppression",
            "share of notifications held back",
            "suppression_effectiveness",
            RATIO,
        ),
        ("alerts.pages", "messages that interrupted somebody", "pages", "pages"),
        ("alerts.sleep", "of these, in the hours of sleep", "pages_sleep_hours", "pages"),
    ):
        packer.add(key, what, found[name], unit, window)


async def add_open_alerts(connection: Connection, scope: Scope, packer: Packer) -> None:
    """What is open now."""
    rows = await fact_store.open_triggers(connection, scope.workspace_id, scope.framework_id)
    at = scope.as_of
    packer.add("open.total", "alerts that are open", len(rows), "triggers", end=at)
    counts = Counter(row["severity"] for row in rows)
    for severity in ("critical", "warning", "info"):
        if counts[severity]:
            packer.add(
                f"open.severity.{severity}",
                f"open alerts of severity {severity}",
                counts[severity],
                "triggers",
                end=at,
            )
    for row in rows[:4]:
        names = About(of=row["rule_name"], within=row["framework"])
        state = "acknowledged" if row["state"] == "acknowledged" else "not acknowledged"
        what = f"since when this {row['severity']} alert is open ({state})"
        packer.add("open.since", what, row["opened_at"], about=names)
        packer.add("open.value", "value when it opened", row["value"], row["unit"] or "", names)
        packer.add("open.limit", "its threshold", row["threshold"], row["unit"] or "", names)


async def add_noisy_rules(connection: Connection, scope: Scope, packer: Packer) -> None:
    """The rules that fire most."""
    if not await _marts(connection, packer):
        return
    found = await noise(connection, today=scope.as_of.date(), days=scope.days, limit=100)
    start, end = day_window(scope.as_of, scope.days)
    rules = [
        rule
        for rule in found["rules"]
        if scope.framework_id is None or rule["framework_id"] == scope.framework_id
    ]
    quiet = {rule["rule_id"] for rule in found["never_acknowledged"]}
    for rule in rules[:3]:
        about = About(of=rule["name"] or "", start=start, end=end)
        packer.add("noise.triggers", "alerts of this rule", rule["triggers"], "triggers", about)
        packer.add("noise.pages", "messages of this rule", rule["pages"], "pages", about)
        packer.add(
            "noise.acknowledged",
            "alerts of this rule that somebody acknowledged"
            + (", although people were told" if rule["rule_id"] in quiet else ""),
            rule["acknowledged"],
            "triggers",
            about,
        )
        packer.add(
            "noise.auto_resolved",
            "share of its alerts that went away by themselves",
            rule["auto_resolved_rate"],
            RATIO,
            about,
        )


async def add_busy_hours(connection: Connection, scope: Scope, packer: Packer) -> None:
    """The hour and the day in which most open."""
    if not await _marts(connection, packer):
        return
    found = await analytics.distribution(
        connection, today=scope.as_of.date(), days=scope.days, framework_id=scope.framework_id
    )
    if not found["total"]:
        return
    start, end = day_window(scope.as_of, scope.days)
    hours, days = found["by_hour"], found["by_weekday"]
    hour, day = hours.index(max(hours)), days.index(max(days))
    window = About(start=start, end=end)
    named = f"{hour:02d}:00 to {(hour + 1) % 24:02d}:00 UTC"
    packer.add("busy.hour", "hour of the day in which most alerts open", named, about=window)
    packer.add(
        "busy.hour_share",
        f"share of all alerts that open from {named}",
        hours[hour] / found["total"],
        RATIO,
        window,
    )
    packer.add("busy.weekday", "day on which most alerts open", _WEEKDAYS[day], about=window)
    packer.add(
        "busy.weekday_share",
        f"share of all alerts that open on a {_WEEKDAYS[day]}",
        days[day] / found["total"],
        RATIO,
        window,
    )


async def add_frameworks(connection: Connection, scope: Scope, packer: Packer) -> None:
    """Each framework's alerts."""
    if not await _marts(connection, packer):
        return
    found = await analytics.performance(connection, today=scope.as_of.date(), days=scope.days)
    start, end = day_window(scope.as_of, scope.days)
    for item in found["items"][:8]:
        about = About(of=item["name"], start=start, end=end)
        packer.add(
            "frameworks.alerts", "alerts that opened", item["total_triggers"], "triggers", about
        )
        critical = item["triggered_by_severity"]["critical"]
        packer.add(
            "frameworks.critical", "critical alerts that opened", critical, "triggers", about
        )
        packer.add(
            "frameworks.resolve",
            "median time to resolve",
            item.get("mttr_median_minutes"),
            "min",
            about,
        )


async def _marts(connection: Connection, packer: Packer) -> bool:
    there = await fact_store.marts_exist(connection)
    said = "analytics: the marts have not been built yet"
    if not there and said not in packer.missing:
        packer.missing.append(said)
    return there
