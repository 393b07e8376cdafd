-- The way back from up.sql.

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
