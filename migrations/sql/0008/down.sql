-- The way back from up.sql.
ALTER TABLE convex.recommendations DROP COLUMN applied;
ALTER TABLE convex.recommendations DROP COLUMN priority;
DROP TABLE convex.insight_runs;
