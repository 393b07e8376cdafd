-- Take ingestion's additions away again.
DROP POLICY arrive ON convex.frameworks;
ALTER TABLE convex.sources DROP COLUMN progress;
ALTER TABLE convex.sources DROP COLUMN failed_runs;
ALTER TABLE convex.series DROP COLUMN distrusted_since;
ALTER TABLE convex.series DROP COLUMN distrusted_because;
DROP TABLE convex.metric_ranges;
DROP FUNCTION convex.expire_partition, convex.list_partitions, convex.ensure_summary_partitions;
DROP TABLE convex.hourly_points, convex.daily_points;
DROP POLICY functions_select ON convex.points;
ALTER TABLE convex.series RESET (fillfactor);
