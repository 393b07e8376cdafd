"""Tenants, people, keys, the audit trail, and what keeps requests from being done twice."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from convex.db.schema.columns import (
    SCHEMA,
    by_user,
    in_workspace,
    instant,
    json,
    metadata,
    one_of,
    uuid,
    uuid_key,
    words,
    workspace,
)

workspaces = Table(
    "workspaces",
    metadata,
    uuid_key(),
    words("slug"),
    words("name"),
    words("timezone", default="UTC"),
    json("settings"),
    Column("live_cursor", BigInteger, nullable=False, server_default=text("0")),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    instant("deletion_requested_at"),
    uuid("deletion_requested_by"),
    instant("purge_at"),
    UniqueConstraint("slug"),
    CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'", name="slug"),
    CheckConstraint("(purge_at IS NULL) = (deletion_requested_at IS NULL)", name="deletion"),
    Index("ix_workspaces_purge_at", "purge_at", postgresql_where=text("purge_at IS NOT NULL")),
    by_user("deletion_requested_by"),
)

# What happened to whole workspaces; it outlives them, so it belongs to none.
platform_log = Table(
    "platform_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    words("action"),
    uuid("former_id", nullable=False),
    words("slug"),
    words("actor"),
    json("detail"),
    one_of("action", "deletion_requested", "deletion_cancelled", "workspace_purged"),
)

users = Table(
    "users",
    metadata,
    uuid_key(),
    words("email"),
    words("name"),
    words("password_hash", nullable=True),
    words("timezone", default="UTC"),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    instant("last_sign_in_at"),
    instant("disabled_at"),
    CheckConstraint("email = lower(email) AND email LIKE '%_@_%'", name="email"),
    UniqueConstraint("email"),
)

members = Table(
    "members",
    metadata,
    workspace(),
    uuid("user_id", nullable=False),
    words("role"),
    instant("created_at", now=True),
    PrimaryKeyConstraint("workspace_id", "user_id"),
    Index("ix_members_user_id", "user_id"),
    one_of("role", "viewer", "editor", "owner"),
    in_workspace(),
    ForeignKeyConstraint(["user_id"], [f"{SCHEMA}.users.id"], ondelete="CASCADE"),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    uuid_key(),
    workspace(),
    uuid("user_id", nullable=False),
    uuid("family_id", nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    instant("created_at", now=True),
    instant("expires_at", nullable=False),
    instant("used_at"),
    instant("revoked_at"),
    UniqueConstraint("token_hash"),
    Index("ix_refresh_tokens_family_id", "family_id"),
    Index("ix_refresh_tokens_expires_at", "expires_at"),
    in_workspace(),
    ForeignKeyConstraint(["user_id"], [f"{SCHEMA}.users.id"], ondelete="CASCADE"),
)

api_keys = Table(
    "api_keys",
    metadata,
    uuid_key(),
    workspace(),
    uuid("created_by"),
    words("name"),
    words("prefix"),
    Column("key_hash", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    instant("created_at", now=True),
    instant("last_used_at"),
    instant("expires_at"),
    instant("revoked_at"),
    UniqueConstraint("key_hash"),
    Index("ix_api_keys_workspace_id", "workspace_id"),
    CheckConstraint(
        "scopes <@ ARRAY['read','ingest','write'] AND cardinality(scopes) > 0", name="scopes"
    ),
    in_workspace(),
    by_user("created_by"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    workspace(),
    words("key"),
    words("route"),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", Integer),
    json("response", None, nullable=True),
    instant("created_at", now=True),
    instant("completed_at"),
    instant("expires_at", nullable=False),
    PrimaryKeyConstraint("workspace_id", "route", "key"),
    Index("ix_idempotency_keys_expires_at", "expires_at"),
    CheckConstraint("(status IS NULL) = (completed_at IS NULL)", name="completed"),
    in_workspace(),
)

job_requests = Table(
    "job_requests",
    metadata,
    uuid_key(),
    workspace(),
    words("kind"),
    json("arguments"),
    words("state", default="requested"),
    uuid("requested_by"),
    instant("created_at", now=True),
    instant("started_at"),
    instant("finished_at"),
    json("result", None, nullable=True),
    one_of("state", "requested", "running", "done", "failed"),
    Index(
        "ix_job_requests_open",
        "created_at",
        postgresql_where=text("state IN ('requested','running')"),
    ),
    in_workspace(),
    by_user("requested_by"),
)

audit_log = Table(
    "audit_log",
    metadata,
    workspace(),
    Column("sequence", BigInteger, nullable=False),
    instant("at", nullable=False),
    uuid("user_id"),
    uuid("api_key_id"),
    words("role"),
    words("database_role"),
    words("action"),
    words("table_name"),
    words("row_key"),
    json("change"),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("workspace_id", "sequence"),
    one_of("action", "INSERT", "UPDATE", "DELETE"),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    workspace(),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("workspace_id"),
)

live_events = Table(
    "live_events",
    metadata,
    workspace(),
    Column("cursor", BigInteger, nullable=False),
    uuid("framework_id"),
    uuid("recipient_id"),
    words("type"),
    json("data", None),
    instant("created_at", now=True),
    PrimaryKeyConstraint("workspace_id", "cursor"),
    Index("ix_live_events_created_at", "created_at"),
    one_of("type", "alert", "notification", "health", "prediction", "pattern"),
    in_workspace(),
)

quality_runs = Table(
    "quality_runs",
    metadata,
    uuid_key(),
    workspace(),
    words("suite"),
    instant("started_at", nullable=False),
    instant("finished_at", nullable=False),
    words("state"),
    Column("evaluated", Integer, nullable=False),
    Column("passed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    json("results", "[]"),
    words("report_path", nullable=True),
    one_of("state", "passed", "failed", "error"),
    CheckConstraint("evaluated = passed + failed", name="counts"),
    Index("ix_quality_runs_workspace_id_started_at", "workspace_id", "started_at"),
    in_workspace(),
)
