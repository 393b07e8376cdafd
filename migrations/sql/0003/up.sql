-- A workspace's own framework: what its triggers about Convex itself, and about whatever has no
-- framework of its own, belong to. Made when first needed, also by a key that may only ingest.
CREATE POLICY functions_select ON convex.frameworks FOR SELECT TO convex_owner USING (true);
CREATE POLICY functions_insert ON convex.frameworks FOR INSERT TO convex_owner WITH CHECK (true);

CREATE FUNCTION convex.own_framework(p_workspace_id uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found uuid;
BEGIN
    IF p_workspace_id IS DISTINCT FROM convex.acting_workspace()
        AND NOT (convex.acting_workspace() IS NULL AND convex.is_system()) THEN
        RAISE insufficient_privilege USING MESSAGE = 'a framework belongs to the acting workspace';
    END IF;
    LOOP
        SELECT f.id INTO found FROM convex.frameworks AS f
        WHERE f.workspace_id = p_workspace_id AND f.slug = 'convex';
        EXIT WHEN found IS NOT NULL;
        INSERT INTO convex.frameworks (workspace_id, slug, name, kind, description)
        VALUES (
            p_workspace_id, 'convex', 'Convex', 'custom',
            'What Convex says about itself, and alerts from elsewhere that name no framework.'
        )
        ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN found;
END $$;

REVOKE EXECUTE ON FUNCTION convex.own_framework FROM public;
GRANT EXECUTE ON FUNCTION convex.own_framework TO convex_api, convex_worker;

-- A delivery belongs to its notification, and so to that one's workspace. Keys that say the
-- workspace again cost a look at its row for every attempt, and let the look-up of the notification
-- be planned by any index that begins with the workspace: reading all its rows while the statistics
-- are old. Nothing else refers to notifications, so they need one index less.
ALTER TABLE convex.notification_deliveries
DROP CONSTRAINT fk_notification_deliveries_workspace_id,
DROP CONSTRAINT fk_notification_deliveries_workspace_id_notification_id,
ADD CONSTRAINT fk_notification_deliveries_notification_id FOREIGN KEY (notification_id)
REFERENCES convex.alert_notifications (id) ON DELETE CASCADE;
ALTER TABLE convex.alert_notifications DROP CONSTRAINT uq_alert_notifications_workspace_id_id;
