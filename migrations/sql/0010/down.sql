-- The way back from up.sql.

DROP FUNCTION convex.take_points;
DROP INDEX convex.ix_series_framework_id_workspace_id;
CREATE INDEX ix_series_workspace_id_framework_id ON convex.series (workspace_id, framework_id);
ALTER TABLE convex.series SET (fillfactor = 50);
ALTER TABLE convex.series DROP COLUMN newest_before_at;
ALTER TABLE convex.series DROP COLUMN ended_before_at;
