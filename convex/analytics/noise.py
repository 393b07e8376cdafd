"""The noise report: which alerts cost attention without being worth it. From the marts alone."""

from __future__ import annotations

from datetime import date
from typing import Any

from convex.analytics.figures import Figures, load_figures, no_figures, ratio
from convex.analytics.window import first_day, marts
from convex.db import Connection

# A rule must have fired this often before it is said to be always, or never, something.
_ENOUGH = 3
_MISSED = 50


async def noise(
    connection: Connection, *, today: date, days: int = 30, limit: int = 20
) -> dict[str, Any]:
    """The report of a window of `days` UTC days that ends with `today`.

    `{from, to, rules: [rule], never_acknowledged: [rule], always_auto_resolved: [rule], flapping:
    [rule], members: [member], suppression}`, where

    - rule is `{rule_id, name, framework_id, framework, framework_name, severity, type, triggers,
      share, open, acknowledged, auto_resolved_rate, flap_rate, false_positive_rate, repeats, pages,
      pages_sleep_hours}`. `rules` are the `limit` noisiest. The other lists judge triggers that
      somebody could have been told of (history left out), from three on;
    - member is `{user_id, name, timezone, pages, pages_business_hours, pages_off_hours,
      pages_sleep_hours, sleep_share}`, by the hours of the member's own zone. A viewer sees nobody
      but themselves;
    - suppression is `{sent, suppressed, effectiveness, by_reason: {reason: n}, counterfactual,
      suppressed_actionable}`. The counterfactual asks whether it was right to suppress: of the
      triggers that nobody was told of, `{untold, judged, actionable, false_positive, miss_rate,
      missed: [{trigger_id, rule_id, rule_name, framework, severity, opened_at, state, reasons}]}`,
      with miss_rate = actionable / judged, and the newest 50 of the actionable ones.
    """
    first = first_day(today, days)
    values = {"first": first, "last": today, "most": _MISSED}
    async with marts():
        found = await connection.execute(_RULES, values)
        judged = [_judge(row) for row in await found.fetchall()]
        members = await (await connection.execute(_MEMBERS, values)).fetchall()
        reasons = await (await connection.execute(_REASONS, values)).fetchall()
        untold = await (await connection.execute(_UNTOLD, values)).fetchone()
        missed = await (await connection.execute(_MISSES, values)).fetchall()
        total = (await load_figures(connection, "all", first, today)).get(0, no_figures())
    assert untold is not None
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
        "members": [
            {**member, "sleep_share": ratio(member["pages_sleep_hours"], member["pages"])}
            for member in members
        ],
        "suppression": {
            "sent": total["notifications_sent"],
            "suppressed": total["notifications_suppressed"],
            "effectiveness": total["suppression_effectiveness"],
            "by_reason": {row["reason"]: row["notifications"] for row in reasons},
            "suppressed_actionable": total["suppressed_actionable_triggers"],
            "counterfactual": {
                **untold,
                "miss_rate": ratio(untold["actionable"], untold["judged"]),
                "missed": missed,
            },
        },
    }


def _judge(row: dict[str, Any]) -> tuple[Figures, Figures]:
    """A rule as it is shown, and the counts by which it is judged."""
    shown = (
        *("rule_id", "name", "framework_id", "framework", "framework_name"),
        *("severity", "type", "triggers"),
    )
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


_RULES = """
SELECT
    t.rule_id, coalesce(r.name, max(t.rule_name)) AS name, t.framework_id,
    f.slug AS framework, f.name AS framework_name,
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
INNER JOIN analytics.dim_frameworks AS f ON f.framework_id = t.framework_id
LEFT JOIN analytics.dim_alert_rules AS r ON r.rule_id = t.rule_id
WHERE t.opened_on BETWEEN %(first)s AND %(last)s
GROUP BY t.rule_id, t.framework_id, f.slug, f.name, r.name, r.severity, r.type
ORDER BY triggers DESC, name
"""
_MEMBERS = """
SELECT
    n.recipient_id AS user_id, m.name, coalesce(m.timezone, 'UTC') AS timezone, count(*) AS pages,
    count(*) FILTER (WHERE n.page_hours = 'business') AS pages_business_hours,
    count(*) FILTER (WHERE n.page_hours = 'off') AS pages_off_hours,
    count(*) FILTER (WHERE n.page_hours = 'sleep') AS pages_sleep_hours
FROM analytics.fct_notifications AS n
LEFT JOIN analytics.dim_members AS m
    ON m.workspace_id = n.workspace_id AND m.user_id = n.recipient_id
WHERE n.is_page AND (n.delivered_at AT TIME ZONE 'UTC')::date BETWEEN %(first)s AND %(last)s
GROUP BY n.recipient_id, m.name, m.timezone
ORDER BY pages_sleep_hours DESC, pages DESC, n.recipient_id
"""
_REASONS = """
SELECT n.reason, count(*) AS notifications
FROM analytics.fct_notifications AS n
INNER JOIN analytics.fct_alert_triggers AS t ON t.trigger_id = n.trigger_id
WHERE n.is_suppressed AND t.opened_on BETWEEN %(first)s AND %(last)s
GROUP BY n.reason
ORDER BY notifications DESC, n.reason
"""
_UNTOLD = """
SELECT
    count(*) AS untold, count(feedback) AS judged,
    count(*) FILTER (WHERE feedback = 'actionable') AS actionable,
    count(*) FILTER (WHERE feedback = 'false_positive') AS false_positive
FROM analytics.fct_alert_triggers
WHERE opened_on BETWEEN %(first)s AND %(last)s
    AND notifications_suppressed > 0 AND notifications_sent = 0
"""
_MISSES = """
SELECT
    t.trigger_id, t.rule_id, t.rule_name, f.slug AS framework, t.severity, t.opened_at, t.state,
    coalesce((
        SELECT array_agg(DISTINCT n.reason ORDER BY n.reason)
        FROM analytics.fct_notifications AS n
        WHERE n.trigger_id = t.trigger_id AND n.is_suppressed
    ), '{}') AS reasons
FROM analytics.fct_alert_triggers AS t
INNER JOIN analytics.dim_frameworks AS f ON f.framework_id = t.framework_id
WHERE t.opened_on BETWEEN %(first)s AND %(last)s AND t.feedback = 'actionable'
    AND t.notifications_suppressed > 0 AND t.notifications_sent = 0
ORDER BY t.opened_at DESC, t.trigger_id
LIMIT %(most)s
"""
