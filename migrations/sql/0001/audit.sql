-- The audit trail: append-only, and hash-chained per workspace, so that a removed, edited or
-- inserted row breaks the chain where it happened. audit_heads remembers the newest link, so that
-- cutting off the end is seen too.

CREATE FUNCTION convex.audit_hash(
    p_previous bytea, p_workspace_id uuid, p_sequence bigint, p_at timestamptz, p_user_id uuid,
    p_api_key_id uuid, p_role text, p_database_role text, p_action text, p_table_name text,
    p_row_key text, p_change jsonb
) RETURNS bytea
LANGUAGE sql STABLE
AS $$
    SELECT sha256(p_previous || convert_to(
        jsonb_build_array(
            p_workspace_id, p_sequence, extract(epoch FROM p_at), p_user_id, p_api_key_id, p_role,
            p_database_role, p_action, p_table_name, p_row_key, p_change
        )::text, 'UTF8'
    ))
$$;

CREATE FUNCTION convex.append_audit(
    p_workspace_id uuid, p_action text, p_table_name text, p_row_key text, p_change jsonb
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    head convex.audit_heads;
    next_sequence bigint;
    next_hash bytea;
    moment timestamptz := clock_timestamp();
BEGIN
    INSERT INTO convex.audit_heads (workspace_id, sequence, hash)
    VALUES (p_workspace_id, 0, '\x') ON CONFLICT DO NOTHING;
    SELECT * INTO head FROM convex.audit_heads WHERE workspace_id = p_workspace_id FOR UPDATE;
    next_sequence := head.sequence + 1;
    next_hash := convex.audit_hash(
        head.hash, p_workspace_id, next_sequence, moment, convex.acting_user(),
        convex.acting_key(), convex.acting_role(), session_user::text, p_action, p_table_name,
        p_row_key, p_change
    );
    INSERT INTO convex.audit_log (
        workspace_id, sequence, at, user_id, api_key_id, role, database_role, action, table_name,
        row_key, change, previous_hash, hash
    ) VALUES (
        p_workspace_id, next_sequence, moment, convex.acting_user(), convex.acting_key(),
        convex.acting_role(), session_user::text, p_action, p_table_name, p_row_key, p_change,
        head.hash, next_hash
    );
    UPDATE convex.audit_heads SET sequence = next_sequence, hash = next_hash
    WHERE workspace_id = p_workspace_id;
END $$;

-- Configuration: one entry per row, with what changed; secrets and hashes are named, never shown.
CREATE FUNCTION convex.audit_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hidden constant text[] := ARRAY['password_hash', 'key_hash', 'token_hash', 'secret'];
    before jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}' ELSE to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}' ELSE to_jsonb(NEW) END;
    present jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
    tenant uuid;
    change jsonb;
BEGIN
    tenant := CASE TG_TABLE_NAME
        WHEN 'workspaces' THEN (present ->> 'id')::uuid
        ELSE (present ->> 'workspace_id')::uuid
    END;
    SELECT coalesce(jsonb_object_agg(
        keys.key,
        CASE WHEN keys.key = ANY (hidden) THEN '"changed"'::jsonb
        ELSE jsonb_build_array(before -> keys.key, after -> keys.key) END
    ), '{}') INTO change
    FROM jsonb_object_keys(before || after) AS keys (key)
    WHERE (before -> keys.key) IS DISTINCT FROM (after -> keys.key);
    IF change = '{}' THEN
        RETURN NULL;
    END IF;
    PERFORM convex.append_audit(
        tenant, TG_OP, TG_TABLE_NAME,
        coalesce(
            present ->> 'id', present ->> 'user_id', present ->> 'transition_id',
            present ->> 'rule_id', ''
        ),
        change
    );
    RETURN NULL;
END $$;

-- Tables that the engine fills by the thousand are histories themselves; what must be seen there is
-- that somebody removed rows, or changed a measured value. One entry per statement and workspace.
CREATE FUNCTION convex.audit_removal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone record;
BEGIN
    FOR gone IN
        SELECT r.workspace_id, count(*) AS rows_gone FROM removed AS r GROUP BY r.workspace_id
    LOOP
        PERFORM convex.append_audit(
            gone.workspace_id, 'DELETE', TG_TABLE_NAME, '', jsonb_build_object('rows', gone.rows_gone)
        );
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION convex.audit_correction() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    corrected record;
BEGIN
    FOR corrected IN
        SELECT n.workspace_id, count(*) AS rows_changed,
            jsonb_path_query_array(
                jsonb_agg(jsonb_build_array(n.series_id, n.timestamp, o.value, n.value)),
                '$[0 to 99]'
            ) AS first_changes
        FROM changed_to AS n
        INNER JOIN changed_from AS o ON o.series_id = n.series_id AND o.timestamp = n.timestamp
        WHERE o.value <> n.value
        GROUP BY n.workspace_id
    LOOP
        PERFORM convex.append_audit(
            corrected.workspace_id, 'UPDATE', TG_TABLE_NAME, '',
            jsonb_build_object('rows', corrected.rows_changed, 'first', corrected.first_changes)
        );
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION convex.refuse_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE insufficient_privilege
        USING MESSAGE = format('%s is append-only: %s is refused', TG_TABLE_NAME, TG_OP);
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON convex.audit_log
FOR EACH STATEMENT EXECUTE FUNCTION convex.refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE ON convex.strategy_versions
FOR EACH STATEMENT EXECUTE FUNCTION convex.refuse_change();

CREATE TRIGGER audit AFTER INSERT OR DELETE OR UPDATE OF slug, name, timezone, settings
ON convex.workspaces FOR EACH ROW EXECUTE FUNCTION convex.audit_row();
CREATE TRIGGER audit AFTER INSERT ON convex.trigger_transitions
FOR EACH ROW WHEN (NEW.author_id IS NOT NULL) EXECUTE FUNCTION convex.audit_row();
CREATE TRIGGER audit AFTER UPDATE ON convex.points
REFERENCING OLD TABLE AS changed_from NEW TABLE AS changed_to
FOR EACH STATEMENT EXECUTE FUNCTION convex.audit_correction();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'members', 'api_keys', 'frameworks', 'strategy_versions', 'strategy_scores', 'metrics',
        'alert_rules', 'silences', 'mute_windows', 'inhibition_rules', 'notification_preferences',
        'recommendations'
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON convex.%I
            FOR EACH ROW EXECUTE FUNCTION convex.audit_row()', name
        );
    END LOOP;
    -- The flows keep their own progress in these two; only what people configure is audited.
    EXECUTE 'CREATE TRIGGER audit AFTER INSERT OR DELETE
        OR UPDATE OF name, kind, config, secret, schedule, enabled
        ON convex.sources FOR EACH ROW EXECUTE FUNCTION convex.audit_row()';
    EXECUTE 'CREATE TRIGGER audit AFTER INSERT OR DELETE
        OR UPDATE OF name, kind, config, secret, enabled
        ON convex.channels FOR EACH ROW EXECUTE FUNCTION convex.audit_row()';
    FOREACH name IN ARRAY ARRAY[
        'points', 'series', 'rejected_points', 'rule_states', 'alert_triggers',
        'trigger_transitions', 'alert_notifications', 'notification_deliveries', 'health_metrics',
        'framework_insights', 'alert_patterns', 'alert_predictions', 'quality_runs',
        'detector_snapshots', 'job_requests'
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER audit_removal AFTER DELETE ON convex.%I
            REFERENCING OLD TABLE AS removed
            FOR EACH STATEMENT EXECUTE FUNCTION convex.audit_removal()', name
        );
    END LOOP;
    -- Rows of these are meant to go: the flows take them away when they are used up or too old.
    FOREACH name IN ARRAY ARRAY[
        'live_events', 'idempotency_keys', 'refresh_tokens', 'planning_queue'
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER audit_removal AFTER DELETE ON convex.%I
            REFERENCING OLD TABLE AS removed
            FOR EACH STATEMENT WHEN (current_user <> ''convex_worker'')
            EXECUTE FUNCTION convex.audit_removal()', name
        );
    END LOOP;
END $$;

-- Where the chain of a workspace breaks: no row when it is whole.
CREATE FUNCTION convex.verify_audit(p_workspace_id uuid)
RETURNS TABLE (sequence bigint, problem text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH permitted AS (
        SELECT p_workspace_id AS id
        WHERE (convex.acting_workspace() = p_workspace_id AND convex.acting_role() = 'owner')
            OR convex.is_system()
    ),
    chain AS (
        SELECT
            a.*,
            lag(a.hash, 1, '\x') OVER (ORDER BY a.sequence) AS expected_previous,
            lag(a.sequence, 1, 0::bigint) OVER (ORDER BY a.sequence) + 1 AS expected_sequence
        FROM convex.audit_log AS a
        INNER JOIN permitted AS p ON p.id = a.workspace_id
    )
    SELECT c.sequence, CASE
        WHEN c.sequence <> c.expected_sequence THEN 'rows before it are missing'
        WHEN c.previous_hash <> c.expected_previous THEN 'does not follow from the row before it'
        ELSE 'was edited'
    END
    FROM chain AS c
    WHERE c.sequence <> c.expected_sequence
        OR c.previous_hash <> c.expected_previous
        OR c.hash <> convex.audit_hash(
            c.previous_hash, c.workspace_id, c.sequence, c.at, c.user_id, c.api_key_id, c.role,
            c.database_role, c.action, c.table_name, c.row_key, c.change
        )
    UNION ALL
    SELECT h.sequence, 'rows at the end are missing'
    FROM convex.audit_heads AS h
    INNER JOIN permitted AS p ON p.id = h.workspace_id
    WHERE h.hash IS DISTINCT FROM (
        SELECT c.hash FROM chain AS c ORDER BY c.sequence DESC LIMIT 1
    )
    ORDER BY 1
$$;
