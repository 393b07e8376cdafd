"""The suites, each a query and what is expected of its rows.

points: every point of the window, by itself. series: one row for each live series, against its
own past. intake: one row, what was refused. The queries hold no condition on the workspace: they
are run under its row level security.
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
    p.series_id, p.timestamp, p.value, f.slug AS framework, m.name AS metric, m.unit
FROM convex.points AS p
LEFT JOIN convex.series AS s ON s.id = p.series_id
LEFT JOIN convex.metrics AS m ON m.id = s.metric_id
LEFT JOIN convex.frameworks AS f ON f.id = s.framework_id
"""

_SERIES = """
WITH recent AS (
    SELECT
        series_id, timestamp,
        extract(epoch FROM timestamp - lag(timestamp) OVER (
            PARTITION BY series_id ORDER BY timestamp
        )) AS gap
    FROM convex.points
    WHERE timestamp > '{month}'
),
rhythm AS (
    SELECT
        series_id,
        percentile_cont(0.99) WITHIN GROUP (ORDER BY gap) AS usual_gap,
        count(*) FILTER (WHERE timestamp > '{day}') AS last_day,
        count(*) FILTER (WHERE timestamp <= '{day}' AND timestamp > '{week}') / 7.0 AS usual_day,
        min(timestamp) AS oldest
    FROM recent
    GROUP BY series_id
)
SELECT
    s.id AS series_id, f.slug AS framework, m.name AS metric, s.newest_at,
    extract(epoch FROM '{now}'::timestamptz - s.newest_at)
        / greatest(coalesce(r.usual_gap, 86400), 60) AS silence,
    CASE WHEN r.oldest <= '{week}' THEN r.last_day / nullif(r.usual_day, 0) END AS volume
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
    """A query, and a function that makes its expectations (importing Great Expectations)."""

    name: str
    query: Callable[[Window], str]
    expectations: Callable[[Window], list[Expectation]]


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
            column_list=["series_id", "timestamp", "value", "framework", "metric", "unit"],
            **_told(Severity.CRITICAL, "The points have the columns that rules are evaluated on."),
        ),
        gxe.ExpectTableRowCountToBeBetween(
            min_value=1, **_told(Severity.WARNING, "Something was measured at all.")
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="metric", **_told(Severity.CRITICAL, "Every point belongs to a known series.")
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="value", **_told(Severity.CRITICAL, "Every point has a value.")
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="value",
            min_value=-_LARGEST,
            max_value=_LARGEST,
            **_told(Severity.CRITICAL, "Values are finite numbers."),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="value",
            min_value=0,
            max_value=1,
            row_condition=Column("unit") == "ratio",
            **_told(Severity.WARNING, "Ratios lie between 0 and 1."),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="timestamp",
            max_value=window.now + _FUTURE,
            **_told(Severity.CRITICAL, "No point is more than ten minutes ahead of the clock."),
        ),
        gxe.ExpectCompoundColumnsToBeUnique(
            column_list=["series_id", "timestamp"],
            **_told(Severity.CRITICAL, "A series has one value at a time."),
        ),
    ]


def _series(_: Window) -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToNotBeNull(
            column="newest_at", **_told(Severity.INFO, "Every series has been heard of.")
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="silence",
            max_value=3,
            **_told(
                Severity.WARNING,
                "No series is silent for longer than three times its usual longest gap.",
            ),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="volume",
            min_value=0.5,
            max_value=2,
            **_told(Severity.INFO, "The last day brought half to twice of what a day brings."),
        ),
    ]


def _intake(_: Window) -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="rejected_share",
            max_value=0.05,
            **_told(Severity.WARNING, "At most one in twenty points of the last day was refused."),
        ),
    ]


POINTS = Suite("points", _points_query, _points)
SERIES = Suite("series", _series_query, _series)
INTAKE = Suite("intake", _intake_query, _intake)
SUITES = (POINTS, SERIES, INTAKE)


def _told(severity: Severity, says: str) -> dict[str, Any]:
    return {"severity": severity.value, "description": says}


def _moments(window: Window) -> dict[str, str]:
    return {
        "now": _literal(window.now),
        "day": _literal(window.now - timedelta(days=1)),
        "week": _literal(window.now - timedelta(days=8)),
        "month": _literal(window.now - timedelta(days=28)),
    }


def _literal(moment: datetime) -> str:
    """A moment inside a query; it is ours, never somebody's input."""
    return moment.isoformat()
