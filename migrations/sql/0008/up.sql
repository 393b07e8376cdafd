-- Insights: what evidence packs, budgets and recommendations need.

-- What insights cost, or may cost: the day's budget is counted here, unfinished ones at what was
-- reserved for them.
CREATE TABLE convex.insight_runs (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    workspace_id uuid NOT NULL,
    insight_id uuid,
    framework_id uuid,
    trigger_id uuid,
    kind text NOT NULL,
    model text NOT NULL,
    state text DEFAULT 'reserved' NOT NULL,
    outcome text DEFAULT '' NOT NULL,
    evidence_hash bytea NOT NULL,
    evidence jsonb,
    batch_id text,
    reserved_usd double precision NOT NULL,
    cost_usd double precision,
    prices_of text NOT NULL,
    calls integer DEFAULT 0 NOT NULL,
    input_tokens integer DEFAULT 0 NOT NULL,
    cache_read_tokens integer DEFAULT 0 NOT NULL,
    cache_write_tokens integer DEFAULT 0 NOT NULL,
    output_tokens integer DEFAULT 0 NOT NULL,
    thinking_tokens integer DEFAULT 0 NOT NULL,
    verification jsonb DEFAULT '{}'::jsonb NOT NULL,
    requested_by uuid,
    created_at timestamptz DEFAULT now() NOT NULL,
    settled_at timestamptz,
    CONSTRAINT pk_insight_runs PRIMARY KEY (id),
    CONSTRAINT ck_insight_runs_kind
    CHECK (kind IN ('framework', 'digest', 'trigger', 'strategy', 'question')),
    CONSTRAINT ck_insight_runs_state
    CHECK (state IN ('reserved', 'submitted', 'settled')),
    CONSTRAINT ck_insight_runs_settled
    CHECK ((state = 'settled') = (settled_at IS NOT NULL)),
    CONSTRAINT ck_insight_runs_submitted
    CHECK (state <> 'submitted' OR batch_id IS NOT NULL),
    CONSTRAINT ck_insight_runs_costs
    CHECK (reserved_usd >= 0 AND coalesce(cost_usd, 0) >= 0),
    CONSTRAINT fk_insight_runs_workspace_id
    FOREIGN KEY (workspace_id)
    REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_insight_runs_workspace_id_insight_id
    FOREIGN KEY (workspace_id, insight_id)
    REFERENCES convex.framework_insights (workspace_id, id) ON DELETE SET NULL (insight_id),
    CONSTRAINT fk_insight_runs_workspace_id_framework_id
    FOREIGN KEY (workspace_id, framework_id)
    REFERENCES convex.frameworks (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_insight_runs_workspace_id_trigger_id
    FOREIGN KEY (workspace_id, trigger_id)
    REFERENCES convex.alert_triggers (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_insight_runs_requested_by
    FOREIGN KEY (requested_by)
    REFERENCES convex.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_insight_runs_workspace_id_created_at ON convex.insight_runs (workspace_id, created_at);
CREATE INDEX ix_insight_runs_open ON convex.insight_runs (batch_id) WHERE state = 'submitted';

ALTER TABLE convex.insight_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE convex.insight_runs FORCE ROW LEVEL SECURITY;
CREATE POLICY flows ON convex.insight_runs TO convex_worker
USING (
    workspace_id = (SELECT convex.acting_workspace())
    OR ((SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system')
);
CREATE POLICY analytics ON convex.insight_runs FOR SELECT TO convex_dbt
USING (
    workspace_id = (SELECT convex.acting_workspace())
    OR ((SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system')
);
CREATE POLICY read ON convex.insight_runs FOR SELECT TO convex_api
USING (workspace_id = (SELECT convex.acting_workspace()));
CREATE POLICY write ON convex.insight_runs FOR INSERT TO convex_api
WITH CHECK (
    workspace_id = (SELECT convex.acting_workspace())
    AND (SELECT convex.acting_role()) IN ('editor', 'owner')
);
CREATE POLICY change ON convex.insight_runs FOR UPDATE TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace())
    AND (SELECT convex.acting_role()) IN ('editor', 'owner')
);
GRANT SELECT, INSERT, UPDATE, DELETE ON convex.insight_runs TO convex_worker;
GRANT SELECT, INSERT, UPDATE ON convex.insight_runs TO convex_api;
GRANT SELECT ON convex.insight_runs TO convex_dbt;
CREATE TRIGGER audit_removal AFTER DELETE ON convex.insight_runs
REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT EXECUTE FUNCTION convex.audit_removal();

-- What accepting a recommendation changed (so that it can be undone), and where it stands in a list.
ALTER TABLE convex.recommendations ADD COLUMN applied jsonb;
ALTER TABLE convex.recommendations ADD COLUMN priority double precision DEFAULT 0 NOT NULL;
