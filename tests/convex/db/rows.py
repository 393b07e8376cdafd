"""One row in every table of a workspace, written by the superuser: what the tests then look for."""

from __future__ import annotations

from uuid import UUID

import psycopg

# In an order that satisfies the foreign keys. %(w)s is the workspace, %(u)s its owner.
STATEMENTS: dict[str, str] = {
    "frameworks": "INSERT INTO convex.frameworks (workspace_id, slug, name)"
    " VALUES (%(w)s, 'f', 'F')",
    "strategy_versions": "INSERT INTO convex.strategy_versions (workspace_id, framework_id, number,"
    " document) SELECT %(w)s, id, 1, 'd' FROM convex.frameworks WHERE workspace_id = %(w)s",
    "strategy_scores": "INSERT INTO convex.strategy_scores (workspace_id, framework_id,"
    " strategy_version_id, score, clarity, specificity, outcome_focus, proof, objection_handling,"
    " risk_removal, verdict, scored_by) SELECT %(w)s, framework_id, id, 50, 50, 50, 50, 50, 50, 50,"
    " 'pass', 'hand' FROM convex.strategy_versions WHERE workspace_id = %(w)s",
    "sources": "INSERT INTO convex.sources (workspace_id, name, kind) VALUES (%(w)s, 's', 'file')",
    "metrics": "INSERT INTO convex.metrics (workspace_id, framework_id, name)"
    " SELECT %(w)s, id, 'm' FROM convex.frameworks WHERE workspace_id = %(w)s",
    "series": "INSERT INTO convex.series (workspace_id, framework_id, metric_id, labels_hash)"
    " SELECT %(w)s, framework_id, id, '\\x00' FROM convex.metrics WHERE workspace_id = %(w)s",
    "points": "INSERT INTO convex.points SELECT %(w)s, id, date_trunc('second', now()), 1"
    " FROM convex.series WHERE workspace_id = %(w)s",
    "hourly_points": "INSERT INTO convex.hourly_points SELECT %(w)s, id, date_trunc('hour', now()),"
    " 1, 1, 1, 1 FROM convex.series WHERE workspace_id = %(w)s",
    "daily_points": "INSERT INTO convex.daily_points SELECT %(w)s, id, date_trunc('day', now()),"
    " 1, 1, 1, 1 FROM convex.series WHERE workspace_id = %(w)s",
    "metric_ranges": "INSERT INTO convex.metric_ranges (workspace_id, metric_id, low)"
    " SELECT %(w)s, id, 0 FROM convex.metrics WHERE workspace_id = %(w)s",
    "rejected_points": "INSERT INTO convex.rejected_points (workspace_id, source, reason, detail,"
    " point) VALUES (%(w)s, 'json', 'infinite', '', '{}')",
    "alert_rules": "INSERT INTO convex.alert_rules (workspace_id, framework_id, metric_id, name,"
    " type, condition, threshold_value)"
    " SELECT %(w)s, framework_id, id, 'r', 'threshold', 'above', 1"
    " FROM convex.metrics WHERE workspace_id = %(w)s",
    "alert_triggers": "INSERT INTO convex.alert_triggers (workspace_id, rule_id, framework_id,"
    " fingerprint, rule_name, type, severity, reason, opened_at, last_seen_at) SELECT %(w)s, id,"
    " framework_id, 'x', 'r', 'threshold', 'info', 'above', now(), now() FROM convex.alert_rules"
    " WHERE workspace_id = %(w)s",
    "rule_states": "INSERT INTO convex.rule_states (workspace_id, rule_id, series_id, rule_version)"
    " SELECT %(w)s, r.id, s.id, 1 FROM convex.alert_rules r JOIN convex.series s"
    " USING (workspace_id) WHERE workspace_id = %(w)s",
    "trigger_transitions": "INSERT INTO convex.trigger_transitions (workspace_id, trigger_id, kind,"
    " to_state, reason, at) SELECT %(w)s, id, 'opened', 'firing', 'above', now()"
    " FROM convex.alert_triggers WHERE workspace_id = %(w)s",
    "planning_queue": "INSERT INTO convex.planning_queue (transition_id, workspace_id)"
    " SELECT id, %(w)s FROM convex.trigger_transitions WHERE workspace_id = %(w)s",
    "silences": "INSERT INTO convex.silences (workspace_id, matchers, starts_at, ends_at, reason)"
    " VALUES (%(w)s, '[{}]', now(), now() + interval '1 h', 'why')",
    "mute_windows": "INSERT INTO convex.mute_windows (workspace_id, name, matchers, timezone,"
    " intervals) VALUES (%(w)s, 'm', '[]', 'UTC', '[]')",
    "inhibition_rules": "INSERT INTO convex.inhibition_rules (workspace_id, name, source_matchers,"
    " target_matchers) VALUES (%(w)s, 'i', '[]', '[]')",
    "channels": "INSERT INTO convex.channels (workspace_id, name, kind)"
    " VALUES (%(w)s, 'c', 'in_app')",
    "notification_preferences": "INSERT INTO convex.notification_preferences (workspace_id,"
    " user_id) VALUES (%(w)s, %(u)s)",
    "alert_notifications": "INSERT INTO convex.alert_notifications (workspace_id, trigger_id, kind,"
    " recipient_id, channel_kind, state, reason, severity, idempotency_key) SELECT %(w)s, id,"
    " 'firing', %(u)s, 'in_app', 'withheld', 'silenced', 'info', 'k' FROM convex.alert_triggers"
    " WHERE workspace_id = %(w)s",
    "notification_deliveries": "INSERT INTO convex.notification_deliveries (workspace_id,"
    " notification_id, attempt, started_at, finished_at, outcome)"
    " SELECT %(w)s, id, 1, now(), now(), 'delivered' FROM convex.alert_notifications"
    " WHERE workspace_id = %(w)s",
    "live_events": "INSERT INTO convex.live_events (workspace_id, cursor, type, data)"
    " VALUES (%(w)s, 1000001, 'alert', '{}')",
    "health_metrics": "INSERT INTO convex.health_metrics (workspace_id, framework_id, at, category,"
    " status, coverage) SELECT %(w)s, id, now(), 'overall', 'unknown', 0 FROM convex.frameworks"
    " WHERE workspace_id = %(w)s",
    "framework_insights": "INSERT INTO convex.framework_insights (workspace_id, kind, source,"
    " content, evidence, evidence_hash) VALUES (%(w)s, 'digest', 'template', '{}', '{}', '\\x00')",
    "insight_runs": "INSERT INTO convex.insight_runs (workspace_id, kind, model, evidence_hash,"
    " reserved_usd, prices_of) VALUES (%(w)s, 'digest', 'm', '\\x00', 0, '2026-01-01')",
    "recommendations": "INSERT INTO convex.recommendations (workspace_id, origin, title, action,"
    " actionability, evidence, fingerprint) VALUES (%(w)s, 'noise', 't', '{}', 1, '{}', 'x')",
    "alert_patterns": "INSERT INTO convex.alert_patterns (workspace_id, type, fingerprint, title,"
    " frequency, confidence, support, p_value, evidence, first_seen_at, last_seen_at)"
    " VALUES (%(w)s, 'seasonal', 'x', 't', 'weekly', 1, 1, 0, '{}', now(), now())",
    "pattern_runs": "INSERT INTO convex.pattern_runs (workspace_id, as_of, triggers, episodes,"
    " rules, shown, tested, seconds) VALUES (%(w)s, now(), 0, 0, 0, 0, '{}', 0)",
    "prediction_runs": "INSERT INTO convex.prediction_runs (workspace_id, as_of, rules, trained,"
    " predictions, horizons, seconds) VALUES (%(w)s, now(), 0, 0, 0, '{}', 0)",
    "alert_predictions": "INSERT INTO convex.alert_predictions (workspace_id, framework_id, kind,"
    " made_at, window_start, window_end, probability, climatology, confidence, risk_score, model,"
    " inputs) SELECT %(w)s, id, 'next_alert', now(), now(), now() + interval '1 d', 1, 1, 'low', 1,"
    " 'm', '{}' FROM convex.frameworks WHERE workspace_id = %(w)s",
    "detector_snapshots": "INSERT INTO convex.detector_snapshots (workspace_id, series_id, method,"
    " format, reaches, state) SELECT %(w)s, id, 'msn', 1, now(), '\\x00' FROM convex.series"
    " WHERE workspace_id = %(w)s",
    "quality_runs": "INSERT INTO convex.quality_runs (workspace_id, suite, started_at, finished_at,"
    " state, evaluated, passed, failed) VALUES (%(w)s, 'points', now(), now(), 'passed', 0, 0, 0)",
    "idempotency_keys": "INSERT INTO convex.idempotency_keys (workspace_id, key, route,"
    " request_hash, expires_at) VALUES (%(w)s, 'k', 'r', '\\x00', now())",
    "job_requests": "INSERT INTO convex.job_requests (workspace_id, kind) VALUES (%(w)s, 'x')",
    "refresh_tokens": "INSERT INTO convex.refresh_tokens (workspace_id, user_id, family_id,"
    " token_hash, expires_at) VALUES (%(w)s, %(u)s, gen_random_uuid(),"
    " sha256(gen_random_uuid()::text::bytea), now() + interval '1 d')",
    "api_keys": "INSERT INTO convex.api_keys (workspace_id, created_by, name, prefix, key_hash,"
    " scopes) VALUES (%(w)s, %(u)s, 'k', 'cvx_', sha256(gen_random_uuid()::text::bytea), '{read}')",
}

# Filled by what the others do: the audit trail by every statement, members with the workspace.
FILLED_ALONG = {"audit_log", "audit_heads", "members"}


def fill_workspace(admin: psycopg.Connection, workspace_id: UUID, user_id: UUID) -> None:
    """Run every statement for one workspace."""
    admin.execute("SELECT convex.ensure_point_partitions(now(), now())")
    for statement in STATEMENTS.values():
        admin.execute(statement, {"w": workspace_id, "u": user_id})
