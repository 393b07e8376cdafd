-- Speed: a batch moves its series on and stores its points in one statement.

-- What these were before the last batch: an UPDATE can return only what a row holds after it.
ALTER TABLE convex.series ADD COLUMN newest_before_at timestamptz;
ALTER TABLE convex.series ADD COLUMN ended_before_at timestamptz;

-- While other batches are under way the versions that they may still see cannot be cleared away:
-- room for four of them keeps every new one on its page, so that no index has to follow.
ALTER TABLE convex.series SET (fillfactor = 20);

-- Beginning with the workspace it would tempt a planner without statistics to go through all series
-- of a workspace instead of looking up those that are asked for.
DROP INDEX convex.ix_series_workspace_id_framework_id;
CREATE INDEX ix_series_framework_id_workspace_id ON convex.series (framework_id, workspace_id);

-- Move these series on, which locks them until the end of the transaction, and store the points if
-- all of them are new: later than whatever their series had. The answer tells what the series were
-- before, '-infinity' for nothing, leaving out those that do not exist; then nothing is stored.
--
-- p_ids are in ascending order, with the first and the last instant of each one's points (a series
-- that only ends has a last of '-infinity') and when it ends ('-infinity': it does not). What
-- belongs to a series is found by its place among them, not by a join, and the settings leave only
-- plans that take the series in the order of their ids: so writers, and whoever else locks series in
-- that order, never wait for each other in a circle.
CREATE FUNCTION convex.take_points(
    p_workspace_id uuid,
    p_ids bigint[],
    p_firsts timestamptz[],
    p_lasts timestamptz[],
    p_ends timestamptz[],
    p_series bigint[],
    p_timestamps timestamptz[],
    p_values double precision[],
    OUT ids bigint[],
    OUT newest timestamptz[],
    OUT ended timestamptz[],
    OUT created timestamptz[],
    OUT distrusted timestamptz[],
    OUT stored boolean
)
LANGUAGE sql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
    WITH moved AS (
        UPDATE convex.series AS s
        SET newest_before_at = s.newest_at,
            ended_before_at = s.ended_at,
            newest_at = nullif(
                greatest(s.newest_at, p_lasts[width_bucket(s.id, p_ids)]), '-infinity'
            ),
            ended_at = CASE
                WHEN
                    p_ends[width_bucket(s.id, p_ids)] > '-infinity'
                    AND p_ends[width_bucket(s.id, p_ids)]
                    >= greatest(s.newest_at, p_lasts[width_bucket(s.id, p_ids)])
                    THEN p_ends[width_bucket(s.id, p_ids)]
                WHEN s.ended_at < greatest(s.newest_at, p_lasts[width_bucket(s.id, p_ids)])
                    THEN NULL
                ELSE s.ended_at
            END
        WHERE s.id = ANY (p_ids) AND s.workspace_id = p_workspace_id
        RETURNING s.id, s.newest_before_at, s.ended_before_at, s.created_at, s.distrusted_since
    ),

    met AS (
        SELECT coalesce(array_agg(m.id), '{}') AS ids,
            coalesce(array_agg(coalesce(m.newest_before_at, '-infinity')), '{}') AS newest,
            coalesce(array_agg(coalesce(m.ended_before_at, '-infinity')), '{}') AS ended,
            coalesce(array_agg(m.created_at), '{}') AS created,
            coalesce(array_agg(coalesce(m.distrusted_since, '-infinity')), '{}') AS distrusted,
            count(*) = cardinality(p_ids) AND NOT coalesce(
                bool_or(m.newest_before_at >= p_firsts[width_bucket(m.id, p_ids)]), false
            ) AS stored
        FROM moved AS m
    ),

    kept AS (
        INSERT INTO convex.points (workspace_id, series_id, timestamp, value)
        SELECT p_workspace_id, w.series_id, w.timestamp, w.value
        FROM unnest(p_series, p_timestamps, p_values) AS w (series_id, timestamp, value)
        WHERE (SELECT met.stored FROM met)
    )

    SELECT met.ids, met.newest, met.ended, met.created, met.distrusted, met.stored FROM met
$$;

REVOKE EXECUTE ON FUNCTION convex.take_points FROM public;
GRANT EXECUTE ON FUNCTION convex.take_points TO convex_api, convex_worker;
