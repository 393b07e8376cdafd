-- Take ingestion's additions away again.
DROP POLICY arrive ON convex.frameworks;
