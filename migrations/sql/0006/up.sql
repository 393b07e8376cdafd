-- Patterns: the triggers behind each, the runs that look for them, and their live events.
ALTER TABLE convex.alert_patterns
ADD COLUMN trigger_ids uuid[] DEFAULT '{}' NOT NULL;
CREATE INDEX ix_alert_patterns_listing
ON convex.alert_patterns (workspace_id, confidence DESC, id DESC);

ALTER TABLE convex.live_events DROP CONSTRAINT ck_live_events_type;
ALTER TABLE convex.live_events
ADD CONSTRAINT ck_live_events_type
CHECK (type IN ('alert', 'notification', 'health', 'prediction', 'pattern'));

CREATE TABLE convex.pattern_runs (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    workspace_id uuid NOT NULL,
    as_of timestamptz NOT NULL,
    triggers integer NOT NULL,
    episodes integer NOT NULL,
    rules integer NOT NULL,
    shown integer NOT NULL,
    tested jsonb NOT NULL,
    seconds double precision NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_pattern_runs PRIMARY KEY (id),
    CONSTRAINT fk_pattern_runs_workspace_id
    FOREIGN KEY (workspace_id)
    REFERENCES convex.workspaces (id) ON DELETE CASCADE
);
CREATE INDEX ix_pattern_runs_workspace_id_as_of ON convex.pattern_runs (workspace_id, as_of);

ALTER TABLE convex.pattern_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE convex.pattern_runs FORCE ROW LEVEL SECURITY;
CREATE POLICY flows ON convex.pattern_runs TO convex_worker
USING (
    workspace_id = (SELECT convex.acting_workspace())
    OR ((SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system')
);
CREATE POLICY analytics ON convex.pattern_runs FOR SELECT TO convex_dbt
USING (
    workspace_id = (SELECT convex.acting_workspace())
    OR ((SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system')
);
CREATE POLICY read ON convex.pattern_runs FOR SELECT TO convex_api
USING (workspace_id = (SELECT convex.acting_workspace()));
GRANT SELECT, INSERT, UPDATE, DELETE ON convex.pattern_runs TO convex_worker;
GRANT SELECT ON convex.pattern_runs TO convex_api, convex_dbt;
-- Old runs are meant to go.
CREATE TRIGGER audit_removal AFTER DELETE ON convex.pattern_runs
REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT WHEN (current_user <> 'convex_worker')
EXECUTE FUNCTION convex.audit_removal();
