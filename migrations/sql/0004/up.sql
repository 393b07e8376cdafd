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

-- Every batch moves the newest point of its series: with room on the page the new version of a row
-- stays there, and no index has to follow.
ALTER TABLE convex.series SET (fillfactor = 50);

-- A series whose data failed a critical check: rules answer "error" on it until it is trusted again.
ALTER TABLE convex.series ADD COLUMN distrusted_since timestamptz;
ALTER TABLE convex.series ADD COLUMN distrusted_because text;

-- Between which values a metric usually lies (learned), or must lie (said by a member).
CREATE TABLE convex.metric_ranges (
    metric_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    low double precision,
    high double precision,
    learned_low double precision,
    learned_high double precision,
    learned_points bigint DEFAULT 0 NOT NULL,
    learned_at timestamptz,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_metric_ranges PRIMARY KEY (metric_id),
    CONSTRAINT ck_metric_ranges_bounds CHECK (low <= high),
    CONSTRAINT fk_metric_ranges_workspace_id FOREIGN KEY (workspace_id)
    REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_metric_ranges_workspace_id_metrics FOREIGN KEY (workspace_id, metric_id)
    REFERENCES convex.metrics (workspace_id, id) ON DELETE CASCADE
);
ALTER TABLE convex.metric_ranges ENABLE ROW LEVEL SECURITY;
ALTER TABLE convex.metric_ranges FORCE ROW LEVEL SECURITY;
CREATE POLICY flows ON convex.metric_ranges TO convex_worker
USING (
    workspace_id = (SELECT convex.acting_workspace())
    OR ((SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system')
);
CREATE POLICY analytics ON convex.metric_ranges FOR SELECT TO convex_dbt
USING (
    workspace_id = (SELECT convex.acting_workspace())
    OR ((SELECT convex.acting_workspace()) IS NULL AND (SELECT convex.acting_role()) = 'system')
);
CREATE POLICY read ON convex.metric_ranges FOR SELECT TO convex_api
USING (workspace_id = (SELECT convex.acting_workspace()));
CREATE POLICY write ON convex.metric_ranges FOR INSERT TO convex_api
WITH CHECK (
    workspace_id = (SELECT convex.acting_workspace())
    AND (SELECT convex.acting_role()) IN ('editor', 'owner')
);
CREATE POLICY change ON convex.metric_ranges FOR UPDATE TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace())
    AND (SELECT convex.acting_role()) IN ('editor', 'owner')
);
CREATE POLICY remove ON convex.metric_ranges FOR DELETE TO convex_api
USING (
    workspace_id = (SELECT convex.acting_workspace())
    AND (SELECT convex.acting_role()) = 'owner'
);
GRANT SELECT, INSERT, UPDATE, DELETE ON convex.metric_ranges TO convex_api, convex_worker;
GRANT SELECT ON convex.metric_ranges TO convex_dbt;
-- What is learned is no configuration: only what members say is audited.
CREATE TRIGGER audit AFTER DELETE OR UPDATE OF low, high ON convex.metric_ranges
FOR EACH ROW EXECUTE FUNCTION convex.audit_row();

-- What is left of points when they go: one row for each series and hour, and for each day. A
-- partition for each year (UTC), which goes as a whole when its time is over.
CREATE TABLE convex.hourly_points (
    workspace_id uuid NOT NULL,
    series_id bigint NOT NULL,
    timestamp timestamptz NOT NULL,
    mean double precision NOT NULL,
    low double precision NOT NULL,
    high double precision NOT NULL,
    points integer NOT NULL,
    CONSTRAINT pk_hourly_points PRIMARY KEY (series_id, timestamp)
) PARTITION BY RANGE (timestamp);
CREATE TABLE convex.daily_points (
    workspace_id uuid NOT NULL,
    series_id bigint NOT NULL,
    timestamp timestamptz NOT NULL,
    mean double precision NOT NULL,
    low double precision NOT NULL,
    high double precision NOT NULL,
    points integer NOT NULL,
    CONSTRAINT pk_daily_points PRIMARY KEY (series_id, timestamp)
) PARTITION BY RANGE (timestamp);

DO $$
DECLARE
    tenant constant text := 'workspace_id = (SELECT convex.acting_workspace())';
    system constant text := '(SELECT convex.acting_workspace()) IS NULL
        AND (SELECT convex.acting_role()) = ''system''';
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['hourly_points', 'daily_points'] LOOP
        EXECUTE format('ALTER TABLE convex.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE convex.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY flows ON convex.%I TO convex_worker USING (%s OR (%s))',
            name, tenant, system);
        EXECUTE format('CREATE POLICY analytics ON convex.%I FOR SELECT TO convex_dbt
            USING (%s OR (%s))', name, tenant, system);
        EXECUTE format('CREATE POLICY read ON convex.%I FOR SELECT TO convex_api USING (%s)',
            name, tenant);
        EXECUTE format('CREATE POLICY remove ON convex.%I FOR DELETE TO convex_api
            USING (%s AND (SELECT convex.acting_role()) = ''owner'')', name, tenant);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON convex.%I TO convex_worker', name);
        EXECUTE format('GRANT SELECT, DELETE ON convex.%I TO convex_api', name);
        EXECUTE format('GRANT SELECT ON convex.%I TO convex_dbt', name);
        EXECUTE format(
            'CREATE TRIGGER audit_removal AFTER DELETE ON convex.%I
            REFERENCING OLD TABLE AS removed
            FOR EACH STATEMENT EXECUTE FUNCTION convex.audit_removal()', name
        );
    END LOOP;
END $$;

CREATE FUNCTION convex.ensure_summary_partitions(p_from timestamptz, p_to timestamptz)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    begins timestamp;
    parent text;
    partition_name text;
    made integer := 0;
BEGIN
    IF p_from < '1970-01-01T00:00:00Z' OR p_to > now() + interval '2 years' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'summaries lie between 1970 and soon';
    END IF;
    FOREACH parent IN ARRAY ARRAY['hourly_points', 'daily_points'] LOOP
        begins := date_trunc('year', p_from AT TIME ZONE 'UTC');
        WHILE begins <= p_to AT TIME ZONE 'UTC' LOOP
            partition_name := parent || to_char(begins, '_YYYY');
            IF to_regclass('convex.' || partition_name) IS NULL THEN
                PERFORM pg_advisory_xact_lock(1129270872, 2);
                IF to_regclass('convex.' || partition_name) IS NULL THEN
                    EXECUTE format('CREATE TABLE convex.%I (LIKE convex.%I INCLUDING ALL)',
                        partition_name, parent);
                    EXECUTE format('ALTER TABLE convex.%I ENABLE ROW LEVEL SECURITY',
                        partition_name);
                    EXECUTE format('ALTER TABLE convex.%I FORCE ROW LEVEL SECURITY',
                        partition_name);
                    EXECUTE format(
                        'ALTER TABLE convex.%I ATTACH PARTITION convex.%I
                        FOR VALUES FROM (%L) TO (%L)',
                        parent, partition_name, begins AT TIME ZONE 'UTC',
                        (begins + interval '1 year') AT TIME ZONE 'UTC'
                    );
                    made := made + 1;
                END IF;
            END IF;
            begins := begins + interval '1 year';
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

-- The partitions of one of the three tables, oldest first: name, and from when until when.
CREATE FUNCTION convex.list_partitions(p_table text)
RETURNS TABLE (name text, begins timestamptz, ends timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.relname::text, b.parts[1]::timestamptz, b.parts[2]::timestamptz
    FROM pg_inherits AS i
    INNER JOIN pg_class AS c ON c.oid = i.inhrelid
    CROSS JOIN LATERAL (SELECT regexp_match(
        pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([^'']+)''\) TO \(''([^'']+)''\)'
    ) AS parts) AS b
    WHERE i.inhparent = to_regclass('convex.' || quote_ident(p_table))
        AND p_table IN ('points', 'hourly_points', 'daily_points')
    ORDER BY 2
$$;

-- Drop one partition if every workspace with rows in it has had them for as long as it keeps them;
-- of points, what they were by the hour and by the day stays. Whether it was dropped. All or
-- nothing, and nobody writes there meanwhile. Only the flows may, over all workspaces.
CREATE POLICY functions_select ON convex.points FOR SELECT TO convex_owner USING (TRUE);
CREATE POLICY functions_select ON convex.hourly_points FOR SELECT TO convex_owner USING (TRUE);
CREATE POLICY functions_insert ON convex.hourly_points FOR INSERT TO convex_owner
WITH CHECK (TRUE);
CREATE POLICY functions_update ON convex.hourly_points FOR UPDATE TO convex_owner USING (TRUE);
CREATE POLICY functions_select ON convex.daily_points FOR SELECT TO convex_owner USING (TRUE);
CREATE POLICY functions_insert ON convex.daily_points FOR INSERT TO convex_owner
WITH CHECK (TRUE);
CREATE POLICY functions_update ON convex.daily_points FOR UPDATE TO convex_owner USING (TRUE);

CREATE FUNCTION convex.expire_partition(p_table text, p_name text, p_now timestamptz)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part record;
    setting text := CASE p_table WHEN 'points' THEN 'raw_days'
        WHEN 'hourly_points' THEN 'hourly_days' ELSE 'daily_days' END;
    held uuid[];
    summary record;
BEGIN
    IF convex.acting_workspace() IS NOT NULL OR NOT convex.is_system() THEN
        RAISE insufficient_privilege USING MESSAGE = 'only the flows drop partitions';
    END IF;
    SELECT * INTO part FROM convex.list_partitions(p_table) AS p
    WHERE p.name = p_name AND p.ends <= p_now;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE convex.%I IN EXCLUSIVE MODE', p_name);
    EXECUTE format('SELECT array_agg(DISTINCT workspace_id) FROM convex.%I
        WHERE timestamp >= %L AND timestamp < %L', p_table, part.begins, part.ends) INTO held;
    IF held IS NULL OR EXISTS (
        SELECT 1 FROM convex.workspaces AS w WHERE w.id = ANY (held) AND (
            (w.settings ->> setting) IS NULL
            OR part.ends > p_now - make_interval(days => (w.settings ->> setting)::integer)
        )
    ) THEN
        RETURN false;
    END IF;
    IF p_table = 'points' THEN
        PERFORM convex.ensure_summary_partitions(part.begins, part.ends - interval '1 second');
        FOR summary IN SELECT * FROM (VALUES ('hourly_points', 'hour'), ('daily_points', 'day'))
            AS s (name, unit)
        LOOP
            EXECUTE format(
                'INSERT INTO convex.%I AS s
                SELECT p.workspace_id, p.series_id, date_trunc(%L, p.timestamp, ''UTC''),
                    avg(p.value), min(p.value), max(p.value), count(*)
                FROM convex.points AS p
                WHERE p.timestamp >= %L AND p.timestamp < %L
                GROUP BY p.workspace_id, p.series_id, date_trunc(%L, p.timestamp, ''UTC'')
                ON CONFLICT (series_id, timestamp) DO UPDATE SET mean = excluded.mean,
                    low = excluded.low, high = excluded.high, points = excluded.points',
                summary.name, summary.unit, part.begins, part.ends, summary.unit
            );
        END LOOP;
    END IF;
    EXECUTE format('DROP TABLE convex.%I', p_name);
    RETURN true;
END $$;

REVOKE EXECUTE ON FUNCTION convex.ensure_summary_partitions, convex.list_partitions,
convex.expire_partition FROM public;
GRANT EXECUTE ON FUNCTION convex.ensure_summary_partitions, convex.list_partitions,
convex.expire_partition TO convex_worker;

SELECT convex.ensure_summary_partitions(now() - interval '1 year', now() + interval '1 year');
