"""The histories that models learn from, read from the database: rules, triggers, hourly margins.

At most `MOST_DAYS` of the past, and margins for at most `MOST_MEASURED` rules (those with the most
triggers) over at most `MOST_SERIES` of their series, an hour of a series being one value. So memory
is bounded whatever the workspace holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np

from convex.alerts import rule_store
from convex.alerts.matchers import match_all
from convex.alerts.measure import Points, fire_limit, is_learnt, measure
from convex.alerts.model import Condition, Rule, RuleType
from convex.alerts.rule_store import RuleFilters
from convex.db import Connection
from convex.metrics.model import HOUR, Aggregate, FloatArray, IntArray, to_datetime, to_microseconds
from convex.predictions.model import RuleFacts, RuleHistory
from convex.predictions.panel import Panel, build_panel, hourly_margins

MOST_DAYS = 400
MOST_MEASURED = 100
MOST_SERIES = 8
_FAR = 2**61
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Known:
    """The panel up to `end`, its rules as they are (by row), and the days since the first point."""

    panel: Panel
    rules: tuple[Rule, ...]
    days: float
    zone: str


async def load_history(
    connection: Connection, workspace_id: UUID, *, end: datetime, days: int = MOST_DAYS
) -> Known:
    """What is known before `end` (rounded down to the minute) of all enabled rules that can fire
    again; milestones are left out.
    """
    until = to_microseconds(end.replace(second=0, microsecond=0))
    rules = await _read_rules(connection, workspace_id)
    zone = await rule_store.zone_of(connection, workspace_id)
    first = await _first_instant(connection, workspace_id, rules)
    age = 0.0 if first is None else max(0.0, (until - first) / (24 * HOUR))
    hours = int(min(days, max(1, age)) * 24)
    start = until - hours * HOUR
    triggers = await _read_triggers(connection, workspace_id, start, until)
    ranked = sorted(
        (rule for rule in rules if rule.id in triggers),
        key=lambda rule: (-len(triggers[rule.id][0]), rule.name),
    )
    margins = {
        rule.id: await _read_margins(connection, workspace_id, rule, start, hours)
        for rule in ranked[:MOST_MEASURED]
    }
    series = await _only_series(connection, workspace_id)
    categories = await _categories(connection, workspace_id)
    nothing = np.zeros(0, np.int64)
    histories = [
        RuleHistory(
            RuleFacts(
                rule.id,
                rule.name,
                rule.framework_id,
                rule.metric,
                rule.type.value,
                rule.severity.value,
                categories.get(rule.metric_id, "") if rule.metric_id else "",
                -(-rule.for_seconds // 3600) if rule.for_seconds else 0,
                series.get(rule.metric_id) if rule.metric_id else None,
            ),
            *triggers.get(rule.id, (nothing, nothing)),
            margins.get(rule.id),
        )
        for rule in rules
    ]
    return Known(build_panel(histories, until, hours, zone), tuple(rules), age, zone)


def margins_of(rule: Rule, points: Points) -> FloatArray | None:
    """How far each measurement lies beyond the threshold, positive where the condition holds; None
    for a rule that has no side. For a learnt detector, simply the values.
    """
    if rule.condition is Condition.EQUALS:
        return None
    if is_learnt(rule):
        sign = -1.0 if rule.condition is Condition.BELOW else 1.0
        return np.asarray(points.values * sign)
    measured = measure(rule, points, points.timestamps)
    scores = np.where(measured.known, measured.scores, np.nan)
    below = rule.type is RuleType.THRESHOLD and rule.condition is Condition.BELOW
    return np.asarray((scores - fire_limit(rule)) * (-1.0 if below else 1.0))


async def _read_rules(connection: Connection, workspace_id: UUID) -> list[Rule]:
    rules: list[Rule] = []
    cursor = None
    while True:
        page = await rule_store.list_rules(
            connection, workspace_id, RuleFilters(enabled=True), limit=_PAGE, cursor=cursor
        )
        rules += [rule for rule in page.items if rule.type is not RuleType.MILESTONE]
        if (cursor := page.next_cursor) is None:
            return rules


async def _first_instant(
    connection: Connection, workspace_id: UUID, rules: Sequence[Rule]
) -> int | None:
    rows = await connection.execute(
        "SELECT min(p.timestamp) AS first FROM convex.metrics AS m"
        " INNER JOIN convex.series AS s ON s.metric_id = m.id CROSS JOIN LATERAL ("
        " SELECT q.timestamp FROM convex.points AS q WHERE q.series_id = s.id"
        " ORDER BY q.timestamp LIMIT 1) AS p"
        " WHERE m.workspace_id = %s AND (m.id = ANY (%s) OR m.framework_id = ANY (%s))",
        (
            workspace_id,
            list({rule.metric_id for rule in rules if rule.metric_id is not None}),
            list({rule.framework_id for rule in rules if rule.is_joint}),
        ),
    )
    row = await rows.fetchone()
    return None if row is None or row["first"] is None else to_microseconds(row["first"])


async def _read_triggers(
    connection: Connection, workspace_id: UUID, start: int, end: int
) -> dict[UUID, tuple[IntArray, IntArray]]:
    rows = await connection.execute(
        "SELECT rule_id, array_agg(extract(epoch FROM opened_at) ORDER BY opened_at, id) AS opened,"
        " array_agg(extract(epoch FROM resolved_at) ORDER BY opened_at, id) AS closed"
        " FROM convex.alert_triggers WHERE workspace_id = %s AND rule_id IS NOT NULL"
        " AND opened_at < %s AND (resolved_at IS NULL OR resolved_at >= %s) GROUP BY rule_id",
        (workspace_id, to_datetime(end), to_datetime(start)),
    )
    found = {}
    for row in await rows.fetchall():
        opened = np.array([int(second * 1_000_000) for second in row["opened"]], np.int64)
        closed = np.array(
            [_FAR if second is None else int(second * 1_000_000) for second in row["closed"]],
            np.int64,
        )
        # what closes later was not known to be closed
        found[row["rule_id"]] = (opened, np.where(closed >= end, _FAR, closed))
    return found


async def _read_margins(
    connection: Connection, workspace_id: UUID, rule: Rule, start: int, hours: int
) -> FloatArray | None:
    if rule.is_joint:
        return None  # values of different metrics have no side in common
    series = await rule_store.series_of(connection, rule)
    chosen = [
        key for key, own in sorted(series.items()) if match_all(rule.label_matchers, own.labels)
    ]
    best: FloatArray | None = None
    for timestamps, values in await _read_hours(
        connection, rule, chosen[:MOST_SERIES], start, hours
    ):
        margins = margins_of(rule, Points(timestamps, values))
        if margins is None:
            return None
        hourly = hourly_margins(timestamps, margins, start, hours)
        best = hourly if best is None else np.fmax(best, hourly)
    return best


async def _read_hours(
    connection: Connection, rule: Rule, series: Sequence[int], start: int, hours: int
) -> list[tuple[IntArray, FloatArray]]:
    """One value an hour of each series: the worst for the rule, or the mean where it aggregates."""
    below = rule.condition is Condition.BELOW
    steady = rule.window_seconds or rule.type is not RuleType.THRESHOLD
    how = "avg" if steady else ("min" if below else "max")
    if steady and rule.aggregate is Aggregate.SUM:
        how = "sum"
    rows = await connection.execute(
        "SELECT h.series_id, array_agg(extract(epoch FROM h.hour) ORDER BY h.hour) AS hours,"
        " array_agg(h.value ORDER BY h.hour) AS values FROM ("
        " SELECT series_id, date_bin('1 hour', timestamp, %(start)s) AS hour,"
        f" {how}(value) AS value FROM convex.points WHERE series_id = ANY (%(series)s)"
        " AND timestamp >= %(start)s AND timestamp < %(end)s GROUP BY 1, 2) AS h"
        " GROUP BY h.series_id ORDER BY h.series_id",
        {
            "series": list(series),
            "start": to_datetime(start),
            "end": to_datetime(start + hours * HOUR),
        },
    )
    return [
        (
            np.array([int(second * 1_000_000) for second in row["hours"]], np.int64),
            np.array(row["values"], np.float64),
        )
        for row in await rows.fetchall()
    ]


async def _only_series(connection: Connection, workspace_id: UUID) -> Mapping[UUID, int]:
    """The series of each metric that has exactly one."""
    rows = await connection.execute(
        "SELECT metric_id, min(id) AS id FROM convex.series WHERE workspace_id = %s"
        " GROUP BY metric_id HAVING count(*) = 1",
        (workspace_id,),
    )
    return {row["metric_id"]: row["id"] for row in await rows.fetchall()}


async def _categories(connection: Connection, workspace_id: UUID) -> Mapping[UUID, str]:
    rows = await connection.execute(
        "SELECT id, category FROM convex.metrics WHERE workspace_id = %s", (workspace_id,)
    )
    return {row["id"]: row["category"] for row in await rows.fetchall()}
