DROP FUNCTION convex.own_framework;
DROP POLICY functions_select ON convex.frameworks;
DROP POLICY functions_insert ON convex.frameworks;
ALTER TABLE convex.notification_deliveries ADD CONSTRAINT fk_notification_deliveries_workspace_id
FOREIGN KEY (workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE;
