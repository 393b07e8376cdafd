"""The suites of what Convex makes of points: triggers, and the marts that dbt builds.

Of a mart one row is looked at: how many rows it has and should have, keys that are there twice,
references to a framework that is not, and how old its newest word is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from convex.quality.model import Severity, Window
from convex.quality.suites import INTAKE, POINTS, SERIES, Suite, told

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

_TRIGGERS = """
SELECT
    t.id, t.state, t.severity, t.opened_at, t.resolved_at, t.last_seen_at, t.fingerprint,
    f.slug AS framework,
    t.rule_id IS NULL OR r.id IS NOT NULL AS rule_is_known,
    extract(epoch FROM t.last_seen_at - t.opened_at) AS seen_after,
    extract(epoch FROM t.resolved_at - t.opened_at) AS resolved_after,
    CASE WHEN t.state <> 'resolved' THEN t.fingerprint END AS open_fingerprint,
    (SELECT count(*) FROM convex.trigger_transitions AS c WHERE c.trigger_id = t.id) AS transitions
FROM convex.alert_triggers AS t
LEFT JOIN convex.frameworks AS f ON f.id = t.framework_id
LEFT JOIN convex.alert_rules AS r ON r.id = t.rule_id
"""


def _triggers_query(window: Window) -> str:
    if window.since is None:
        return _TRIGGERS
    return f"{_TRIGGERS}WHERE t.updated_at >= '{window.since.isoformat()}' OR t.state <> 'resolved'"


def _triggers(_: Window) -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeInSet(
            column="state",
            value_set=["firing", "acknowledged", "resolved"],
            **told(Severity.CRITICAL, "A trigger is firing, acknowledged or resolved."),
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="framework", **told(Severity.CRITICAL, "Every trigger belongs to a framework.")
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="rule_is_known",
            value_set=[True],
            **told(Severity.CRITICAL, "The rule of a trigger is there, deleted or not."),
        ),
        gxe.ExpectColumnValuesToBeUnique(
            column="open_fingerprint",
            **told(Severity.CRITICAL, "Nothing has two open triggers at once."),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="resolved_after",
            min_value=0,
            **told(Severity.CRITICAL, "No trigger ended before it began."),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="seen_after",
            min_value=0,
            **told(Severity.WARNING, "No trigger was seen last before it began."),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="transitions",
            min_value=1,
            **told(Severity.CRITICAL, "Every trigger has the transition that opened it."),
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Mart:
    """`source` counts what should be in it, `stamp` says when a row was written last."""

    name: str
    key: str
    source: str | None = None
    stamp: str | None = "refreshed_at"
    framework: bool = True


_ALL = "SELECT count(*) FROM convex.{}"
_MARTS = (
    _Mart("alert_analytics", "workspace_id, framework_id, period_type, period_start"),
    _Mart("fct_alert_triggers", "trigger_id", _ALL.format("alert_triggers")),
    _Mart("fct_notifications", "notification_id", framework=False),
    _Mart("fct_predictions", "prediction_id", framework=False),
    _Mart("dim_alert_rules", "rule_id", stamp=None),
    _Mart("dim_frameworks", "framework_id", _ALL.format("frameworks"), None),
    _Mart("dim_members", "workspace_id, user_id", stamp=None, framework=False),
    _Mart("metric_hourly", "series_id, hour"),
)
_STALE = timedelta(hours=26)


def _mart_query(mart: _Mart, window: Window) -> str:
    orphans = (
        f"SELECT count(*) FROM analytics.{mart.name} AS m WHERE m.framework_id IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM analytics.dim_frameworks AS d"
        " WHERE d.framework_id = m.framework_id)"
        if mart.framework
        else "SELECT 0"
    )
    age = (
        f"SELECT extract(epoch FROM '{window.now.isoformat()}'::timestamptz - max({mart.stamp}))"
        f" FROM analytics.{mart.name}"
        if mart.stamp
        else "SELECT NULL::numeric"
    )
    return f"""
    SELECT
        (SELECT count(*) FROM analytics.{mart.name}) AS rows_there,
        ({mart.source or "SELECT NULL::bigint"}) AS rows_of_source,
        (SELECT count(*) FROM (
            SELECT 1 FROM analytics.{mart.name} GROUP BY {mart.key} HAVING count(*) > 1
        ) AS twice) AS keys_twice,
        ({orphans}) AS orphans,
        ({age}) / 3600 AS hours_old
    """


def _mart_expectations(mart: _Mart) -> list[Expectation]:
    import great_expectations.expectations as gxe

    found: list[Expectation] = [
        gxe.ExpectColumnValuesToBeBetween(
            column="keys_twice",
            max_value=0,
            **told(Severity.CRITICAL, f"{mart.name} has one row for each {mart.key}."),
        )
    ]
    if mart.framework:
        found.append(
            gxe.ExpectColumnValuesToBeBetween(
                column="orphans",
                max_value=0,
                **told(Severity.CRITICAL, f"Frameworks of {mart.name} are in dim_frameworks."),
            )
        )
    if mart.source is not None:
        found.append(
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="rows_of_source",
                column_B="rows_there",
                or_equal=True,
                **told(Severity.WARNING, f"{mart.name} has no more rows than its source."),
            )
        )
    if mart.stamp is not None:
        found.append(
            gxe.ExpectColumnValuesToBeBetween(
                column="hours_old",
                max_value=_STALE.total_seconds() / 3600,
                **told(Severity.INFO, f"{mart.name} was written in the last day."),
            )
        )
    return found


def _mart_suite(mart: _Mart) -> Suite:
    return Suite(
        mart.name,
        lambda window: _mart_query(mart, window),
        lambda _: _mart_expectations(mart),
        needs=f"analytics.{mart.name}",
    )


TRIGGERS = Suite("triggers", _triggers_query, _triggers)
MARTS = tuple(map(_mart_suite, _MARTS))
SUITES = (POINTS, SERIES, INTAKE, TRIGGERS, *MARTS)
