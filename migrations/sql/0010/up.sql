-- Speed: a batch moves its series on and stores its points in one statement.

-- What these were before the last batch: an UPDATE can return only what a row holds after it.
ALTER TABLE convex.series ADD COLUMN newest_before_at timestamptz;
ALTER TABLE convex.series ADD COLUMN ended_before_at timestamptz;

-- While other batches are under way the versions that they may still see cannot be cleared away:
-- room for four of them keeps every new one on its page, so that no index has to follow.
ALTER TABLE convex.series SET (fillfactor = 20);

-- Move these series on, which locks them until the end of the transaction, and store the points if
-- all of them are new: later than whatever their series had. The answer tells what the series were
-- before, '-infinity' for nothing, leaving out those that do not exist; then nothing is stored.
--
-- p_ids are in ascending order, with the first and the last instant of each one's points (a series
-- that only ends has a last of '-infinity') and when it ends ('-infinity': it does not). The
-- settings leave only plans that take the series in this order, so that writers, and whoever else
-- locks series by their ids, never wait for each other in a circle.
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
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
BEGIN
    WITH moved AS (
        UPDATE convex.series AS s
        SET newest_before_at = s.newest_at,
            ended_before_at = s.ended_at,
            newest_at = nullif(greatest(s.newest_at, w.last), '-infinity'),
            ended_at = CASE
                WHEN w.ends > '-infinity' AND w.ends >= greatest(s.newest_at, w.last) THEN w.ends
                WHEN greatest(s.newest_at, w.last) > s.ended_at THEN NULL
                ELSE s.ended_at
            END
        FROM unnest(p_ids, p_firsts, p_lasts, p_ends) AS w (id, first, last, ends)
        WHERE s.id = w.id AND s.workspace_id = p_workspace_id
        RETURNING s.id, w.first, s.created_at,
            coalesce(s.newest_before_at, '-infinity') AS newest_at,
            coalesce(s.ended_before_at, '-infinity') AS ended_at,
            coalesce(s.distrusted_since, '-infinity') AS distrusted_since
    )
    SELECT coalesce(array_agg(m.id), '{}'), coalesce(array_agg(m.newest_at), '{}'),
        coalesce(array_agg(m.ended_at), '{}'), coalesce(array_agg(m.created_at), '{}'),
        coalesce(array_agg(m.distrusted_since), '{}'),
        count(*) = cardinality(p_ids) AND coalesce(bool_and(m.newest_at < m.first), false)
    INTO ids, newest, ended, created, distrusted, stored
    FROM moved AS m;
    IF stored THEN
        INSERT INTO convex.points (workspace_id, series_id, timestamp, value)
        SELECT p_workspace_id, w.series_id, w.timestamp, w.value
        FROM unnest(p_series, p_timestamps, p_values) AS w (series_id, timestamp, value);
    END IF;
END $$;

REVOKE EXECUTE ON FUNCTION convex.take_points FROM public;
GRANT EXECUTE ON FUNCTION convex.take_points TO convex_api, convex_worker;
