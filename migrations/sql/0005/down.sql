-- The way back from up.sql.
DROP INDEX convex.ix_alert_notifications_updated_at;
DROP INDEX convex.ix_alert_triggers_updated_at;
