"""The suites, each a query and what is expected of its rows.

points: every point of the window, by itself. series: one row for each live series, against its
own past, its metric's range and its rhythm. intake: one row, what was refused. What has been made
of points, triggers and marts, is in `suites_of_results`. The queries hold no condition on the
workspace: they are run under its row level security.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from convex.quality.model import Severity, Window

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

_FUTURE = timedelta(minutes=10)
_LARGEST = 1.7e308

_POINTS = """
SELECT
    p.series_id, p.timestamp, p.value, f.slug AS framework, m.name AS metric, m.unit,
    CASE WHEN p.value < r.low OR p.value > r.high THEN concat(
        f.slug, ' ', m.name, ' ', p.value, ' at ', p.timestamp AT TIME ZONE 'UTC'
    ) END AS outside
FROM convex.points AS p
LEFT JOIN convex.series AS s ON s.id = p.series_id
LEFT JOIN convex.metrics AS m ON m.id = s.metric_id
LEFT JOIN convex.frameworks AS f ON f.id = s.framework_id
LEFT JOIN convex.metric_ranges AS r ON r.metric_id = s.metric_id
"""

_SERIES = """
WITH recent AS (
    SELECT
        series_id, timestamp, value,
        extract(epoch FROM timestamp - lag(timestamp) OVER (
            PARTITION BY series_id ORDER BY timestamp
        )) AS gap,
        lag(value) OVER (PARTITION BY series_id ORDER BY timestamp) AS previous
    FROM convex.points
    WHERE timestamp > '{month}'
),
rhythm AS (
    SELECT
        p.series_id,
        percentile_cont(0.99) WITHIN GROUP (ORDER BY p.gap) AS usual_gap,
        percentile_cont(0.99) WITHIN GROUP (ORDER BY p.gap)
            FILTER (WHERE p.timestamp <= '{day}') AS gap_before,
        max(p.gap) FILTER (WHERE p.timestamp > '{day}') AS largest_gap,
        count(*) FILTER (WHERE p.timestamp > '{day}') AS last_day,
        count(*) FILTER (
            WHERE p.timestamp <= '{day}' AND p.timestamp > '{week}'
        ) / 7.0 AS usual_day,
        count(*) FILTER (
            WHERE p.timestamp >= '{hour}' AND p.timestamp < '{hour_end}'
        ) AS last_hour,
        count(*) FILTER (
            WHERE p.timestamp < '{hour}'
            AND mod(
                ceil(extract(epoch FROM '{hour}'::timestamptz - p.timestamp))::bigint - 1, 604800
            ) >= 604800 - 3600
        ) AS same_hours,
        count(*) FILTER (
            WHERE m.is_counter AND p.timestamp > '{day}'
            AND p.value < p.previous AND p.value > 0.5 * p.previous
        ) AS drops,
        count(*) FILTER (WHERE p.timestamp > '{day}' AND p.value < r.low) + count(*) FILTER (
            WHERE p.timestamp > '{day}' AND p.value > r.high
        ) AS outside_bounds,
        avg(CASE WHEN p.value < r.learned_low OR p.value > r.learned_high THEN 1.0 ELSE 0 END)
            FILTER (WHERE p.timestamp > '{day}' AND r.low IS NULL AND r.high IS NULL) AS unusual,
        count(*) FILTER (WHERE p.timestamp > '{soon}') AS ahead,
        min(p.timestamp) AS oldest,
        floor(extract(epoch FROM '{hour}'::timestamptz - min(p.timestamp)) / 604800) AS weeks
    FROM recent AS p
    INNER JOIN convex.series AS s ON s.id = p.series_id
    INNER JOIN convex.metrics AS m ON m.id = s.metric_id
    LEFT JOIN convex.metric_ranges AS r ON r.metric_id = s.metric_id
    GROUP BY p.series_id
)
SELECT
    s.id AS series_id, f.slug AS framework, m.name AS metric, s.newest_at,
    extract(epoch FROM '{now}'::timestamptz - s.newest_at)
        / greatest(coalesce(r.usual_gap, 86400), 60) AS silence,
    r.largest_gap / greatest(r.gap_before, 60) AS gap,
    CASE WHEN r.oldest <= '{week}' THEN r.last_day / nullif(r.usual_day, 0) END AS volume,
    CASE WHEN r.weeks >= 3 AND r.same_hours >= 4 * r.weeks
        THEN r.last_hour * r.weeks / r.same_hours END AS hour_volume,
    coalesce(r.drops, 0) AS drops,
    coalesce(r.outside_bounds, 0) AS outside_bounds,
    coalesce(r.unusual, 0) AS unusual,
    coalesce(r.ahead, 0) AS ahead
FROM convex.series AS s
INNER JOIN convex.metrics AS m ON m.id = s.metric_id
INNER JOIN convex.frameworks AS f ON f.id = s.framework_id
LEFT JOIN rhythm AS r ON r.series_id = s.id
WHERE s.ended_at IS NULL
"""

_INTAKE = """
WITH refused AS (
    SELECT count(*) AS rejected FROM convex.rejected_points WHERE received_at > '{day}'
),
taken AS (
    SELECT count(*) AS points FROM convex.points WHERE timestamp > '{day}'
)
SELECT
    rejected, points, rejected / nullif(rejected + points, 0)::double precision AS rejected_share
FROM refused, taken
"""


@dataclass(frozen=True, slots=True)
class Suite:
    """A query, and a function that makes its expectations (importing Great Expectations).

    `needs` is a table without which there is nothing to check. A row of `by_series` is a series,
    named by its column series_id, which a critical expectation that fails distrusts.
    """

    name: str
    query: Callable[[Window], str]
    expectations: Callable[[Window], list[Expectation]]
    needs: str | None = None
    by_series: bool = False


def _points_query(window: Window) -> str:
    if window.since is None:
        return _POINTS
    return f"{_POINTS}WHERE p.timestamp >= '{_literal(window.since)}'"


def _series_query(window: Window) -> str:
    return _SERIES.format(**_moments(window))


def _intake_query(window: Window) -> str:
    return _INTAKE.format(**_moments(window))


def _points(window: Window) -> list[Expectation]:
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    return [
        gxe.ExpectTableColumnsToMatchOrderedList(
            column_list=[
                "series_id",
                "timestamp",
                "value",
                "framework",
                "metric",
                "unit",
                "outside",
            ],
            **told(Severity.CRITICAL, "The points have the columns that rules are evaluated on."),
        ),
        gxe.ExpectTableRowCountToBeBetween(
            min_value=1, **told(Severity.WARNING, "Something was measured at all.")
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="metric", **told(Severity.CRITICAL, "Every point belongs to a known series.")
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="value", **told(Severity.CRITICAL, "Every point has a value.")
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="value",
            min_value=-_LARGEST,
            max_value=_LARGEST,
            **told(Severity.CRITICAL, "Values are finite numbers."),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="value",
            min_value=0,
            max_value=1,
            row_condition=Column("unit") == "ratio",
            **told(Severity.WARNING, "Ratios lie between 0 and 1."),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="timestamp",
            max_value=window.now + _FUTURE,
            **told(Severity.CRITICAL, "No point is more than ten minutes ahead of the clock."),
        ),
        gxe.ExpectColumnValuesToBeNull(
            column="outside",
            **told(Severity.WARNING, "No value lies outside of the range that a member has set."),
        ),
        gxe.ExpectCompoundColumnsToBeUnique(
            column_list=["series_id", "timestamp"],
            **told(Severity.CRITICAL, "A series has one value at a time."),
        ),
    ]


def _series(_: Window) -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToNotBeNull(
            column="newest_at", **told(Severity.INFO, "Every series has been heard of.")
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="silence",
            max_value=3,
            **told(
                Severity.WARNING,
                "No series is silent for longer than three times its usual longest gap.",
            ),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="gap",
            max_value=5,
            **told(Severity.INFO, "No gap of the last day is five times its usual longest one."),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="volume",
            min_value=0.5,
            max_value=2,
            **told(Severity.INFO, "The last day brought half to twice of what a day brings."),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="hour_volume",
            min_value=0.5,
            max_value=2,
            **told(
                Severity.WARNING,
                "The last hour brought half to twice of what the same hour of the week brings.",
            ),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="unusual",
            max_value=0.05,
            **told(
                Severity.WARNING,
                "At most one in twenty values of the last day lies outside of the learned range.",
            ),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="outside_bounds",
            max_value=0,
            **told(Severity.CRITICAL, "No value lies outside of the range that a member has set."),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="drops",
            max_value=0,
            **told(Severity.CRITICAL, "Counters only grow, or start again from near nothing."),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="ahead",
            max_value=0,
            **told(Severity.CRITICAL, "No series has points more than ten minutes ahead."),
        ),
    ]


def _intake(_: Window) -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="rejected_share",
            max_value=0.05,
            **told(Severity.WARNING, "At most one in twenty points of the last day was refused."),
        ),
    ]


POINTS = Suite("points", _points_query, _points)
SERIES = Suite("series", _series_query, _series, by_series=True)
INTAKE = Suite("intake", _intake_query, _intake)


def told(severity: Severity, says: str) -> dict[str, Any]:
    """How every expectation says what it means and how much it matters."""
    return {"severity": severity.value, "description": says}


def _moments(window: Window) -> dict[str, str]:
    hour = window.now.replace(minute=0, second=0, microsecond=0)
    return {
        "now": _literal(window.now),
        "soon": _literal(window.now + _FUTURE),
        "hour": _literal(hour - timedelta(hours=1)),
        "hour_end": _literal(hour),
        "day": _literal(window.now - timedelta(days=1)),
        "week": _literal(window.now - timedelta(days=8)),
        "month": _literal(window.now - timedelta(days=28, hours=2)),
    }


def _literal(moment: datetime) -> str:
    """A moment inside a query; it is ours, never somebody's input."""
    return moment.isoformat()
