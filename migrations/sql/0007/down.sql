-- The way back from up.sql.
ALTER TABLE convex.alert_predictions
DROP CONSTRAINT uq_alert_predictions_framework_id_rule_id_series_id_kin_8f9d;
ALTER TABLE convex.alert_predictions
ADD CONSTRAINT uq_alert_predictions_rule_id_series_id_kind_window_star_4a23
UNIQUE (rule_id, series_id, kind, window_start, window_end);
ALTER TABLE convex.alert_predictions DROP COLUMN run_id;
DROP TABLE convex.prediction_runs;
