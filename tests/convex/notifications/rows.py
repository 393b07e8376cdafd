"""Rows as ingestion leaves them: triggers, transitions, the planning queue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson

from convex.db import Connection
from convex.secrets import encrypt
from convex.settings import Settings


@dataclass(frozen=True, slots=True)
class Watched:
    """A framework with a metric and a rule."""

    workspace_id: UUID
    framework_id: UUID
    metric_id: UUID
    rule_id: UUID


async def watch(
    connection: Connection,
    workspace_id: UUID,
    *,
    severity: str = "critical",
    channels: Sequence[str] = (),
    templates: Mapping[str, Any] | None = None,
) -> Watched:
    """Something to fire about."""
    row = await (
        await connection.execute(
            """
            WITH f AS (
                INSERT INTO convex.frameworks (workspace_id, slug, name)
                VALUES (%(workspace)s, %(slug)s, 'Newark') RETURNING id
            ), m AS (
                INSERT INTO convex.metrics (workspace_id, framework_id, name)
                SELECT %(workspace)s, f.id, 'cancel_rate' FROM f RETURNING id
            ), r AS (
                INSERT INTO convex.alert_rules (
                    workspace_id, framework_id, metric_id, name, type, condition, threshold_value,
                    severity, channels, templates
                )
                SELECT %(workspace)s, f.id, m.id, %(rule)s, 'threshold', 'above', 0.2,
                    %(severity)s, %(channels)s, %(templates)s
                FROM f, m RETURNING id
            )
            SELECT f.id AS framework_id, m.id AS metric_id, r.id AS rule_id FROM f, m, r
            """,
            {
                "workspace": workspace_id,
                "slug": f"f-{uuid4().hex[:8]}",
                "rule": f"Many cancellations {uuid4().hex[:6]}",
                "severity": severity,
                "channels": list(channels),
                "templates": orjson.dumps(templates or {}).decode(),
            },
        )
    ).fetchone()
    assert row is not None
    return Watched(workspace_id, row["framework_id"], row["metric_id"], row["rule_id"])


async def fire(connection: Connection, watched: Watched, count: int = 1) -> list[UUID]:
    """Open triggers and queue their first transitions; the ids, in order."""
    rows = await (
        await connection.execute(
            """
            WITH fired AS (
                INSERT INTO convex.alert_triggers (
                    workspace_id, rule_id, framework_id, metric_id, fingerprint, rule_name,
                    metric_name, type, severity, value, threshold, reason, opened_at, last_seen_at
                )
                SELECT r.workspace_id, r.id, r.framework_id, r.metric_id, gen_random_uuid()::text,
                    r.name, 'cancel_rate', r.type, r.severity, 0.5, 0.2, '0.5 is above 0.2', now(),
                    now()
                FROM convex.alert_rules AS r, generate_series(1, %(count)s)
                WHERE r.id = %(rule)s
                RETURNING id, workspace_id
            ), opened AS (
                INSERT INTO convex.trigger_transitions (
                    workspace_id, trigger_id, kind, to_state, reason, at
                )
                SELECT workspace_id, id, 'opened', 'firing', 'above', now() FROM fired
                RETURNING id, trigger_id, workspace_id
            ), queued AS (
                INSERT INTO convex.planning_queue (transition_id, workspace_id)
                SELECT id, workspace_id FROM opened
            )
            SELECT trigger_id FROM opened ORDER BY id
            """,
            {"rule": watched.rule_id, "count": count},
        )
    ).fetchall()
    return [row["trigger_id"] for row in rows]


async def move(
    connection: Connection,
    triggers: Sequence[UUID],
    kind: str,
    *,
    author_id: UUID | None = None,
    resolution: str = "recovered",
) -> None:
    """Resolve or acknowledge triggers and queue the transitions."""
    state = {"resolved": "resolved", "acknowledged": "acknowledged"}.get(kind, "firing")
    await connection.execute(
        """
        WITH moved AS (
            UPDATE convex.alert_triggers SET state = %(state)s,
                resolved_at = CASE WHEN %(state)s = 'resolved' THEN now() END,
                resolution = CASE WHEN %(state)s = 'resolved' THEN %(resolution)s END,
                acknowledged_at = CASE WHEN %(state)s = 'acknowledged' THEN now()
                    ELSE acknowledged_at END
            WHERE id = ANY (%(ids)s)
            RETURNING id, workspace_id
        ), said AS (
            INSERT INTO convex.trigger_transitions (
                workspace_id, trigger_id, kind, from_state, to_state, reason, author_id, at
            )
            SELECT workspace_id, id, %(kind)s, 'firing', %(state)s, %(kind)s, %(author)s, now()
            FROM moved
            RETURNING id, workspace_id
        )
        INSERT INTO convex.planning_queue (transition_id, workspace_id)
        SELECT id, workspace_id FROM said
        """,
        {
            "ids": list(triggers),
            "state": state,
            "kind": kind,
            "author": author_id,
            "resolution": resolution,
        },
    )


async def add_channel(
    connection: Connection,
    settings: Settings,
    workspace_id: UUID,
    name: str,
    kind: str,
    config: Mapping[str, Any] | None = None,
    secret: Mapping[str, Any] | None = None,
) -> UUID:
    """A channel with its secret sealed."""
    sealed = (
        encrypt(orjson.dumps(secret).decode(), settings.secrets.encryption_key) if secret else None
    )
    row = await (
        await connection.execute(
            "INSERT INTO convex.channels (workspace_id, name, kind, config, secret)"
            " VALUES (%s, %s, %s, %s, %s) RETURNING id",
            (workspace_id, name, kind, orjson.dumps(config or {}).decode(), sealed),
        )
    ).fetchone()
    assert row is not None
    return UUID(str(row["id"]))


async def wish(
    connection: Connection, workspace_id: UUID, user_id: UUID | None = None, **columns: Any
) -> None:
    """Preferences of a member, or the workspace's defaults."""
    names = ["workspace_id", "user_id", *columns]
    await connection.execute(
        f"INSERT INTO convex.notification_preferences ({', '.join(names)})"
        f" VALUES ({', '.join(['%s'] * len(names))})",
        [workspace_id, user_id, *columns.values()],
    )


async def ledger(connection: Connection, workspace_id: UUID) -> list[dict[str, Any]]:
    """All rows of a workspace, oldest first."""
    return await (
        await connection.execute(
            "SELECT * FROM convex.alert_notifications WHERE workspace_id = %s"
            " ORDER BY created_at, transition_id, channel_kind, id",
            (workspace_id,),
        )
    ).fetchall()


async def until(connection: Connection, question: str, parameters: Sequence[Any] = ()) -> None:
    """Wait until a question has an answer (not in a snapshot: use a transaction)."""
    async with asyncio.timeout(60):
        while True:
            if await (await connection.execute(question, parameters)).fetchone() is not None:
                return
            await asyncio.sleep(0.02)


def now() -> datetime:
    """The time of day, as a shift takes it."""
    return datetime.now(UTC)
