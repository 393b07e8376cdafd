-- Take ingestion's additions away again.
DROP POLICY arrive ON convex.frameworks;
ALTER TABLE convex.sources DROP COLUMN progress;
ALTER TABLE convex.sources DROP COLUMN failed_runs;
