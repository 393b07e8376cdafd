-- Ingestion: what pushes, pulls, retention and data quality need.

-- A program that pushes by labels alone (Prometheus, OpenTelemetry) makes the frameworks it names.
CREATE POLICY arrive ON convex.frameworks FOR INSERT TO convex_api
WITH CHECK (
    workspace_id = (SELECT convex.acting_workspace())
    AND (SELECT convex.acting_role()) = 'ingest'
);

-- How far a source's run is (0 to 1, NULL: not known), and how many have failed since the last good.
ALTER TABLE convex.sources ADD COLUMN progress double precision;
ALTER TABLE convex.sources ADD COLUMN failed_runs integer NOT NULL DEFAULT 0;
