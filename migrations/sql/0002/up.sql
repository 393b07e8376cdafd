-- Rules: what rules as code, silences and tuning need.

-- The second, shorter window of burn rate rules: the condition must hold over both.
ALTER TABLE convex.alert_rules
ADD COLUMN confirm_window_seconds integer NOT NULL DEFAULT 0,
DROP CONSTRAINT ck_alert_rules_durations,
ADD CONSTRAINT ck_alert_rules_durations CHECK (
    least(
        window_seconds,
        confirm_window_seconds,
        for_seconds,
        keep_firing_for_seconds,
        evaluation_offset_seconds,
        lateness_seconds,
        deduplication_window_seconds,
        no_data_after_seconds
    )
    >= 0
);

-- A rule without a metric watches all series of its framework; only the detector can.
ALTER TABLE convex.alert_rules
ALTER COLUMN metric_id DROP NOT NULL,
ADD CONSTRAINT ck_alert_rules_metric_id CHECK (metric_id IS NOT NULL OR type = 'anomaly');

CREATE INDEX ix_alert_rules_workspace_id_framework_id
ON convex.alert_rules (workspace_id, framework_id) WHERE metric_id IS NULL;
