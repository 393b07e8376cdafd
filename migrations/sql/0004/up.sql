-- Ingestion: what pushes, pulls, retention and data quality need.

-- A program that pushes by labels alone (Prometheus, OpenTelemetry) makes the frameworks it names.
CREATE POLICY arrive ON convex.frameworks FOR INSERT TO convex_api
WITH CHECK (
    workspace_id = (SELECT convex.acting_workspace())
    AND (SELECT convex.acting_role()) = 'ingest'
);
