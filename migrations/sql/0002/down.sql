-- The way back from up.sql. Rules for a whole framework go; what they found stays.

ALTER TABLE convex.alert_rules NO FORCE ROW LEVEL SECURITY;
DELETE FROM convex.alert_rules
WHERE metric_id IS NULL;
ALTER TABLE convex.alert_rules FORCE ROW LEVEL SECURITY;

DROP INDEX convex.ix_alert_rules_workspace_id_framework_id;

ALTER TABLE convex.alert_rules
DROP CONSTRAINT ck_alert_rules_metric_id,
ALTER COLUMN metric_id SET NOT NULL;

ALTER TABLE convex.alert_rules
DROP CONSTRAINT ck_alert_rules_durations,
DROP COLUMN confirm_window_seconds,
ADD CONSTRAINT ck_alert_rules_durations CHECK (
    least(
        window_seconds,
        for_seconds,
        keep_firing_for_seconds,
        evaluation_offset_seconds,
        lateness_seconds,
        deduplication_window_seconds,
        no_data_after_seconds
    )
    >= 0
);
