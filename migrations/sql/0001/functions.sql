-- Functions of schema convex, all owned by convex_owner.
--
-- Identity: every transaction sets convex.workspace_id, convex.user_id and convex.role (SET LOCAL).
-- Policies call these through a sub-select, so that each is evaluated once per statement.

CREATE FUNCTION convex.acting_workspace() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('convex.workspace_id', true), '')::uuid $$;

CREATE FUNCTION convex.acting_user() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('convex.user_id', true), '')::uuid $$;

CREATE FUNCTION convex.acting_role() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce(current_setting('convex.role', true), '') $$;

CREATE FUNCTION convex.acting_key() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('convex.api_key_id', true), '')::uuid $$;

-- Whether the caller of a SECURITY DEFINER function may act for all workspaces. The role setting
-- alone is not enough: it is honoured for the flows' login only.
CREATE FUNCTION convex.is_system() RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT convex.acting_role() = 'system'
        AND (session_user = 'convex_worker'
            OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user))
$$;

-- " AND the acting role is one of these", as text for a policy; nothing for an empty list.
CREATE FUNCTION convex.only_roles(p_roles text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE p_roles WHEN '' THEN '' ELSE format(
        ' AND (SELECT convex.acting_role()) = ANY (%L::text[])', string_to_array(p_roles, ',')
    ) END
$$;

-- ---------------------------------------------------------------------------------------------
-- Look-ups before there is an identity (sign-in, API key, refresh token)

CREATE FUNCTION convex.find_user(p_email text)
RETURNS TABLE (
    id uuid, email text, name text, password_hash text, timezone text, disabled_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.id, u.email, u.name, u.password_hash, u.timezone, u.disabled_at
    FROM convex.users AS u WHERE u.email = lower(p_email)
$$;

CREATE FUNCTION convex.workspaces_of(p_user_id uuid)
RETURNS TABLE (id uuid, slug text, name text, timezone text, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT w.id, w.slug, w.name, w.timezone, m.role
    FROM convex.members AS m
    INNER JOIN convex.workspaces AS w ON w.id = m.workspace_id
    WHERE m.user_id = p_user_id
    ORDER BY m.created_at, w.slug
$$;

CREATE FUNCTION convex.find_api_key(p_hash bytea)
RETURNS TABLE (
    id uuid, workspace_id uuid, created_by uuid, scopes text[],
    expires_at timestamptz, revoked_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.id, k.workspace_id, k.created_by, k.scopes, k.expires_at, k.revoked_at
    FROM convex.api_keys AS k WHERE k.key_hash = p_hash
$$;

CREATE FUNCTION convex.touch_api_keys(p_ids uuid[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE convex.api_keys SET last_used_at = now() WHERE id = ANY (p_ids)
$$;

CREATE FUNCTION convex.find_refresh_token(p_hash bytea)
RETURNS TABLE (
    id uuid, workspace_id uuid, user_id uuid, family_id uuid, role text,
    expires_at timestamptz, used_at timestamptz, revoked_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.id, t.workspace_id, t.user_id, t.family_id, m.role,
        t.expires_at, t.used_at, t.revoked_at
    FROM convex.refresh_tokens AS t
    INNER JOIN convex.members AS m
        ON m.workspace_id = t.workspace_id AND m.user_id = t.user_id
    INNER JOIN convex.users AS u ON u.id = t.user_id AND u.disabled_at IS NULL
    WHERE t.token_hash = p_hash
$$;

-- ---------------------------------------------------------------------------------------------
-- What no row policy can express: a new tenant, a new account

CREATE FUNCTION convex.create_user(p_email text, p_name text, p_password_hash text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    created uuid;
BEGIN
    IF NOT (convex.is_system() OR convex.acting_role() = 'owner') THEN
        RAISE insufficient_privilege USING MESSAGE = 'only an owner creates accounts';
    END IF;
    INSERT INTO convex.users (email, name, password_hash)
    VALUES (lower(p_email), p_name, p_password_hash)
    RETURNING id INTO created;
    RETURN created;
END $$;

CREATE FUNCTION convex.create_workspace(p_slug text, p_name text, p_owner uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    created uuid;
BEGIN
    IF NOT (convex.is_system() OR (p_owner IS NOT NULL AND convex.acting_user() = p_owner)) THEN
        RAISE insufficient_privilege USING MESSAGE = 'a workspace is created for oneself';
    END IF;
    INSERT INTO convex.workspaces (slug, name) VALUES (p_slug, p_name) RETURNING id INTO created;
    INSERT INTO convex.members (workspace_id, user_id, role) VALUES (created, p_owner, 'owner');
    RETURN created;
END $$;

-- ---------------------------------------------------------------------------------------------
-- Live events. The row lock on the workspace makes cursors gapless and ordered as the commits are,
-- so "everything after cursor n" never misses an event that was still uncommitted when n was read.
-- Call it last in a transaction: the lock is held until the commit.

CREATE FUNCTION convex.append_live_events(
    p_workspace_id uuid, p_framework_ids uuid[], p_types text[], p_data jsonb[],
    p_recipient_ids uuid[] DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    count_of bigint := cardinality(p_types);
    newest bigint;
BEGIN
    IF p_workspace_id IS DISTINCT FROM convex.acting_workspace()
        AND NOT (convex.acting_workspace() IS NULL AND convex.is_system()) THEN
        RAISE insufficient_privilege USING MESSAGE = 'events belong to the acting workspace';
    END IF;
    UPDATE convex.workspaces SET live_cursor = live_cursor + count_of
    WHERE id = p_workspace_id
    RETURNING live_cursor INTO newest;
    INSERT INTO convex.live_events (workspace_id, cursor, framework_id, recipient_id, type, data)
    SELECT p_workspace_id, newest - count_of + e.position, e.framework_id, e.recipient_id, e.type,
        e.data
    FROM ROWS FROM (
        unnest(p_framework_ids), unnest(p_types), unnest(p_data),
        unnest(coalesce(p_recipient_ids, array_fill(NULL::uuid, ARRAY[count_of::integer])))
    ) WITH ORDINALITY AS e (framework_id, type, data, recipient_id, position);
    RETURN newest;
END $$;

-- Events after a cursor, whoever they are addressed to: the hub of an API process filters by
-- recipient when it fans out. Only for the acting workspace.
CREATE FUNCTION convex.read_live_events(p_workspace_id uuid, p_after bigint, p_limit integer)
RETURNS SETOF convex.live_events
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT e.* FROM convex.live_events AS e
    WHERE e.workspace_id = p_workspace_id
        AND p_workspace_id = convex.acting_workspace()
        AND e.cursor > p_after
    ORDER BY e.cursor
    LIMIT p_limit
$$;

-- The newest cursor of each of these workspaces: what the one-second sweep compares.
CREATE FUNCTION convex.live_cursors(p_workspace_ids uuid[])
RETURNS TABLE (workspace_id uuid, live_cursor bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT w.id, w.live_cursor FROM convex.workspaces AS w WHERE w.id = ANY (p_workspace_ids)
$$;

-- ---------------------------------------------------------------------------------------------
-- The standing alert flow holds a shared advisory lock for as long as its session lives.

CREATE FUNCTION convex.hold_alert_flow() RETURNS void
LANGUAGE sql
AS $$ SELECT pg_advisory_lock_shared(1129270872, 1) $$;

CREATE FUNCTION convex.alert_flow_alive() RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT exists(
        SELECT 1 FROM pg_catalog.pg_locks
        WHERE locktype = 'advisory' AND classid = 1129270872 AND objid = 1 AND granted
            AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    )
$$;

-- ---------------------------------------------------------------------------------------------
-- Partitions of points, one per month (UTC). Attaching takes a weaker lock than creating in place,
-- so that ingestion goes on meanwhile. Returns how many were made.

CREATE FUNCTION convex.ensure_point_partitions(p_from timestamptz, p_to timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    month timestamp := date_trunc('month', p_from AT TIME ZONE 'UTC');
    partition_name text;
    made integer := 0;
BEGIN
    IF p_from < '1970-01-01T00:00:00Z' OR p_to > now() + interval '1 year' THEN
        RAISE invalid_parameter_value
            USING MESSAGE = 'points lie between 1970 and a year from now';
    END IF;
    WHILE month <= p_to AT TIME ZONE 'UTC' LOOP
        partition_name := 'points_' || to_char(month, 'YYYY_MM');
        IF to_regclass('convex.' || partition_name) IS NULL THEN
            PERFORM pg_advisory_xact_lock(1129270872, 2);
            IF to_regclass('convex.' || partition_name) IS NULL THEN
                EXECUTE format(
                    'CREATE TABLE convex.%I (LIKE convex.points INCLUDING ALL)', partition_name
                );
                EXECUTE format('ALTER TABLE convex.%I ENABLE ROW LEVEL SECURITY', partition_name);
                EXECUTE format('ALTER TABLE convex.%I FORCE ROW LEVEL SECURITY', partition_name);
                EXECUTE format(
                    'ALTER TABLE convex.points ATTACH PARTITION convex.%I FOR VALUES FROM (%L) TO (%L)',
                    partition_name, month AT TIME ZONE 'UTC',
                    (month + interval '1 month') AT TIME ZONE 'UTC'
                );
                made := made + 1;
            END IF;
        END IF;
        month := month + interval '1 month';
    END LOOP;
    RETURN made;
END $$;
