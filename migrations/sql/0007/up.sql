-- Predictions: the runs that make them, what each said about itself, and no prediction twice.
CREATE TABLE convex.prediction_runs (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    workspace_id uuid NOT NULL,
    as_of timestamptz NOT NULL,
    rules integer NOT NULL,
    trained integer NOT NULL,
    predictions integer NOT NULL,
    horizons jsonb NOT NULL,
    seconds double precision NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_prediction_runs PRIMARY KEY (id),
    CONSTRAINT uq_prediction_runs_workspace_id_id UNIQUE (workspace_id, id),
    CONSTRAINT fk_prediction_runs_workspace_id
    FOREIGN KEY (workspace_id)
    REFERENCES convex.workspaces (id) ON DELETE CASCADE
);
CREATE INDEX ix_prediction_runs_workspace_id_as_of
ON convex.prediction_runs (workspace_id, as_of);

ALTER TABLE convex.prediction_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE convex.prediction_runs FORCE ROW LEVEL SECURITY;
CREATE POLICY flows ON convex.prediction_runs TO convex_worker
USING (
    workspace_id = (SELECT convex.acting_workspace())
    OR ((SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system')
);
CREATE POLICY analytics ON convex.prediction_runs FOR SELECT TO convex_dbt
USING (
    workspace_id = (SELECT convex.acting_workspace())
    OR ((SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system')
);
CREATE POLICY read ON convex.prediction_runs FOR SELECT TO convex_api
USING (workspace_id = (SELECT convex.acting_workspace()));
GRANT SELECT, INSERT, UPDATE, DELETE ON convex.prediction_runs TO convex_worker;
GRANT SELECT ON convex.prediction_runs TO convex_api, convex_dbt;
CREATE TRIGGER audit_removal AFTER DELETE ON convex.prediction_runs
REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT WHEN (current_user <> 'convex_worker')
EXECUTE FUNCTION convex.audit_removal();

ALTER TABLE convex.alert_predictions
ADD COLUMN run_id uuid,
ADD CONSTRAINT fk_alert_predictions_workspace_id_run_id
FOREIGN KEY (workspace_id, run_id)
REFERENCES convex.prediction_runs (workspace_id, id) ON DELETE SET NULL (run_id);

-- A rule on many series has predictions without a series: they too are made once.
ALTER TABLE convex.alert_predictions
DROP CONSTRAINT uq_alert_predictions_rule_id_series_id_kind_window_star_4a23;
ALTER TABLE convex.alert_predictions
ADD CONSTRAINT uq_alert_predictions_framework_id_rule_id_series_id_kin_8f9d
UNIQUE NULLS NOT DISTINCT (framework_id, rule_id, series_id, kind, window_start, window_end);
