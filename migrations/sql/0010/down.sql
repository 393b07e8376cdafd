-- The way back from up.sql.

DROP FUNCTION convex.take_points;
ALTER TABLE convex.series SET (fillfactor = 50);
ALTER TABLE convex.series DROP COLUMN newest_before_at;
ALTER TABLE convex.series DROP COLUMN ended_before_at;
