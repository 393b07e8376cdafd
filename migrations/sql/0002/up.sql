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
