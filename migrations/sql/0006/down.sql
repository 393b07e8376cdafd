DROP TABLE convex.pattern_runs;

DELETE FROM convex.live_events
WHERE type = 'pattern';
ALTER TABLE convex.live_events DROP CONSTRAINT ck_live_events_type;
ALTER TABLE convex.live_events
ADD CONSTRAINT ck_live_events_type
CHECK (type IN ('alert', 'notification', 'health', 'prediction'));

DROP INDEX convex.ix_alert_patterns_listing;
ALTER TABLE convex.alert_patterns DROP COLUMN trigger_ids;
