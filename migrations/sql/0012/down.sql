-- The way back from up.sql.

DROP FUNCTION convex.forget_audit;
DROP FUNCTION convex.note_on_platform;
DROP POLICY functions_delete ON convex.audit_heads;
DROP POLICY functions_delete ON convex.audit_log;
DROP TABLE convex.platform_log;

CREATE OR REPLACE FUNCTION convex.refuse_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE insufficient_privilege
        USING MESSAGE = format('%s is append-only: %s is refused', TG_TABLE_NAME, TG_OP);
END $$;

DROP TRIGGER immutable ON convex.strategy_versions;
CREATE TRIGGER immutable BEFORE UPDATE ON convex.strategy_versions
FOR EACH STATEMENT EXECUTE FUNCTION convex.refuse_change();

ALTER TABLE convex.trigger_transitions DROP COLUMN traceparent;

DROP TRIGGER audit_export ON convex.job_requests;
DROP TRIGGER audit ON convex.workspaces;
CREATE TRIGGER audit AFTER INSERT OR DELETE OR UPDATE OF slug, name, timezone, settings
ON convex.workspaces FOR EACH ROW EXECUTE FUNCTION convex.audit_row();
ALTER TABLE convex.workspaces
DROP COLUMN purge_at, DROP COLUMN deletion_requested_by, DROP COLUMN deletion_requested_at;
