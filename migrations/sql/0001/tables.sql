-- The tables of schema convex as released in 0.1.0; convex/db/schema is today's description.

CREATE TABLE convex.audit_heads (
    workspace_id UUID NOT NULL,
    sequence BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT pk_audit_heads PRIMARY KEY (workspace_id)
);

CREATE TABLE convex.audit_log (
    workspace_id UUID NOT NULL,
    sequence BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    user_id UUID,
    api_key_id UUID,
    role TEXT NOT NULL,
    database_role TEXT NOT NULL,
    action TEXT NOT NULL,
    table_name TEXT NOT NULL,
    row_key TEXT NOT NULL,
    change JSONB DEFAULT '{}'::jsonb NOT NULL,
    previous_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT pk_audit_log PRIMARY KEY (workspace_id, sequence),
    CONSTRAINT ck_audit_log_action CHECK (action IN ('INSERT', 'UPDATE', 'DELETE'))
);

CREATE TABLE convex.points (
    workspace_id UUID NOT NULL,
    series_id BIGINT NOT NULL,
    timestamp TIMESTAMP WITH TIME ZONE NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    CONSTRAINT pk_points PRIMARY KEY (series_id, timestamp),
    CONSTRAINT ck_points_value_is_finite CHECK (value > '-Infinity'::float8 AND value < 'Infinity'::float8)
)
 PARTITION BY RANGE (timestamp);

CREATE TABLE convex.users (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT,
    timezone TEXT DEFAULT 'UTC' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_sign_in_at TIMESTAMP WITH TIME ZONE,
    disabled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT ck_users_email CHECK (email = lower(email) AND email LIKE '%%_@_%%'),
    CONSTRAINT uq_users_email UNIQUE (email)
);

CREATE TABLE convex.workspaces (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    timezone TEXT DEFAULT 'UTC' NOT NULL,
    settings JSONB DEFAULT '{}'::jsonb NOT NULL,
    live_cursor BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_workspaces PRIMARY KEY (id),
    CONSTRAINT uq_workspaces_slug UNIQUE (slug),
    CONSTRAINT ck_workspaces_slug CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$')
);

CREATE TABLE convex.api_keys (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    created_by UUID,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    key_hash BYTEA NOT NULL,
    scopes TEXT[] NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash),
    CONSTRAINT ck_api_keys_scopes CHECK (scopes <@ ARRAY['read','ingest','write'] AND cardinality(scopes) > 0),
    CONSTRAINT fk_api_keys_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_api_keys_created_by FOREIGN KEY(created_by) REFERENCES convex.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_api_keys_workspace_id ON convex.api_keys (workspace_id);

CREATE TABLE convex.channels (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    config JSONB DEFAULT '{}'::jsonb NOT NULL,
    secret BYTEA,
    enabled BOOLEAN DEFAULT true NOT NULL,
    disabled_reason TEXT,
    consecutive_failures INTEGER DEFAULT 0 NOT NULL,
    circuit_open_until TIMESTAMP WITH TIME ZONE,
    last_delivered_at TIMESTAMP WITH TIME ZONE,
    last_failed_at TIMESTAMP WITH TIME ZONE,
    last_error TEXT,
    version INTEGER DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_channels PRIMARY KEY (id),
    CONSTRAINT uq_channels_workspace_id_id UNIQUE (workspace_id, id),
    CONSTRAINT uq_channels_workspace_id_name UNIQUE (workspace_id, name),
    CONSTRAINT ck_channels_kind CHECK (kind IN ('in_app', 'email', 'slack', 'webhook', 'apprise')),
    CONSTRAINT fk_channels_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE
);

CREATE TABLE convex.frameworks (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT DEFAULT 'custom' NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    tags TEXT[] DEFAULT '{}' NOT NULL,
    owner_id UUID,
    version INTEGER DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_frameworks PRIMARY KEY (id),
    CONSTRAINT uq_frameworks_workspace_id_id UNIQUE (workspace_id, id),
    CONSTRAINT uq_frameworks_workspace_id_slug UNIQUE (workspace_id, slug),
    CONSTRAINT ck_frameworks_slug CHECK (slug ~ '^[a-z0-9][a-z0-9_.-]{0,99}$'),
    CONSTRAINT ck_frameworks_kind CHECK (kind IN ('brand_positioning', 'funnel_design', 'seo_patterns', 'competitor_model', 'offer_architecture', 'custom')),
    CONSTRAINT fk_frameworks_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_frameworks_owner_id FOREIGN KEY(owner_id) REFERENCES convex.users (id) ON DELETE SET NULL
);

CREATE TABLE convex.idempotency_keys (
    workspace_id UUID NOT NULL,
    key TEXT NOT NULL,
    route TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    status INTEGER,
    response JSONB,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (workspace_id, route, key),
    CONSTRAINT ck_idempotency_keys_completed CHECK ((status IS NULL) = (completed_at IS NULL)),
    CONSTRAINT fk_idempotency_keys_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE
);
CREATE INDEX ix_idempotency_keys_expires_at ON convex.idempotency_keys (expires_at);

CREATE TABLE convex.inhibition_rules (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    name TEXT NOT NULL,
    source_matchers JSONB NOT NULL,
    target_matchers JSONB NOT NULL,
    equal_labels TEXT[] DEFAULT '{}' NOT NULL,
    enabled BOOLEAN DEFAULT true NOT NULL,
    author_id UUID,
    version INTEGER DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_inhibition_rules PRIMARY KEY (id),
    CONSTRAINT fk_inhibition_rules_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_inhibition_rules_author_id FOREIGN KEY(author_id) REFERENCES convex.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_inhibition_rules_workspace_id ON convex.inhibition_rules (workspace_id);

CREATE TABLE convex.job_requests (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    kind TEXT NOT NULL,
    arguments JSONB DEFAULT '{}'::jsonb NOT NULL,
    state TEXT DEFAULT 'requested' NOT NULL,
    requested_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    result JSONB,
    CONSTRAINT pk_job_requests PRIMARY KEY (id),
    CONSTRAINT ck_job_requests_state CHECK (state IN ('requested', 'running', 'done', 'failed')),
    CONSTRAINT fk_job_requests_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_job_requests_requested_by FOREIGN KEY(requested_by) REFERENCES convex.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_job_requests_open ON convex.job_requests (created_at) WHERE state IN ('requested','running');

CREATE TABLE convex.live_events (
    workspace_id UUID NOT NULL,
    cursor BIGINT NOT NULL,
    framework_id UUID,
    recipient_id UUID,
    type TEXT NOT NULL,
    data JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_live_events PRIMARY KEY (workspace_id, cursor),
    CONSTRAINT ck_live_events_type CHECK (type IN ('alert', 'notification', 'health', 'prediction')),
    CONSTRAINT fk_live_events_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE
);
CREATE INDEX ix_live_events_created_at ON convex.live_events (created_at);

CREATE TABLE convex.members (
    workspace_id UUID NOT NULL,
    user_id UUID NOT NULL,
    role TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_members PRIMARY KEY (workspace_id, user_id),
    CONSTRAINT ck_members_role CHECK (role IN ('viewer', 'editor', 'owner')),
    CONSTRAINT fk_members_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_members_user_id FOREIGN KEY(user_id) REFERENCES convex.users (id) ON DELETE CASCADE
);
CREATE INDEX ix_members_user_id ON convex.members (user_id);

CREATE TABLE convex.mute_windows (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    name TEXT NOT NULL,
    matchers JSONB NOT NULL,
    timezone TEXT NOT NULL,
    intervals JSONB NOT NULL,
    enabled BOOLEAN DEFAULT true NOT NULL,
    author_id UUID,
    version INTEGER DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_mute_windows PRIMARY KEY (id),
    CONSTRAINT fk_mute_windows_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_mute_windows_author_id FOREIGN KEY(author_id) REFERENCES convex.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_mute_windows_workspace_id ON convex.mute_windows (workspace_id);

CREATE TABLE convex.notification_preferences (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    user_id UUID,
    channels TEXT[] DEFAULT '{in_app,email}' NOT NULL,
    min_severity TEXT DEFAULT 'info' NOT NULL,
    quiet_hours_enabled BOOLEAN DEFAULT false NOT NULL,
    quiet_hours_start TIME WITHOUT TIME ZONE DEFAULT '22:00' NOT NULL,
    quiet_hours_end TIME WITHOUT TIME ZONE DEFAULT '06:00' NOT NULL,
    timezone TEXT DEFAULT 'UTC' NOT NULL,
    deduplication_minutes INTEGER DEFAULT 5 NOT NULL,
    group_by TEXT DEFAULT 'rule' NOT NULL,
    group_wait_seconds INTEGER DEFAULT 30 NOT NULL,
    group_interval_seconds INTEGER DEFAULT 300 NOT NULL,
    repeat_interval_seconds INTEGER DEFAULT 14400 NOT NULL,
    max_per_hour INTEGER,
    escalation_after_minutes INTEGER DEFAULT 60 NOT NULL,
    escalation_steps JSONB DEFAULT '[]'::jsonb NOT NULL,
    predictions BOOLEAN DEFAULT false NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_notification_preferences PRIMARY KEY (id),
    CONSTRAINT uq_notification_preferences_workspace_id_user_id UNIQUE NULLS NOT DISTINCT (workspace_id, user_id),
    CONSTRAINT ck_notification_preferences_min_severity CHECK (min_severity IN ('info', 'warning', 'critical')),
    CONSTRAINT ck_notification_preferences_group_by CHECK (group_by IN ('none', 'rule', 'framework', 'type')),
    CONSTRAINT ck_notification_preferences_deduplication_minutes CHECK (deduplication_minutes BETWEEN 1 AND 60),
    CONSTRAINT ck_notification_preferences_escalation_after_minutes CHECK (escalation_after_minutes BETWEEN 1 AND 120),
    CONSTRAINT ck_notification_preferences_quiet_hours CHECK (quiet_hours_start <> quiet_hours_end),
    CONSTRAINT ck_notification_preferences_max_per_hour CHECK (max_per_hour > 0),
    CONSTRAINT ck_notification_preferences_escalation_steps CHECK (jsonb_array_length(escalation_steps) <= 5),
    CONSTRAINT ck_notification_preferences_grouping CHECK (least(group_wait_seconds, group_interval_seconds, repeat_interval_seconds) >= 0),
    CONSTRAINT fk_notification_preferences_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_notification_preferences_user_id FOREIGN KEY(user_id) REFERENCES convex.users (id) ON DELETE SET NULL
);

CREATE TABLE convex.quality_runs (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    suite TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE NOT NULL,
    state TEXT NOT NULL,
    evaluated INTEGER NOT NULL,
    passed INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    results JSONB DEFAULT '[]'::jsonb NOT NULL,
    report_path TEXT,
    CONSTRAINT pk_quality_runs PRIMARY KEY (id),
    CONSTRAINT ck_quality_runs_state CHECK (state IN ('passed', 'failed', 'error')),
    CONSTRAINT ck_quality_runs_counts CHECK (evaluated = passed + failed),
    CONSTRAINT fk_quality_runs_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE
);
CREATE INDEX ix_quality_runs_workspace_id_started_at ON convex.quality_runs (workspace_id, started_at);

CREATE TABLE convex.refresh_tokens (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    user_id UUID NOT NULL,
    family_id UUID NOT NULL,
    token_hash BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_refresh_tokens PRIMARY KEY (id),
    CONSTRAINT uq_refresh_tokens_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_refresh_tokens_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_refresh_tokens_user_id FOREIGN KEY(user_id) REFERENCES convex.users (id) ON DELETE CASCADE
);
CREATE INDEX ix_refresh_tokens_expires_at ON convex.refresh_tokens (expires_at);
CREATE INDEX ix_refresh_tokens_family_id ON convex.refresh_tokens (family_id);

CREATE TABLE convex.rejected_points (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id UUID NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    point JSONB NOT NULL,
    reingested_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_rejected_points PRIMARY KEY (id),
    CONSTRAINT ck_rejected_points_reason CHECK (reason IN ('not_a_number', 'infinite', 'in_the_future', 'too_old', 'unknown_framework', 'unknown_metric', 'too_many_series', 'invalid_labels', 'unreadable')),
    CONSTRAINT fk_rejected_points_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE
);
CREATE INDEX ix_rejected_points_workspace_id_received_at ON convex.rejected_points (workspace_id, received_at);

CREATE TABLE convex.silences (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    matchers JSONB NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author_id UUID,
    reason TEXT NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_silences PRIMARY KEY (id),
    CONSTRAINT ck_silences_ends_after_start CHECK (ends_at > starts_at),
    CONSTRAINT ck_silences_matchers CHECK (jsonb_array_length(matchers) > 0),
    CONSTRAINT ck_silences_reason CHECK (length(reason) > 0),
    CONSTRAINT fk_silences_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_silences_author_id FOREIGN KEY(author_id) REFERENCES convex.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_silences_workspace_id_ends_at ON convex.silences (workspace_id, ends_at);

CREATE TABLE convex.sources (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    config JSONB DEFAULT '{}'::jsonb NOT NULL,
    secret BYTEA,
    schedule TEXT,
    cursor JSONB DEFAULT '{}'::jsonb NOT NULL,
    enabled BOOLEAN DEFAULT true NOT NULL,
    last_run_at TIMESTAMP WITH TIME ZONE,
    last_state TEXT,
    last_error TEXT,
    points_total BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_sources PRIMARY KEY (id),
    CONSTRAINT uq_sources_workspace_id_name UNIQUE (workspace_id, name),
    CONSTRAINT ck_sources_kind CHECK (kind IN ('file', 'sql', 'prometheus', 'http_json')),
    CONSTRAINT ck_sources_last_state CHECK (last_state IN ('succeeded', 'failed')),
    CONSTRAINT fk_sources_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE
);

CREATE TABLE convex.health_metrics (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id UUID NOT NULL,
    framework_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    category TEXT NOT NULL,
    score DOUBLE PRECISION,
    status TEXT NOT NULL,
    coverage DOUBLE PRECISION NOT NULL,
    detail JSONB DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT pk_health_metrics PRIMARY KEY (id),
    CONSTRAINT uq_health_metrics_framework_id_category_at UNIQUE (framework_id, category, at),
    CONSTRAINT ck_health_metrics_category CHECK (category IN ('overall', 'performance', 'availability', 'security', 'scalability', 'cost', 'risk')),
    CONSTRAINT ck_health_metrics_status CHECK (status IN ('excellent', 'good', 'fair', 'poor', 'unknown')),
    CONSTRAINT ck_health_metrics_score CHECK (score BETWEEN 0 AND 100),
    CONSTRAINT ck_health_metrics_coverage CHECK (coverage BETWEEN 0 AND 1),
    CONSTRAINT ck_health_metrics_unknown_has_no_score CHECK ((score IS NULL) = (status = 'unknown')),
    CONSTRAINT fk_health_metrics_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_health_metrics_workspace_id_framework_id FOREIGN KEY(workspace_id, framework_id) REFERENCES convex.frameworks (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE convex.metrics (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    framework_id UUID NOT NULL,
    name TEXT NOT NULL,
    unit TEXT DEFAULT '' NOT NULL,
    category TEXT DEFAULT 'performance' NOT NULL,
    target DOUBLE PRECISION,
    "limit" DOUBLE PRECISION,
    weight DOUBLE PRECISION DEFAULT 1 NOT NULL,
    default_aggregate TEXT DEFAULT 'mean' NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    is_counter BOOLEAN DEFAULT false NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_metrics PRIMARY KEY (id),
    CONSTRAINT uq_metrics_workspace_id_id UNIQUE (workspace_id, id),
    CONSTRAINT uq_metrics_framework_id_name UNIQUE (framework_id, name),
    CONSTRAINT ck_metrics_name CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT ck_metrics_target_differs_from_limit CHECK (target <> "limit"),
    CONSTRAINT ck_metrics_weight CHECK (weight > 0),
    CONSTRAINT ck_metrics_category CHECK (category IN ('performance', 'availability', 'security', 'scalability', 'cost')),
    CONSTRAINT ck_metrics_default_aggregate CHECK (default_aggregate IN ('last', 'mean', 'min', 'max', 'sum', 'count', 'p50', 'p95')),
    CONSTRAINT fk_metrics_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_metrics_workspace_id_framework_id FOREIGN KEY(workspace_id, framework_id) REFERENCES convex.frameworks (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE convex.strategy_versions (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    framework_id UUID NOT NULL,
    number INTEGER NOT NULL,
    document TEXT NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    author_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_strategy_versions PRIMARY KEY (id),
    CONSTRAINT uq_strategy_versions_workspace_id_id UNIQUE (workspace_id, id),
    CONSTRAINT uq_strategy_versions_framework_id_number UNIQUE (framework_id, number),
    CONSTRAINT ck_strategy_versions_number CHECK (number >= 1),
    CONSTRAINT fk_strategy_versions_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_strategy_versions_workspace_id_framework_id FOREIGN KEY(workspace_id, framework_id) REFERENCES convex.frameworks (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_strategy_versions_author_id FOREIGN KEY(author_id) REFERENCES convex.users (id) ON DELETE SET NULL
);

CREATE TABLE convex.alert_rules (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    framework_id UUID NOT NULL,
    metric_id UUID NOT NULL,
    name TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    type TEXT NOT NULL,
    condition TEXT NOT NULL,
    threshold_value DOUBLE PRECISION,
    change_percentage DOUBLE PRECISION,
    recovery_threshold DOUBLE PRECISION,
    sensitivity TEXT,
    method TEXT,
    aggregate TEXT DEFAULT 'last' NOT NULL,
    window_seconds INTEGER DEFAULT 0 NOT NULL,
    for_seconds INTEGER DEFAULT 0 NOT NULL,
    keep_firing_for_seconds INTEGER DEFAULT 0 NOT NULL,
    evaluation_offset_seconds INTEGER DEFAULT 0 NOT NULL,
    lateness_seconds INTEGER DEFAULT 300 NOT NULL,
    deduplication_window_seconds INTEGER DEFAULT 300 NOT NULL,
    no_data TEXT DEFAULT 'keep' NOT NULL,
    no_data_after_seconds INTEGER DEFAULT 0 NOT NULL,
    severity TEXT DEFAULT 'warning' NOT NULL,
    label_matchers JSONB DEFAULT '[]'::jsonb NOT NULL,
    group_by TEXT[] DEFAULT '{}' NOT NULL,
    channels TEXT[] DEFAULT '{}' NOT NULL,
    tags TEXT[] DEFAULT '{}' NOT NULL,
    runbook_url TEXT DEFAULT '' NOT NULL,
    templates JSONB DEFAULT '{}'::jsonb NOT NULL,
    enabled BOOLEAN DEFAULT true NOT NULL,
    provenance TEXT DEFAULT 'api' NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    created_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_alert_rules PRIMARY KEY (id),
    CONSTRAINT uq_alert_rules_workspace_id_id UNIQUE (workspace_id, id),
    CONSTRAINT ck_alert_rules_type CHECK (type IN ('threshold', 'anomaly', 'performance', 'milestone')),
    CONSTRAINT ck_alert_rules_condition CHECK (condition IN ('above', 'below', 'equals', 'changes_by')),
    CONSTRAINT ck_alert_rules_aggregate CHECK (aggregate IN ('last', 'mean', 'min', 'max', 'sum', 'count', 'p50', 'p95')),
    CONSTRAINT ck_alert_rules_no_data CHECK (no_data IN ('keep', 'ok', 'alert')),
    CONSTRAINT ck_alert_rules_severity CHECK (severity IN ('info', 'warning', 'critical')),
    CONSTRAINT ck_alert_rules_sensitivity CHECK (sensitivity IN ('low', 'medium', 'high')),
    CONSTRAINT ck_alert_rules_provenance CHECK (provenance IN ('api', 'code')),
    CONSTRAINT ck_alert_rules_durations CHECK (least(window_seconds, for_seconds, keep_firing_for_seconds, evaluation_offset_seconds, lateness_seconds, deduplication_window_seconds, no_data_after_seconds) >= 0),
    CONSTRAINT ck_alert_rules_change_percentage CHECK (change_percentage > 0),
    CONSTRAINT fk_alert_rules_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_rules_workspace_id_framework_id FOREIGN KEY(workspace_id, framework_id) REFERENCES convex.frameworks (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_rules_workspace_id_metric_id FOREIGN KEY(workspace_id, metric_id) REFERENCES convex.metrics (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_rules_created_by FOREIGN KEY(created_by) REFERENCES convex.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_alert_rules_workspace_id_metric_id ON convex.alert_rules (workspace_id, metric_id);
CREATE UNIQUE INDEX uq_alert_rules_workspace_id_name ON convex.alert_rules (workspace_id, name) WHERE deleted_at IS NULL;

CREATE TABLE convex.series (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id UUID NOT NULL,
    framework_id UUID NOT NULL,
    metric_id UUID NOT NULL,
    labels JSONB DEFAULT '{}'::jsonb NOT NULL,
    labels_hash BYTEA NOT NULL,
    newest_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_series PRIMARY KEY (id),
    CONSTRAINT uq_series_workspace_id_id UNIQUE (workspace_id, id),
    CONSTRAINT uq_series_metric_id_labels_hash UNIQUE (metric_id, labels_hash),
    CONSTRAINT fk_series_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_series_workspace_id_framework_id FOREIGN KEY(workspace_id, framework_id) REFERENCES convex.frameworks (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_series_workspace_id_metric_id FOREIGN KEY(workspace_id, metric_id) REFERENCES convex.metrics (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_series_workspace_id_framework_id ON convex.series (workspace_id, framework_id);

CREATE TABLE convex.strategy_scores (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    framework_id UUID NOT NULL,
    strategy_version_id UUID NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    clarity DOUBLE PRECISION NOT NULL,
    specificity DOUBLE PRECISION NOT NULL,
    outcome_focus DOUBLE PRECISION NOT NULL,
    proof DOUBLE PRECISION NOT NULL,
    objection_handling DOUBLE PRECISION NOT NULL,
    risk_removal DOUBLE PRECISION NOT NULL,
    verdict TEXT NOT NULL,
    scored_by TEXT NOT NULL,
    rationale TEXT DEFAULT '' NOT NULL,
    evidence JSONB DEFAULT '{}'::jsonb NOT NULL,
    author_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_strategy_scores PRIMARY KEY (id),
    CONSTRAINT ck_strategy_scores_score CHECK (score BETWEEN 0 AND 100),
    CONSTRAINT ck_strategy_scores_clarity CHECK (clarity BETWEEN 0 AND 100),
    CONSTRAINT ck_strategy_scores_specificity CHECK (specificity BETWEEN 0 AND 100),
    CONSTRAINT ck_strategy_scores_outcome_focus CHECK (outcome_focus BETWEEN 0 AND 100),
    CONSTRAINT ck_strategy_scores_proof CHECK (proof BETWEEN 0 AND 100),
    CONSTRAINT ck_strategy_scores_objection_handling CHECK (objection_handling BETWEEN 0 AND 100),
    CONSTRAINT ck_strategy_scores_risk_removal CHECK (risk_removal BETWEEN 0 AND 100),
    CONSTRAINT ck_strategy_scores_verdict CHECK (verdict IN ('pass', 'needs_revision', 'fail')),
    CONSTRAINT ck_strategy_scores_scored_by CHECK (scored_by IN ('hand', 'rubric', 'claude')),
    CONSTRAINT fk_strategy_scores_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_strategy_scores_workspace_id_framework_id FOREIGN KEY(workspace_id, framework_id) REFERENCES convex.frameworks (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_strategy_scores_workspace_id_strategy_version_id FOREIGN KEY(workspace_id, strategy_version_id) REFERENCES convex.strategy_versions (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_strategy_scores_author_id FOREIGN KEY(author_id) REFERENCES convex.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_strategy_scores_strategy_version_id ON convex.strategy_scores (strategy_version_id);

CREATE TABLE convex.alert_patterns (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    framework_id UUID,
    rule_id UUID,
    other_rule_id UUID,
    type TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    title TEXT NOT NULL,
    frequency TEXT NOT NULL,
    period_seconds DOUBLE PRECISION,
    confidence SMALLINT NOT NULL,
    support INTEGER NOT NULL,
    p_value DOUBLE PRECISION NOT NULL,
    evidence JSONB NOT NULL,
    state TEXT DEFAULT 'new' NOT NULL,
    runs_seen INTEGER DEFAULT 1 NOT NULL,
    first_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_occurrence_at TIMESTAMP WITH TIME ZONE,
    next_expected_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_alert_patterns PRIMARY KEY (id),
    CONSTRAINT ck_alert_patterns_type CHECK (type IN ('seasonal', 'cyclical', 'correlated', 'triggered_by', 'escalating')),
    CONSTRAINT ck_alert_patterns_frequency CHECK (frequency IN ('hourly', 'daily', 'weekly', 'monthly', 'period', 'none')),
    CONSTRAINT ck_alert_patterns_state CHECK (state IN ('candidate', 'new', 'active', 'fading', 'gone')),
    CONSTRAINT ck_alert_patterns_confidence CHECK (confidence BETWEEN 0 AND 100),
    CONSTRAINT ck_alert_patterns_p_value CHECK (p_value BETWEEN 0 AND 1),
    CONSTRAINT uq_alert_patterns_workspace_id_fingerprint UNIQUE (workspace_id, fingerprint),
    CONSTRAINT fk_alert_patterns_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_patterns_workspace_id_framework_id FOREIGN KEY(workspace_id, framework_id) REFERENCES convex.frameworks (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_patterns_workspace_id_rule_id FOREIGN KEY(workspace_id, rule_id) REFERENCES convex.alert_rules (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_patterns_workspace_id_other_rule_id FOREIGN KEY(workspace_id, other_rule_id) REFERENCES convex.alert_rules (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE convex.alert_predictions (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    framework_id UUID NOT NULL,
    rule_id UUID,
    series_id BIGINT,
    kind TEXT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    window_start TIMESTAMP WITH TIME ZONE NOT NULL,
    window_end TIMESTAMP WITH TIME ZONE NOT NULL,
    probability DOUBLE PRECISION NOT NULL,
    climatology DOUBLE PRECISION NOT NULL,
    confidence TEXT NOT NULL,
    risk_score DOUBLE PRECISION NOT NULL,
    preventive_actions JSONB DEFAULT '[]'::jsonb NOT NULL,
    model TEXT NOT NULL,
    inputs JSONB NOT NULL,
    action_taken JSONB,
    was_accurate BOOLEAN,
    actual_alert_triggered_at TIMESTAMP WITH TIME ZONE,
    verified_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_alert_predictions PRIMARY KEY (id),
    CONSTRAINT ck_alert_predictions_kind CHECK (kind IN ('next_alert', 'anomaly_risk', 'performance_issue', 'escalation_risk')),
    CONSTRAINT ck_alert_predictions_confidence CHECK (confidence IN ('low', 'medium', 'high')),
    CONSTRAINT ck_alert_predictions_probability CHECK (probability BETWEEN 0 AND 100),
    CONSTRAINT ck_alert_predictions_climatology CHECK (climatology BETWEEN 0 AND 100),
    CONSTRAINT ck_alert_predictions_risk_score CHECK (risk_score BETWEEN 0 AND 100),
    CONSTRAINT ck_alert_predictions_window CHECK (window_end > window_start),
    CONSTRAINT ck_alert_predictions_verified CHECK ((was_accurate IS NULL) = (verified_at IS NULL)),
    CONSTRAINT uq_alert_predictions_rule_id_series_id_kind_window_star_4a23 UNIQUE (rule_id, series_id, kind, window_start, window_end),
    CONSTRAINT fk_alert_predictions_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_predictions_workspace_id_framework_id FOREIGN KEY(workspace_id, framework_id) REFERENCES convex.frameworks (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_predictions_workspace_id_rule_id FOREIGN KEY(workspace_id, rule_id) REFERENCES convex.alert_rules (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_alert_predictions_unverified ON convex.alert_predictions (window_end) WHERE verified_at IS NULL;
CREATE INDEX ix_alert_predictions_workspace_id_made_at ON convex.alert_predictions (workspace_id, made_at);

CREATE TABLE convex.alert_triggers (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    rule_id UUID,
    framework_id UUID NOT NULL,
    metric_id UUID,
    series_id BIGINT,
    fingerprint TEXT NOT NULL,
    source TEXT DEFAULT 'rule' NOT NULL,
    rule_name TEXT NOT NULL,
    metric_name TEXT DEFAULT '' NOT NULL,
    type TEXT NOT NULL,
    severity TEXT NOT NULL,
    state TEXT DEFAULT 'firing' NOT NULL,
    labels JSONB DEFAULT '{}'::jsonb NOT NULL,
    value DOUBLE PRECISION,
    threshold DOUBLE PRECISION,
    reason TEXT NOT NULL,
    context JSONB DEFAULT '{}'::jsonb NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    acknowledged_at TIMESTAMP WITH TIME ZONE,
    acknowledged_by UUID,
    resolved_at TIMESTAMP WITH TIME ZONE,
    resolved_by UUID,
    resolution TEXT,
    assigned_to UUID,
    feedback TEXT,
    feedback_by UUID,
    feedback_at TIMESTAMP WITH TIME ZONE,
    confidence SMALLINT,
    repeat_count INTEGER DEFAULT 0 NOT NULL,
    suppressed_count INTEGER DEFAULT 0 NOT NULL,
    historical BOOLEAN DEFAULT false NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_alert_triggers PRIMARY KEY (id),
    CONSTRAINT uq_alert_triggers_workspace_id_id UNIQUE (workspace_id, id),
    CONSTRAINT ck_alert_triggers_source CHECK (source IN ('rule', 'alertmanager', 'quality', 'source', 'system')),
    CONSTRAINT ck_alert_triggers_type CHECK (type IN ('threshold', 'anomaly', 'performance', 'milestone')),
    CONSTRAINT ck_alert_triggers_severity CHECK (severity IN ('info', 'warning', 'critical')),
    CONSTRAINT ck_alert_triggers_state CHECK (state IN ('firing', 'acknowledged', 'resolved')),
    CONSTRAINT ck_alert_triggers_resolution CHECK (resolution IN ('recovered', 'by_hand', 'stale', 'no_data', 'rule_disabled', 'rule_deleted', 'rule_changed', 'milestone', 'ended')),
    CONSTRAINT ck_alert_triggers_feedback CHECK (feedback IN ('actionable', 'false_positive')),
    CONSTRAINT ck_alert_triggers_resolved CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
    CONSTRAINT ck_alert_triggers_resolution_given CHECK ((resolved_at IS NULL) = (resolution IS NULL)),
    CONSTRAINT ck_alert_triggers_acknowledged CHECK (state <> 'acknowledged' OR acknowledged_at IS NOT NULL),
    CONSTRAINT ck_alert_triggers_feedback_given CHECK ((feedback IS NULL) = (feedback_at IS NULL)),
    CONSTRAINT fk_alert_triggers_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_triggers_workspace_id_rule_id FOREIGN KEY(workspace_id, rule_id) REFERENCES convex.alert_rules (workspace_id, id) ON DELETE SET NULL (rule_id),
    CONSTRAINT fk_alert_triggers_workspace_id_framework_id FOREIGN KEY(workspace_id, framework_id) REFERENCES convex.frameworks (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_triggers_workspace_id_metric_id FOREIGN KEY(workspace_id, metric_id) REFERENCES convex.metrics (workspace_id, id) ON DELETE SET NULL (metric_id),
    CONSTRAINT fk_alert_triggers_acknowledged_by FOREIGN KEY(acknowledged_by) REFERENCES convex.users (id) ON DELETE SET NULL,
    CONSTRAINT fk_alert_triggers_resolved_by FOREIGN KEY(resolved_by) REFERENCES convex.users (id) ON DELETE SET NULL,
    CONSTRAINT fk_alert_triggers_assigned_to FOREIGN KEY(assigned_to) REFERENCES convex.users (id) ON DELETE SET NULL,
    CONSTRAINT fk_alert_triggers_feedback_by FOREIGN KEY(feedback_by) REFERENCES convex.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_alert_triggers_active ON convex.alert_triggers (workspace_id, framework_id) WHERE state <> 'resolved';
CREATE INDEX ix_alert_triggers_fingerprint ON convex.alert_triggers (workspace_id, fingerprint, opened_at);
CREATE INDEX ix_alert_triggers_recent ON convex.alert_triggers (workspace_id, opened_at DESC, id DESC);
CREATE INDEX ix_alert_triggers_rule_id ON convex.alert_triggers (rule_id, opened_at);
CREATE UNIQUE INDEX uq_alert_triggers_open ON convex.alert_triggers (workspace_id, fingerprint) WHERE state <> 'resolved';

CREATE TABLE convex.detector_snapshots (
    workspace_id UUID NOT NULL,
    series_id BIGINT NOT NULL,
    method TEXT NOT NULL,
    format INTEGER NOT NULL,
    reaches TIMESTAMP WITH TIME ZONE NOT NULL,
    state BYTEA NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_detector_snapshots PRIMARY KEY (series_id, method),
    CONSTRAINT fk_detector_snapshots_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_detector_snapshots_workspace_id_series_id FOREIGN KEY(workspace_id, series_id) REFERENCES convex.series (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE convex.recommendations (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    framework_id UUID,
    rule_id UUID,
    origin TEXT NOT NULL,
    title TEXT NOT NULL,
    action JSONB NOT NULL,
    actionability SMALLINT NOT NULL,
    evidence JSONB NOT NULL,
    effect JSONB DEFAULT '{}'::jsonb NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    fingerprint TEXT NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    measured_effect JSONB,
    version INTEGER DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_recommendations PRIMARY KEY (id),
    CONSTRAINT ck_recommendations_actionability CHECK (actionability BETWEEN 0 AND 100),
    CONSTRAINT ck_recommendations_origin CHECK (origin IN ('tuning', 'pattern', 'noise', 'quality', 'health', 'claude')),
    CONSTRAINT ck_recommendations_state CHECK (state IN ('open', 'accepted', 'dismissed', 'done')),
    CONSTRAINT ck_recommendations_decided CHECK ((state = 'open') = (decided_at IS NULL)),
    CONSTRAINT uq_recommendations_workspace_id_fingerprint UNIQUE (workspace_id, fingerprint),
    CONSTRAINT fk_recommendations_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_recommendations_workspace_id_framework_id FOREIGN KEY(workspace_id, framework_id) REFERENCES convex.frameworks (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_recommendations_workspace_id_rule_id FOREIGN KEY(workspace_id, rule_id) REFERENCES convex.alert_rules (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_recommendations_decided_by FOREIGN KEY(decided_by) REFERENCES convex.users (id) ON DELETE SET NULL
);

CREATE TABLE convex.rule_states (
    workspace_id UUID NOT NULL,
    rule_id UUID NOT NULL,
    series_id BIGINT NOT NULL,
    rule_version INTEGER NOT NULL,
    state TEXT DEFAULT 'ok' NOT NULL,
    since TIMESTAMP WITH TIME ZONE,
    pending_since TIMESTAMP WITH TIME ZONE,
    keep_firing_since TIMESTAMP WITH TIME ZONE,
    evaluated_at TIMESTAMP WITH TIME ZONE,
    value DOUBLE PRECISION,
    reason TEXT DEFAULT '' NOT NULL,
    trigger_id UUID,
    resolved_at TIMESTAMP WITH TIME ZONE,
    milestone_reached DOUBLE PRECISION,
    running_total DOUBLE PRECISION,
    recent_changes INTEGER DEFAULT 0 NOT NULL,
    flapping_since TIMESTAMP WITH TIME ZONE,
    no_data_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_rule_states PRIMARY KEY (rule_id, series_id),
    CONSTRAINT ck_rule_states_state CHECK (state IN ('ok', 'pending', 'firing', 'recovering', 'no_data', 'error')),
    CONSTRAINT ck_rule_states_pending CHECK ((state = 'pending') <= (pending_since IS NOT NULL)),
    CONSTRAINT ck_rule_states_recovering CHECK ((state = 'recovering') = (keep_firing_since IS NOT NULL)),
    CONSTRAINT ck_rule_states_has_trigger CHECK ((state NOT IN ('firing', 'recovering')) OR trigger_id IS NOT NULL),
    CONSTRAINT fk_rule_states_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_rule_states_workspace_id_rule_id FOREIGN KEY(workspace_id, rule_id) REFERENCES convex.alert_rules (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_rule_states_workspace_id_series_id FOREIGN KEY(workspace_id, series_id) REFERENCES convex.series (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_rule_states_no_data_at ON convex.rule_states (no_data_at) WHERE no_data_at IS NOT NULL;
CREATE INDEX ix_rule_states_workspace_id_series_id ON convex.rule_states (workspace_id, series_id);

CREATE TABLE convex.alert_notifications (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    trigger_id UUID,
    transition_id BIGINT,
    kind TEXT NOT NULL,
    recipient_id UUID,
    channel_id UUID,
    channel_kind TEXT,
    step SMALLINT DEFAULT 0 NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    explanation TEXT DEFAULT '' NOT NULL,
    severity TEXT NOT NULL,
    group_key TEXT DEFAULT '' NOT NULL,
    carried_by UUID,
    idempotency_key TEXT NOT NULL,
    payload JSONB DEFAULT '{}'::jsonb NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    attempts SMALLINT DEFAULT 0 NOT NULL,
    leased_until TIMESTAMP WITH TIME ZONE,
    lease_id UUID,
    delivered_at TIMESTAMP WITH TIME ZONE,
    read_at TIMESTAMP WITH TIME ZONE,
    last_error TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_alert_notifications PRIMARY KEY (id),
    CONSTRAINT uq_alert_notifications_workspace_id_id UNIQUE (workspace_id, id),
    CONSTRAINT uq_alert_notifications_workspace_id_idempotency_key UNIQUE (workspace_id, idempotency_key),
    CONSTRAINT ck_alert_notifications_kind CHECK (kind IN ('firing', 'resolved', 'acknowledged', 'escalation', 'repeat', 'flapping', 'digest', 'test', 'prediction', 'notice')),
    CONSTRAINT ck_alert_notifications_channel_kind CHECK (channel_kind IN ('in_app', 'email', 'slack', 'webhook', 'apprise')),
    CONSTRAINT ck_alert_notifications_state CHECK (state IN ('due', 'delivered', 'failed', 'withheld', 'carried')),
    CONSTRAINT ck_alert_notifications_reason CHECK (reason IN ('sent', 'deferred_quiet_hours', 'grouped', 'deduplicated', 'below_severity', 'silenced', 'muted', 'inhibited', 'over_hourly_cap', 'flapping', 'no_channel', 'acknowledged', 'expired', 'test')),
    CONSTRAINT ck_alert_notifications_severity CHECK (severity IN ('info', 'warning', 'critical')),
    CONSTRAINT ck_alert_notifications_due CHECK (state <> 'due' OR due_at IS NOT NULL),
    CONSTRAINT ck_alert_notifications_delivered CHECK ((state = 'delivered') = (delivered_at IS NOT NULL)),
    CONSTRAINT ck_alert_notifications_due_has_channel CHECK (state <> 'due' OR channel_kind IS NOT NULL),
    CONSTRAINT ck_alert_notifications_carried CHECK ((state = 'carried') = (carried_by IS NOT NULL)),
    CONSTRAINT fk_alert_notifications_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_notifications_workspace_id_trigger_id FOREIGN KEY(workspace_id, trigger_id) REFERENCES convex.alert_triggers (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_notifications_workspace_id_channel_id FOREIGN KEY(workspace_id, channel_id) REFERENCES convex.channels (workspace_id, id) ON DELETE SET NULL (channel_id),
    CONSTRAINT fk_alert_notifications_recipient_id FOREIGN KEY(recipient_id) REFERENCES convex.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_alert_notifications_carried_by ON convex.alert_notifications (carried_by) WHERE carried_by IS NOT NULL;
CREATE INDEX ix_alert_notifications_due ON convex.alert_notifications (due_at) WHERE state = 'due';
CREATE INDEX ix_alert_notifications_group ON convex.alert_notifications (workspace_id, group_key, created_at) WHERE group_key <> '';
CREATE INDEX ix_alert_notifications_inbox ON convex.alert_notifications (workspace_id, recipient_id, created_at DESC) WHERE channel_kind = 'in_app';
CREATE INDEX ix_alert_notifications_trigger_id ON convex.alert_notifications (trigger_id);
CREATE INDEX ix_alert_notifications_workspace_id_created_at ON convex.alert_notifications (workspace_id, created_at);

CREATE TABLE convex.framework_insights (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    framework_id UUID,
    trigger_id UUID,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    source_reason TEXT DEFAULT '' NOT NULL,
    content JSONB NOT NULL,
    evidence JSONB NOT NULL,
    evidence_hash BYTEA NOT NULL,
    model TEXT,
    request_id TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    thinking_tokens INTEGER,
    cost_usd DOUBLE PRECISION,
    prices_of TEXT,
    verification JSONB DEFAULT '{}'::jsonb NOT NULL,
    feedback TEXT,
    requested_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_framework_insights PRIMARY KEY (id),
    CONSTRAINT uq_framework_insights_workspace_id_id UNIQUE (workspace_id, id),
    CONSTRAINT ck_framework_insights_kind CHECK (kind IN ('framework', 'digest', 'trigger', 'strategy', 'question')),
    CONSTRAINT ck_framework_insights_source CHECK (source IN ('claude', 'template')),
    CONSTRAINT ck_framework_insights_feedback CHECK (feedback IN ('helpful', 'not_helpful')),
    CONSTRAINT ck_framework_insights_model CHECK ((source = 'claude') = (model IS NOT NULL)),
    CONSTRAINT fk_framework_insights_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_framework_insights_workspace_id_framework_id FOREIGN KEY(workspace_id, framework_id) REFERENCES convex.frameworks (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_framework_insights_workspace_id_trigger_id FOREIGN KEY(workspace_id, trigger_id) REFERENCES convex.alert_triggers (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_framework_insights_requested_by FOREIGN KEY(requested_by) REFERENCES convex.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_framework_insights_evidence ON convex.framework_insights (workspace_id, kind, evidence_hash);
CREATE INDEX ix_framework_insights_framework_id_created_at ON convex.framework_insights (framework_id, created_at);

CREATE TABLE convex.trigger_transitions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id UUID NOT NULL,
    trigger_id UUID NOT NULL,
    kind TEXT NOT NULL,
    from_state TEXT,
    to_state TEXT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    author_id UUID,
    value DOUBLE PRECISION,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_trigger_transitions PRIMARY KEY (id),
    CONSTRAINT uq_trigger_transitions_workspace_id_id UNIQUE (workspace_id, id),
    CONSTRAINT ck_trigger_transitions_kind CHECK (kind IN ('opened', 'acknowledged', 'resolved', 'reopened', 'commented', 'assigned', 'feedback', 'flapping', 'changed')),
    CONSTRAINT ck_trigger_transitions_from_state CHECK (from_state IN ('firing', 'acknowledged', 'resolved')),
    CONSTRAINT ck_trigger_transitions_to_state CHECK (to_state IN ('firing', 'acknowledged', 'resolved')),
    CONSTRAINT fk_trigger_transitions_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_trigger_transitions_workspace_id_trigger_id FOREIGN KEY(workspace_id, trigger_id) REFERENCES convex.alert_triggers (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_trigger_transitions_author_id FOREIGN KEY(author_id) REFERENCES convex.users (id) ON DELETE SET NULL
);
CREATE INDEX ix_trigger_transitions_trigger_id ON convex.trigger_transitions (trigger_id, id);
CREATE INDEX ix_trigger_transitions_workspace_id_created_at ON convex.trigger_transitions (workspace_id, created_at);

CREATE TABLE convex.notification_deliveries (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    workspace_id UUID NOT NULL,
    notification_id UUID NOT NULL,
    attempt SMALLINT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE NOT NULL,
    outcome TEXT NOT NULL,
    status_code INTEGER,
    error TEXT,
    CONSTRAINT pk_notification_deliveries PRIMARY KEY (id),
    CONSTRAINT ck_notification_deliveries_outcome CHECK (outcome IN ('delivered', 'retry', 'failed')),
    CONSTRAINT fk_notification_deliveries_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_notification_deliveries_workspace_id_notification_id FOREIGN KEY(workspace_id, notification_id) REFERENCES convex.alert_notifications (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_notification_deliveries_notification_id ON convex.notification_deliveries (notification_id);
CREATE INDEX ix_notification_deliveries_workspace_id_finished_at ON convex.notification_deliveries (workspace_id, finished_at);

CREATE TABLE convex.planning_queue (
    transition_id BIGINT NOT NULL,
    workspace_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_planning_queue PRIMARY KEY (transition_id),
    CONSTRAINT fk_planning_queue_workspace_id FOREIGN KEY(workspace_id) REFERENCES convex.workspaces (id) ON DELETE CASCADE,
    CONSTRAINT fk_planning_queue_workspace_id_transition_id FOREIGN KEY(workspace_id, transition_id) REFERENCES convex.trigger_transitions (workspace_id, id) ON DELETE CASCADE
);

-- Rows that evaluation changes again and again: room on their pages keeps the new versions beside
-- the old ones, so that no index has to be touched.
ALTER TABLE convex.series SET (fillfactor = 50);
ALTER TABLE convex.rule_states SET (fillfactor = 50);
ALTER TABLE convex.alert_triggers SET (fillfactor = 70);
ALTER TABLE convex.workspaces SET (fillfactor = 50);
