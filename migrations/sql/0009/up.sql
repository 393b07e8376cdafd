-- Service: what waits, counted for a workspace. Members do not see one another's notifications, but
-- how many wait is nobody's secret.

CREATE POLICY functions_select ON convex.alert_notifications FOR SELECT TO convex_owner
USING (workspace_id = (SELECT convex.acting_workspace()));
CREATE POLICY functions_select ON convex.planning_queue FOR SELECT TO convex_owner
USING (workspace_id = (SELECT convex.acting_workspace()));
CREATE POLICY functions_select ON convex.job_requests FOR SELECT TO convex_owner
USING (workspace_id = (SELECT convex.acting_workspace()));

CREATE FUNCTION convex.queues()
RETURNS TABLE (
    queue text, name text, waiting bigint, later bigint, again bigint, oldest_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'planning', 'transitions', count(*), 0::bigint, 0::bigint, min(p.created_at)
    FROM convex.planning_queue AS p
    UNION ALL
    SELECT 'deliveries', n.channel_kind, count(*) FILTER (WHERE n.due_at <= now()),
        count(*) FILTER (WHERE n.due_at > now()), count(*) FILTER (WHERE n.attempts > 0),
        min(n.due_at) FILTER (WHERE n.due_at <= now())
    FROM convex.alert_notifications AS n
    WHERE n.state = 'due'
    GROUP BY n.channel_kind
    UNION ALL
    SELECT 'jobs', j.kind, count(*) FILTER (WHERE j.state = 'requested'), 0::bigint,
        count(*) FILTER (WHERE j.state = 'running'),
        min(j.created_at) FILTER (WHERE j.state = 'requested')
    FROM convex.job_requests AS j
    WHERE j.state IN ('requested', 'running')
    GROUP BY j.kind
    ORDER BY 1, 2
$$;

REVOKE EXECUTE ON FUNCTION convex.queues FROM public;
GRANT EXECUTE ON FUNCTION convex.queues TO convex_api, convex_worker;
