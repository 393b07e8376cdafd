"""A made-up past for the marts to be built from: for tests and for the benchmark of dbt.

Everything follows from row numbers, so the same call writes the same past.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from convex.db import Connection

_FRAMEWORKS = """
INSERT INTO convex.frameworks (workspace_id, slug, name)
SELECT %(workspace)s, 'f' || n, 'Framework ' || n FROM generate_series(1, %(frameworks)s) AS n
"""
_METRICS = """
INSERT INTO convex.metrics (workspace_id, framework_id, name)
SELECT workspace_id, id, 'rate' FROM convex.frameworks WHERE workspace_id = %(workspace)s
"""
_SERIES = """
INSERT INTO convex.series (workspace_id, framework_id, metric_id, labels_hash, newest_at)
SELECT workspace_id, framework_id, id, '\\x00', %(now)s FROM convex.metrics
WHERE workspace_id = %(workspace)s
"""
_RULES = """
INSERT INTO convex.alert_rules (workspace_id, framework_id, metric_id, name, type, condition)
SELECT
    m.workspace_id, m.framework_id, m.id, f.slug || '-' || n,
    (ARRAY['threshold', 'anomaly', 'performance', 'milestone'])[1 + n %% 4], 'above'
FROM convex.metrics AS m
INNER JOIN convex.frameworks AS f ON f.id = m.framework_id
CROSS JOIN generate_series(1, 4) AS n
WHERE m.workspace_id = %(workspace)s
"""
_TRIGGERS = """
WITH rules AS (
    SELECT r.*, s.id AS series_id, row_number() OVER (ORDER BY r.name) - 1 AS position,
        count(*) OVER () AS rules
    FROM convex.alert_rules AS r
    INNER JOIN convex.series AS s ON s.metric_id = r.metric_id
    WHERE r.workspace_id = %(workspace)s
),
episodes AS (
    SELECT
        n,
        %(now)s - make_interval(secs => %(days)s * 86400.0 * n / %(triggers)s) AS opened_at,
        CASE WHEN n %% 5 = 0 THEN NULL ELSE 60 + (n::bigint * 7919) %% 7200 END AS response,
        CASE WHEN n %% 17 = 0 THEN NULL ELSE 300 + (n::bigint * 104729) %% 86400 END AS resolve
    FROM generate_series(1, %(triggers)s) AS n
)
INSERT INTO convex.alert_triggers (
    workspace_id, rule_id, framework_id, metric_id, series_id, fingerprint, rule_name, metric_name,
    type, severity, state, value, threshold, reason, opened_at, last_seen_at, acknowledged_at,
    resolved_at, resolution, feedback, feedback_at, repeat_count, suppressed_count, historical,
    created_at, updated_at
)
SELECT
    %(workspace)s, r.id, r.framework_id, r.metric_id, r.series_id, 'made-up-' || e.n, r.name,
    'rate', r.type, (ARRAY['info', 'warning', 'critical'])[1 + e.n %% 3],
    CASE
        WHEN e.resolve IS NOT NULL THEN 'resolved'
        WHEN e.response IS NOT NULL THEN 'acknowledged' ELSE 'firing'
    END,
    e.n, 1, 'above', e.opened_at, e.opened_at,
    e.opened_at + make_interval(secs => e.response), e.opened_at + make_interval(secs => e.resolve),
    CASE WHEN e.resolve IS NOT NULL THEN
        CASE WHEN e.n %% 3 = 0 THEN 'by_hand' ELSE 'recovered' END
    END,
    CASE e.n %% 11 WHEN 0 THEN 'actionable' WHEN 1 THEN 'false_positive' END,
    CASE WHEN e.n %% 11 < 2 THEN e.opened_at END,
    e.n %% 4, e.n %% 2, e.n %% 13 = 0, e.opened_at,
    e.opened_at + make_interval(secs => greatest(e.response, e.resolve, 0))
FROM episodes AS e
INNER JOIN rules AS r ON r.position = e.n %% r.rules
"""
_TRANSITIONS = """
INSERT INTO convex.trigger_transitions (
    workspace_id, trigger_id, kind, to_state, reason, at, created_at
)
SELECT t.workspace_id, t.id, k.kind, k.to_state, 'made up', k.at, k.at
FROM convex.alert_triggers AS t
CROSS JOIN LATERAL (VALUES
    ('opened', 'firing', t.opened_at), ('acknowledged', 'acknowledged', t.acknowledged_at),
    ('flapping', 'firing', CASE WHEN t.value::bigint %% 19 = 0 THEN t.opened_at END),
    ('resolved', 'resolved', t.resolved_at)
) AS k (kind, to_state, at)
WHERE t.workspace_id = %(workspace)s AND k.at IS NOT NULL
"""
_NOTIFICATIONS = """
INSERT INTO convex.alert_notifications (
    workspace_id, trigger_id, kind, recipient_id, channel_kind, state, reason, severity,
    idempotency_key, delivered_at, created_at, updated_at
)
SELECT
    t.workspace_id, t.id, 'firing', %(user)s, k.channel,
    CASE WHEN t.value::bigint %% 4 = 0 THEN 'withheld' ELSE 'delivered' END,
    CASE WHEN t.value::bigint %% 4 = 0 THEN 'silenced' ELSE 'sent' END,
    t.severity, k.channel || t.fingerprint,
    CASE WHEN t.value::bigint %% 4 <> 0 THEN t.opened_at + interval '2 seconds' END,
    t.opened_at, t.opened_at + interval '2 seconds'
FROM convex.alert_triggers AS t
CROSS JOIN (VALUES ('in_app'), ('email')) AS k (channel)
WHERE t.workspace_id = %(workspace)s AND NOT t.historical
"""


async def write_trigger_history(
    connection: Connection,
    workspace_id: UUID,
    user_id: UUID,
    *,
    now: datetime,
    triggers: int = 400,
    frameworks: int = 3,
    days: int = 60,
) -> None:
    """Frameworks with a metric, a series and four rules each, and triggers over the days before.

    Four in five are acknowledged, most are resolved, one in 13 is history, and all others had an
    in-app message and an e-mail planned for the user.
    """
    values = {
        "workspace": workspace_id,
        "user": user_id,
        "now": now,
        "triggers": triggers,
        "frameworks": frameworks,
        "days": days,
    }
    for statement in (
        *(_FRAMEWORKS, _METRICS, _SERIES, _RULES),
        *(_TRIGGERS, _TRANSITIONS, _NOTIFICATIONS),
    ):
        await connection.execute(statement, values)
