"""What is watched: frameworks, their strategies, sources, metrics, series and points."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
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
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from convex.db.schema.columns import (
    by_user,
    in_workspace,
    instant,
    json,
    metadata,
    one_of,
    referable,
    same_workspace,
    uuid,
    uuid_key,
    within,
    words,
    workspace,
)

AGGREGATES = ("last", "mean", "min", "max", "sum", "count", "p50", "p95")

frameworks = Table(
    "frameworks",
    metadata,
    uuid_key(),
    workspace(),
    words("slug"),
    words("name"),
    words("kind", default="custom"),
    words("description", default=""),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    uuid("owner_id"),
    Column("version", Integer, nullable=False, server_default=text("1")),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    referable(),
    UniqueConstraint("workspace_id", "slug"),
    CheckConstraint("slug ~ '^[a-z0-9][a-z0-9_.-]{0,99}$'", name="slug"),
    one_of(
        "kind",
        "brand_positioning",
        "funnel_design",
        "seo_patterns",
        "competitor_model",
        "offer_architecture",
        "custom",
    ),
    in_workspace(),
    by_user("owner_id"),
)

strategy_versions = Table(
    "strategy_versions",
    metadata,
    uuid_key(),
    workspace(),
    uuid("framework_id", nullable=False),
    Column("number", Integer, nullable=False),
    words("document"),
    words("note", default=""),
    uuid("author_id"),
    instant("created_at", now=True),
    referable(),
    UniqueConstraint("framework_id", "number"),
    CheckConstraint("number >= 1", name="number"),
    in_workspace(),
    same_workspace("framework_id", "frameworks"),
    by_user("author_id"),
)

SUB_SCORES = (
    "clarity",
    "specificity",
    "outcome_focus",
    "proof",
    "objection_handling",
    "risk_removal",
)

strategy_scores = Table(
    "strategy_scores",
    metadata,
    uuid_key(),
    workspace(),
    uuid("framework_id", nullable=False),
    uuid("strategy_version_id", nullable=False),
    Column("score", Double, nullable=False),
    *(Column(name, Double, nullable=False) for name in SUB_SCORES),
    words("verdict"),
    words("scored_by"),
    words("rationale", default=""),
    json("evidence"),
    uuid("author_id"),
    instant("created_at", now=True),
    within("score", 0, 100),
    *(within(name, 0, 100) for name in SUB_SCORES),
    one_of("verdict", "pass", "needs_revision", "fail"),
    one_of("scored_by", "hand", "rubric", "claude"),
    Index("ix_strategy_scores_strategy_version_id", "strategy_version_id"),
    in_workspace(),
    same_workspace("framework_id", "frameworks"),
    same_workspace("strategy_version_id", "strategy_versions"),
    by_user("author_id"),
)

sources = Table(
    "sources",
    metadata,
    uuid_key(),
    workspace(),
    words("name"),
    words("kind"),
    json("config"),
    Column("secret", LargeBinary),
    words("schedule", nullable=True),
    json("cursor"),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    instant("last_run_at"),
    words("last_state", nullable=True),
    words("last_error", nullable=True),
    Column("points_total", BigInteger, nullable=False, server_default=text("0")),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    Column("progress", Double),
    Column("failed_runs", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("workspace_id", "name"),
    one_of("kind", "file", "sql", "prometheus", "http_json"),
    one_of("last_state", "succeeded", "failed"),
    in_workspace(),
)

metrics = Table(
    "metrics",
    metadata,
    uuid_key(),
    workspace(),
    uuid("framework_id", nullable=False),
    words("name"),
    words("unit", default=""),
    words("category", default="performance"),
    Column("target", Double),
    Column("limit", Double),
    Column("weight", Double, nullable=False, server_default=text("1")),
    words("default_aggregate", default="mean"),
    words("description", default=""),
    Column("is_counter", Boolean, nullable=False, server_default=text("false")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    referable(),
    UniqueConstraint("framework_id", "name"),
    CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
    CheckConstraint('target <> "limit"', name="target_differs_from_limit"),
    CheckConstraint("weight > 0", name="weight"),
    one_of("category", "performance", "availability", "security", "scalability", "cost"),
    one_of("default_aggregate", *AGGREGATES),
    in_workspace(),
    same_workspace("framework_id", "frameworks"),
)

series = Table(
    "series",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    workspace(),
    uuid("framework_id", nullable=False),
    uuid("metric_id", nullable=False),
    json("labels"),
    Column("labels_hash", LargeBinary, nullable=False),
    instant("newest_at"),
    instant("ended_at"),
    instant("created_at", now=True),
    instant("distrusted_since"),
    words("distrusted_because", nullable=True),
    instant("newest_before_at"),
    instant("ended_before_at"),
    referable(),
    UniqueConstraint("metric_id", "labels_hash"),
    Index("ix_series_framework_id_workspace_id", "framework_id", "workspace_id"),
    in_workspace(),
    same_workspace("framework_id", "frameworks"),
    same_workspace("metric_id", "metrics"),
)

metric_ranges = Table(
    "metric_ranges",
    metadata,
    Column("metric_id", UUID, primary_key=True),
    workspace(),
    Column("low", Double),
    Column("high", Double),
    Column("learned_low", Double),
    Column("learned_high", Double),
    Column("learned_points", BigInteger, nullable=False, server_default=text("0")),
    instant("learned_at"),
    instant("updated_at", now=True),
    CheckConstraint("low <= high", name="bounds"),
    in_workspace(),
    same_workspace("metric_id", "metrics"),
)

# Partitioned by month; the migrations' function convex.ensure_point_partitions makes the
# partitions. No foreign key to series: it would cost a look-up per point on the hot path, and
# series are only ever deleted together with their points.
points = Table(
    "points",
    metadata,
    workspace(),
    Column("series_id", BigInteger, nullable=False),
    instant("timestamp", nullable=False),
    Column("value", Double, nullable=False),
    PrimaryKeyConstraint("series_id", "timestamp"),
    CheckConstraint(
        "value > '-Infinity'::float8 AND value < 'Infinity'::float8", name="value_is_finite"
    ),
    postgresql_partition_by="RANGE (timestamp)",
)


def _summaries(name: str) -> Table:
    """What is left of points; partitioned by year."""
    return Table(
        name,
        metadata,
        workspace(),
        Column("series_id", BigInteger, nullable=False),
        instant("timestamp", nullable=False),
        *(Column(column, Double, nullable=False) for column in ("mean", "low", "high")),
        Column("points", Integer, nullable=False),
        PrimaryKeyConstraint("series_id", "timestamp"),
        postgresql_partition_by="RANGE (timestamp)",
    )


hourly_points = _summaries("hourly_points")
daily_points = _summaries("daily_points")

rejected_points = Table(
    "rejected_points",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    workspace(),
    instant("received_at", now=True),
    words("source"),
    words("reason"),
    words("detail"),
    json("point", None),
    instant("reingested_at"),
    one_of(
        "reason",
        "not_a_number",
        "infinite",
        "in_the_future",
        "too_old",
        "unknown_framework",
        "unknown_metric",
        "too_many_series",
        "invalid_labels",
        "unreadable",
    ),
    Index("ix_rejected_points_workspace_id_received_at", "workspace_id", "received_at"),
    in_workspace(),
)
