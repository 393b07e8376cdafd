-- The way back from up.sql.

DROP FUNCTION convex.queues;
DROP POLICY functions_select ON convex.job_requests;
DROP POLICY functions_select ON convex.planning_queue;
DROP POLICY functions_select ON convex.alert_notifications;
