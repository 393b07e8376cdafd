-- Tenants and traces: a workspace is deleted after a time of grace, with nothing left of it but a
-- record that no workspace owns; an export is audited; a transition carries its trace.

ALTER TABLE convex.workspaces
ADD COLUMN deletion_requested_at timestamptz,
ADD COLUMN deletion_requested_by uuid,
ADD COLUMN purge_at timestamptz,
ADD CONSTRAINT ck_workspaces_deletion
CHECK ((purge_at IS NULL) = (deletion_requested_at IS NULL)),
ADD CONSTRAINT fk_workspaces_deletion_requested_by
FOREIGN KEY (deletion_requested_by) REFERENCES convex.users (id) ON DELETE SET NULL;
CREATE INDEX ix_workspaces_purge_at ON convex.workspaces (purge_at) WHERE purge_at IS NOT NULL;
GRANT UPDATE (deletion_requested_at, deletion_requested_by, purge_at)
ON convex.workspaces TO convex_api;

DROP TRIGGER audit ON convex.workspaces;
CREATE TRIGGER audit AFTER INSERT OR DELETE OR UPDATE OF slug, name, timezone, settings, purge_at
ON convex.workspaces FOR EACH ROW EXECUTE FUNCTION convex.audit_row();
CREATE TRIGGER audit_export AFTER INSERT ON convex.job_requests
FOR EACH ROW WHEN (NEW.kind = 'export-workspace') EXECUTE FUNCTION convex.audit_row();

-- A version stays as it was written, but for its author, whose account may go.
DROP TRIGGER immutable ON convex.strategy_versions;
CREATE TRIGGER immutable BEFORE UPDATE ON convex.strategy_versions
FOR EACH ROW WHEN (
    NEW.author_id IS NOT NULL
    OR (NEW.id, NEW.workspace_id, NEW.framework_id, NEW.number, NEW.document, NEW.note, NEW.created_at)
    IS DISTINCT FROM
    (OLD.id, OLD.workspace_id, OLD.framework_id, OLD.number, OLD.document, OLD.note, OLD.created_at)
)
EXECUTE FUNCTION convex.refuse_change();

-- Set by the transaction that writes it (convex.db), so that no statement has to name it.
ALTER TABLE convex.trigger_transitions
ADD COLUMN traceparent text DEFAULT nullif(current_setting('convex.traceparent', TRUE), '');

-- ---------------------------------------------------------------------------------------------
-- What happened to whole workspaces. It outlives them, so it has no workspace_id and nobody but the
-- operator reads it.

CREATE TABLE convex.platform_log (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    action text NOT NULL,
    former_id uuid NOT NULL,
    slug text NOT NULL,
    actor text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT pk_platform_log PRIMARY KEY (id),
    CONSTRAINT ck_platform_log_action
    CHECK (action IN ('deletion_requested', 'deletion_cancelled', 'workspace_purged'))
);
ALTER TABLE convex.platform_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE convex.platform_log FORCE ROW LEVEL SECURITY;
CREATE POLICY functions_insert ON convex.platform_log FOR INSERT TO convex_owner WITH CHECK (TRUE);
CREATE POLICY flows ON convex.platform_log FOR SELECT TO convex_worker
USING ((SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system');
GRANT SELECT ON convex.platform_log TO convex_worker;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON convex.platform_log
FOR EACH STATEMENT EXECUTE FUNCTION convex.refuse_change();

-- By an owner about the acting workspace, or by the flows about any.
CREATE FUNCTION convex.note_on_platform(p_workspace_id uuid, p_action text, p_detail jsonb)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT (convex.is_system() OR (
        p_workspace_id = convex.acting_workspace() AND convex.acting_role() = 'owner'
    )) THEN
        RAISE insufficient_privilege USING MESSAGE = 'only an owner decides about a workspace';
    END IF;
    INSERT INTO convex.platform_log (action, former_id, slug, actor, detail)
    SELECT p_action, w.id, w.slug,
        coalesce((SELECT u.email FROM convex.users AS u WHERE u.id = convex.acting_user()), 'operator'),
        p_detail
    FROM convex.workspaces AS w WHERE w.id = p_workspace_id;
END $$;

-- ---------------------------------------------------------------------------------------------
-- The audit trail goes with its workspace, and only then: when the workspace's row is gone, by the
-- function below, and by row level security for the rows of that workspace alone.

CREATE OR REPLACE FUNCTION convex.refuse_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_TABLE_NAME = 'audit_log' AND TG_OP = 'DELETE' AND current_user = 'convex_owner'
        AND coalesce(current_setting('convex.purging', TRUE), '') <> '' THEN
        RETURN NULL;
    END IF;
    RAISE insufficient_privilege
        USING MESSAGE = format('%s is append-only: %s is refused', TG_TABLE_NAME, TG_OP);
END $$;

CREATE POLICY functions_delete ON convex.audit_log FOR DELETE TO convex_owner
USING (workspace_id::text = current_setting('convex.purging', TRUE));
CREATE POLICY functions_delete ON convex.audit_heads FOR DELETE TO convex_owner
USING (workspace_id::text = current_setting('convex.purging', TRUE));

CREATE FUNCTION convex.forget_audit(p_workspace_id uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone bigint;
BEGIN
    IF NOT convex.is_system()
        OR EXISTS (SELECT 1 FROM convex.workspaces WHERE id = p_workspace_id) THEN
        RAISE insufficient_privilege
            USING MESSAGE = 'the audit trail stays for as long as its workspace';
    END IF;
    PERFORM set_config('convex.purging', p_workspace_id::text, TRUE);
    DELETE FROM convex.audit_log WHERE workspace_id = p_workspace_id;
    GET DIAGNOSTICS gone = ROW_COUNT;
    DELETE FROM convex.audit_heads WHERE workspace_id = p_workspace_id;
    PERFORM set_config('convex.purging', '', TRUE);
    RETURN gone;
END $$;

REVOKE EXECUTE ON FUNCTION convex.note_on_platform, convex.forget_audit FROM public;
GRANT EXECUTE ON FUNCTION convex.note_on_platform TO convex_api, convex_worker;
GRANT EXECUTE ON FUNCTION convex.forget_audit TO convex_worker;
