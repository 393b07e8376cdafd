DROP FUNCTION convex.own_framework;
DROP POLICY functions_select ON convex.frameworks;
DROP POLICY functions_insert ON convex.frameworks;
ALTER TABLE convex.alert_notifications
ADD CONSTRAINT uq_alert_notifications_workspace_id_id UNIQUE (workspace_id, id);
ALTER TABLE convex.notification_deliveries
DROP CONSTRAINT fk_notification_deliveries_notification_id,
ADD CONSTRAINT fk_notification_deliveries_workspace_id FOREIGN KEY (workspace_id)
REFERENCES convex.workspaces (id) ON DELETE CASCADE,
ADD CONSTRAINT fk_notification_deliveries_workspace_id_notification_id
FOREIGN KEY (workspace_id, notification_id)
REFERENCES convex.alert_notifications (workspace_id, id) ON DELETE CASCADE;
