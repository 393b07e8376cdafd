-- Row level security, enabled and forced on every table, and the grants that go with it.
--
--   convex_api     one request: the acting workspace, and what the acting role may do in it
--   convex_worker  the flows: the acting workspace, or with role system and no workspace, all
--   convex_dbt     reads as the flows do, builds schema analytics
--   convex_owner   owns everything; forced too, so that the SECURITY DEFINER functions reach only
--                  the tables for which it has a policy below

DO $$
DECLARE
    tenant_expression constant text := 'workspace_id = (SELECT convex.acting_workspace())';
    name text;
    rule record;
BEGIN
    FOR name IN SELECT tablename FROM pg_catalog.pg_tables
        WHERE schemaname = 'convex' AND tablename <> 'alembic_version'
    LOOP
        EXECUTE format('ALTER TABLE convex.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE convex.%I FORCE ROW LEVEL SECURITY', name);
        IF name NOT IN ('workspaces', 'users', 'audit_log', 'audit_heads') THEN
            EXECUTE format(
                'CREATE POLICY flows ON convex.%I TO convex_worker
                USING (%s OR ((SELECT convex.acting_workspace()) IS NULL
                    AND (SELECT convex.acting_role()) = ''system''))', name, tenant_expression
            );
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON convex.%I TO convex_worker', name);
            EXECUTE format(
                'CREATE POLICY analytics ON convex.%I FOR SELECT TO convex_dbt
                USING (%s OR ((SELECT convex.acting_workspace()) IS NULL
                    AND (SELECT convex.acting_role()) = ''system''))', name, tenant_expression
            );
        END IF;
    END LOOP;

    -- What members and keys may do. An empty list of roles: every role of the workspace.
    FOR rule IN
        SELECT * FROM (VALUES
            -- configuration: editors write, owners delete
            ('frameworks', 'editor,owner', 'editor,owner', 'owner'),
            ('strategy_versions', 'editor,owner', NULL, NULL),
            ('strategy_scores', 'editor,owner', NULL, 'owner'),
            ('sources', 'editor,owner', 'editor,owner', 'owner'),
            ('metrics', 'ingest,editor,owner', 'editor,owner', 'owner'),
            ('alert_rules', 'editor,owner', 'editor,owner', 'owner'),
            ('silences', 'editor,owner', 'editor,owner', 'owner'),
            ('mute_windows', 'editor,owner', 'editor,owner', 'owner'),
            ('inhibition_rules', 'editor,owner', 'editor,owner', 'owner'),
            ('channels', 'editor,owner', 'editor,owner', 'owner'),
            ('recommendations', 'editor,owner', 'editor,owner', 'owner'),
            ('framework_insights', 'editor,owner', 'editor,owner', 'owner'),
            ('job_requests', 'editor,owner', NULL, NULL),
            -- membership: owners
            ('members', 'owner', 'owner', 'owner'),
            -- what evaluating a batch writes
            ('series', 'ingest,editor,owner', 'ingest,editor,owner', 'owner'),
            ('points', 'ingest,editor,owner', 'ingest,editor,owner', 'owner'),
            ('rejected_points', 'ingest,editor,owner', 'editor,owner', 'owner'),
            ('rule_states', 'ingest,editor,owner', 'ingest,editor,owner', 'owner'),
            ('alert_triggers', 'ingest,editor,owner', 'ingest,editor,owner', 'owner'),
            ('trigger_transitions', 'ingest,editor,owner', NULL, NULL),
            ('planning_queue', 'ingest,editor,owner', NULL, NULL),
            ('detector_snapshots', 'ingest,editor,owner', 'ingest,editor,owner', 'owner'),
            ('idempotency_keys', '', '', ''),
            -- what the flows write and members read
            ('notification_deliveries', NULL, NULL, NULL),
            ('health_metrics', NULL, NULL, NULL),
            ('alert_patterns', NULL, NULL, NULL),
            ('alert_predictions', NULL, 'editor,owner', NULL),
            ('quality_runs', NULL, NULL, NULL)
        ) AS rules (table_name, inserts, updates, deletes)
    LOOP
        EXECUTE format(
            'CREATE POLICY read ON convex.%I FOR SELECT TO convex_api USING (%s)',
            rule.table_name, tenant_expression
        );
        EXECUTE format('GRANT SELECT ON convex.%I TO convex_api', rule.table_name);
        IF rule.inserts IS NOT NULL THEN
            EXECUTE format(
                'CREATE POLICY write ON convex.%I FOR INSERT TO convex_api WITH CHECK (%s%s)',
                rule.table_name, tenant_expression, convex.only_roles(rule.inserts)
            );
            EXECUTE format('GRANT INSERT ON convex.%I TO convex_api', rule.table_name);
        END IF;
        IF rule.updates IS NOT NULL THEN
            EXECUTE format(
                'CREATE POLICY change ON convex.%I FOR UPDATE TO convex_api USING (%s%s)',
                rule.table_name, tenant_expression, convex.only_roles(rule.updates)
            );
            EXECUTE format('GRANT UPDATE ON convex.%I TO convex_api', rule.table_name);
        END IF;
        IF rule.deletes IS NOT NULL THEN
            EXECUTE format(
                'CREATE POLICY remove ON convex.%I FOR DELETE TO convex_api USING (%s%s)',
                rule.table_name, tenant_expression, convex.only_roles(rule.deletes)
            );
            EXECUTE format('GRANT DELETE ON convex.%I TO convex_api', rule.table_name);
        END IF;
    END LOOP;
END $$;

-- Histories stay as they were written, also for the flows.
REVOKE UPDATE ON convex.trigger_transitions, convex.strategy_versions FROM convex_worker;

-- Workspaces: seen by their members; changed and deleted by owners; made by convex.create_workspace.
CREATE POLICY read ON convex.workspaces FOR SELECT TO convex_api
USING (id = (SELECT convex.acting_workspace()));
CREATE POLICY change ON convex.workspaces FOR UPDATE TO convex_api
USING (id = (SELECT convex.acting_workspace()) AND (SELECT convex.acting_role()) = 'owner');
CREATE POLICY remove ON convex.workspaces FOR DELETE TO convex_api
USING (id = (SELECT convex.acting_workspace()) AND (SELECT convex.acting_role()) = 'owner');
GRANT SELECT, DELETE ON convex.workspaces TO convex_api;
GRANT UPDATE (slug, name, timezone, settings, updated_at) ON convex.workspaces TO convex_api;

CREATE POLICY flows ON convex.workspaces TO convex_worker
USING (
    id = (SELECT convex.acting_workspace())
    OR ((SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system')
);
GRANT SELECT, UPDATE, DELETE ON convex.workspaces TO convex_worker;
CREATE POLICY analytics ON convex.workspaces FOR SELECT TO convex_dbt
USING (
    id = (SELECT convex.acting_workspace())
    OR ((SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system')
);

-- Accounts: one's own, and the names of the people one shares the workspace with.
CREATE POLICY read ON convex.users FOR SELECT TO convex_api
USING (
    id = (SELECT convex.acting_user())
    OR id IN (
        SELECT m.user_id FROM convex.members AS m
        WHERE m.workspace_id = (SELECT convex.acting_workspace())
    )
);
CREATE POLICY change ON convex.users FOR UPDATE TO convex_api
USING (id = (SELECT convex.acting_user()));
GRANT SELECT (id, email, name, timezone, created_at, updated_at, last_sign_in_at, disabled_at)
ON convex.users TO convex_api;
GRANT UPDATE (name, timezone, password_hash, updated_at, last_sign_in_at)
ON convex.users TO convex_api;
CREATE POLICY flows ON convex.users TO convex_worker
USING (
    ((SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system')
    OR id IN (
        SELECT m.user_id FROM convex.members AS m
        WHERE m.workspace_id = (SELECT convex.acting_workspace())
    )
);
GRANT SELECT, UPDATE, DELETE ON convex.users TO convex_worker;
CREATE POLICY analytics ON convex.users FOR SELECT TO convex_dbt
USING (
    (SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system'
);

-- Keys: owners see all of the workspace, others those they made.
CREATE POLICY read ON convex.api_keys FOR SELECT TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace())
    AND ((SELECT convex.acting_role()) = 'owner' OR created_by = (SELECT convex.acting_user()))
);
CREATE POLICY write ON convex.api_keys FOR INSERT TO convex_api
WITH CHECK (
    workspace_id = (SELECT convex.acting_workspace()) AND (SELECT convex.acting_role()) = 'owner'
);
CREATE POLICY change ON convex.api_keys FOR UPDATE TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace()) AND (SELECT convex.acting_role()) = 'owner'
);
CREATE POLICY remove ON convex.api_keys FOR DELETE TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace()) AND (SELECT convex.acting_role()) = 'owner'
);
GRANT SELECT, INSERT, UPDATE, DELETE ON convex.api_keys TO convex_api;

-- Refresh tokens: one's own.
CREATE POLICY own ON convex.refresh_tokens TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace()) AND user_id = (SELECT convex.acting_user())
);
GRANT SELECT, INSERT, UPDATE ON convex.refresh_tokens TO convex_api;

-- Preferences: one's own; the workspace's defaults (no user) are read by all, written by owners.
CREATE POLICY read ON convex.notification_preferences FOR SELECT TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace())
    AND (user_id IS NULL OR user_id = (SELECT convex.acting_user()))
);
CREATE POLICY write ON convex.notification_preferences FOR INSERT TO convex_api
WITH CHECK (
    workspace_id = (SELECT convex.acting_workspace())
    AND (
        user_id = (SELECT convex.acting_user())
        OR (user_id IS NULL AND (SELECT convex.acting_role()) = 'owner')
    )
);
CREATE POLICY change ON convex.notification_preferences FOR UPDATE TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace())
    AND (
        user_id = (SELECT convex.acting_user())
        OR (user_id IS NULL AND (SELECT convex.acting_role()) = 'owner')
    )
);
CREATE POLICY remove ON convex.notification_preferences FOR DELETE TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace())
    AND (
        user_id = (SELECT convex.acting_user())
        OR (user_id IS NULL AND (SELECT convex.acting_role()) = 'owner')
    )
);
GRANT SELECT, INSERT, UPDATE, DELETE ON convex.notification_preferences TO convex_api;

-- Notifications: one's own; the rest of the ledger to editors and owners, but nobody else's inbox.
CREATE POLICY read ON convex.alert_notifications FOR SELECT TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace())
    AND (
        recipient_id = (SELECT convex.acting_user())
        OR (
            channel_kind IS DISTINCT FROM 'in_app'
            AND (recipient_id IS NULL OR (SELECT convex.acting_role()) IN ('editor', 'owner'))
        )
    )
);
CREATE POLICY write ON convex.alert_notifications FOR INSERT TO convex_api
WITH CHECK (
    workspace_id = (SELECT convex.acting_workspace())
    AND kind = 'test' AND (SELECT convex.acting_role()) IN ('editor', 'owner')
);
CREATE POLICY change ON convex.alert_notifications FOR UPDATE TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace())
    AND recipient_id = (SELECT convex.acting_user())
);
GRANT SELECT, INSERT ON convex.alert_notifications TO convex_api;
GRANT UPDATE (read_at, updated_at) ON convex.alert_notifications TO convex_api;

-- Live events: appended and fanned out by functions; read here only what is meant for the reader.
CREATE POLICY read ON convex.live_events FOR SELECT TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace())
    AND (recipient_id IS NULL OR recipient_id = (SELECT convex.acting_user()))
);
GRANT SELECT ON convex.live_events TO convex_api;

-- The audit trail: owners read, nobody changes.
CREATE POLICY read ON convex.audit_log FOR SELECT TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace()) AND (SELECT convex.acting_role()) = 'owner'
);
CREATE POLICY flows ON convex.audit_log FOR SELECT TO convex_worker
USING (
    workspace_id = (SELECT convex.acting_workspace())
    OR ((SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system')
);
GRANT SELECT ON convex.audit_log TO convex_api, convex_worker;

-- What the SECURITY DEFINER functions need.
DO $$
DECLARE
    allowed record;
BEGIN
    FOR allowed IN
        SELECT * FROM (VALUES
            ('workspaces', 'SELECT'), ('workspaces', 'INSERT'), ('workspaces', 'UPDATE'),
            ('users', 'SELECT'), ('users', 'INSERT'), ('members', 'SELECT'), ('members', 'INSERT'),
            ('api_keys', 'SELECT'), ('api_keys', 'UPDATE'), ('refresh_tokens', 'SELECT'),
            ('live_events', 'SELECT'), ('live_events', 'INSERT'), ('audit_log', 'SELECT'),
            ('audit_log', 'INSERT'), ('audit_heads', 'SELECT'), ('audit_heads', 'INSERT'),
            ('audit_heads', 'UPDATE')
        ) AS needs (table_name, command)
    LOOP
        EXECUTE format(
            'CREATE POLICY functions_%s ON convex.%I FOR %s TO convex_owner %s',
            lower(allowed.command), allowed.table_name, allowed.command,
            CASE allowed.command WHEN 'INSERT' THEN 'WITH CHECK (true)' ELSE 'USING (true)' END
        );
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA convex TO convex_api, convex_worker, convex_dbt;
GRANT SELECT ON ALL TABLES IN SCHEMA convex TO convex_dbt;
REVOKE SELECT ON convex.users, convex.api_keys, convex.refresh_tokens, convex.idempotency_keys,
convex.audit_log, convex.audit_heads, convex.channels, convex.sources FROM convex_dbt;
GRANT SELECT (id, name, timezone, created_at) ON convex.users TO convex_dbt;
GRANT SELECT (id, workspace_id, name, kind, enabled) ON convex.channels TO convex_dbt;
GRANT SELECT (id, workspace_id, name, kind, enabled, schedule, last_run_at, last_state)
ON convex.sources TO convex_dbt;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA convex FROM public;
GRANT EXECUTE ON FUNCTION convex.acting_workspace, convex.acting_user, convex.acting_role,
convex.acting_key, convex.is_system, convex.alert_flow_alive
TO convex_api, convex_worker, convex_dbt;
GRANT EXECUTE ON FUNCTION convex.find_user, convex.workspaces_of, convex.find_api_key,
convex.touch_api_keys, convex.find_refresh_token, convex.create_user, convex.create_workspace,
convex.append_live_events, convex.read_live_events, convex.live_cursors,
convex.ensure_point_partitions, convex.verify_audit
TO convex_api, convex_worker;
GRANT EXECUTE ON FUNCTION convex.hold_alert_flow TO convex_worker;
