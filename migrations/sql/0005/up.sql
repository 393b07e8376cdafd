-- Analytics: what analytics, health and strategies need.

-- What has changed since the last build of the marts, without reading everything. Block ranges: as
-- small as nothing, and from PostgreSQL 16 on an update of another column stays a heap-only one.
CREATE INDEX ix_alert_triggers_updated_at ON convex.alert_triggers
USING brin (updated_at) WITH (pages_per_range = 32);
CREATE INDEX ix_alert_notifications_updated_at ON convex.alert_notifications
USING brin (updated_at) WITH (pages_per_range = 32);
