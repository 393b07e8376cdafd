"""What a run of the demo leaves behind, counted in the database, as one JSON line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import sql

from convex.db import Connection, Database, Identity, Role

TRIGGER_TYPES = ("threshold", "anomaly", "performance", "milestone")
_OUTCOMES = {"delivered": "sent"}

_COUNTS = """
    SELECT
        (SELECT count(*) FROM convex.points) AS points,
        (SELECT count(*) FROM convex.rejected_points) AS rejected,
        (SELECT count(*) FROM convex.series) AS series,
        (SELECT count(*) FROM convex.alert_rules WHERE deleted_at IS NULL) AS rules,
        (SELECT count(*) FROM convex.alert_patterns
         WHERE state IN ('new', 'active', 'fading')) AS patterns,
        (SELECT count(*) FROM convex.alert_predictions) AS predictions,
        (SELECT count(*) FROM convex.framework_insights) AS insights
"""
_TRIGGERS = """
    SELECT type, count(*) AS count, count(*) FILTER (WHERE NOT historical) AS live
    FROM convex.alert_triggers GROUP BY type
"""
_NOTIFICATIONS = """
    SELECT channel_kind, state, count(*) AS count FROM convex.alert_notifications
    WHERE channel_kind IS NOT NULL GROUP BY channel_kind, state ORDER BY channel_kind, state
"""
_PENDING = """
    SELECT
        (SELECT count(*) FROM convex.planning_queue)
        + (SELECT count(*) FROM convex.alert_notifications
           WHERE state = 'due' AND due_at <= now() + make_interval(secs => %s)) AS pending
"""
_NEWEST = """
    SELECT f.slug, m.name, max(s.newest_at) AS newest_at
    FROM convex.series AS s
    INNER JOIN convex.metrics AS m ON m.id = s.metric_id
    INNER JOIN convex.frameworks AS f ON f.id = s.framework_id
    WHERE s.newest_at IS NOT NULL
    GROUP BY f.slug, m.name
"""
_MARTS = """
    SELECT relname FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'analytics' AND c.relkind IN ('r', 'v', 'm')
        AND (c.relname LIKE 'fct_%' OR c.relname LIKE 'dim_%'
            OR c.relname IN ('alert_analytics', 'metric_hourly'))
    ORDER BY relname
"""
_QUALITY = """
    SELECT coalesce(sum(passed), 0)::integer AS passed, coalesce(sum(failed), 0)::integer AS failed
    FROM (SELECT DISTINCT ON (suite) passed, failed FROM convex.quality_runs
          ORDER BY suite, started_at DESC) AS newest
"""


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of everything in the demo's workspace, whichever run brought it there.

    `notifications` counts by kind of channel and outcome; `quality` is the newest run's.
    """

    points: int
    rejected: int
    series: int
    rules: int
    triggers: dict[str, int]
    live_triggers: int
    notifications: dict[str, dict[str, int]]
    marts: dict[str, int]
    quality: dict[str, int]
    patterns: int
    predictions: int
    insights: int

    def as_json(self, *, live_events: int, seconds: dict[str, float]) -> dict[str, Any]:
        """The summary of `make demo ONCE=1`; `live_events` were received by its WebSocket."""
        return {
            "points": {"accepted": self.points, "rejected": self.rejected},
            "series": self.series,
            "rules": self.rules,
            "triggers": self.triggers,
            "notifications": self.notifications,
            "live_events": live_events,
            "marts": self.marts,
            "quality": self.quality,
            "patterns": self.patterns,
            "predictions": self.predictions,
            "insights": self.insights,
            "seconds": {stage: round(taken, 1) for stage, taken in seconds.items()},
        }


async def summarise(database: Database, workspace_id: UUID) -> Summary:
    """Count what is in the workspace."""
    async with database.read(Identity(workspace_id, Role.SYSTEM)) as connection:
        counts = await _one(connection, _COUNTS)
        triggers = await (await connection.execute(_TRIGGERS)).fetchall()
        told: dict[str, dict[str, int]] = {}
        for row in await (await connection.execute(_NOTIFICATIONS)).fetchall():
            outcomes = told.setdefault(row["channel_kind"], {"sent": 0})
            outcomes[_OUTCOMES.get(row["state"], row["state"])] = row["count"]
        by_type = {row["type"]: row["count"] for row in triggers}
        return Summary(
            points=counts["points"],
            rejected=counts["rejected"],
            series=counts["series"],
            rules=counts["rules"],
            triggers={kind: by_type.get(kind, 0) for kind in TRIGGER_TYPES},
            live_triggers=sum(row["live"] for row in triggers),
            notifications=told,
            marts=await _count_marts(connection),
            quality=await _one(connection, _QUALITY),
            patterns=counts["patterns"],
            predictions=counts["predictions"],
            insights=counts["insights"],
        )


async def count_pending(database: Database, workspace_id: UUID, *, soon: float) -> int:
    """Transitions still to be planned, and notifications due within `soon` seconds."""
    async with database.read(Identity(workspace_id, Role.SYSTEM)) as connection:
        return int((await _one(connection, _PENDING, soon))["pending"])


async def newest_points(database: Database, workspace_id: UUID) -> dict[tuple[str, str], datetime]:
    """The timestamp of the newest point by framework and metric, of those that have any."""
    async with database.read(Identity(workspace_id, Role.SYSTEM)) as connection:
        rows = await (await connection.execute(_NEWEST)).fetchall()
    return {(row["slug"], row["name"]): row["newest_at"] for row in rows}


async def _count_marts(connection: Connection) -> dict[str, int]:
    names = [row["relname"] for row in await (await connection.execute(_MARTS)).fetchall()]
    counts = {}
    for name in names:
        query = sql.SQL("SELECT count(*) AS count FROM analytics.{}").format(sql.Identifier(name))
        row = await (await connection.execute(query)).fetchone()
        counts[name] = 0 if row is None else int(row["count"])
    return counts


async def _one(connection: Connection, query: str, *values: Any) -> dict[str, Any]:
    row = await (await connection.execute(query, values)).fetchone()
    assert row is not None
    return row
