"""How well channels work, from their real deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from psycopg.rows import DictRow

from convex.db import Connection, Identity
from convex.notifications.channel_store import ChannelRecord, list_channels
from convex.notifications.model import ChannelKind
from convex.notifications.snapshot import instant

# Attempts of the last day by channel, built-in ones by their kind.
_ATTEMPTS = """
SELECT n.channel_id, n.channel_kind,
    count(*) AS attempts,
    count(*) FILTER (WHERE d.outcome = 'delivered') AS delivered,
    count(*) FILTER (WHERE d.outcome <> 'delivered') AS failed,
    count(*) FILTER (WHERE d.finished_at > %(now)s - interval '1 hour') AS recent,
    count(*) FILTER (
        WHERE d.finished_at > %(now)s - interval '1 hour' AND d.outcome <> 'delivered'
    ) AS recent_failed,
    max(d.finished_at) FILTER (WHERE d.outcome = 'delivered') AS last_delivered_at,
    max(d.finished_at) FILTER (WHERE d.outcome <> 'delivered') AS last_failed_at,
    (array_agg(d.error ORDER BY d.finished_at DESC) FILTER (WHERE d.error IS NOT NULL))[1]
        AS last_error,
    percentile_cont(0.95) WITHIN GROUP (
        ORDER BY extract(epoch FROM d.finished_at - d.started_at)
    ) AS p95_seconds
FROM convex.notification_deliveries AS d
INNER JOIN convex.alert_notifications AS n
    ON n.workspace_id = d.workspace_id AND n.id = d.notification_id
WHERE d.workspace_id = %(workspace)s AND d.finished_at > %(now)s - interval '1 day'
GROUP BY n.channel_id, n.channel_kind
"""


@dataclass(frozen=True, slots=True)
class Health:
    """How a channel works. `state`: healthy, degraded, down or disconnected, and why in words."""

    channel_id: UUID | None
    name: str
    kind: ChannelKind
    state: str
    explanation: str
    attempts: int = 0
    delivered: int = 0
    failed: int = 0
    p95_seconds: float | None = None
    last_delivered_at: datetime | None = None
    last_failed_at: datetime | None = None
    last_error: str | None = None


async def measure_health(
    connection: Connection, identity: Identity, now: datetime, *, email_works: bool
) -> list[Health]:
    """Each channel's health from its real deliveries of the last day."""
    parameters = {"workspace": identity.workspace_id, "now": now}
    rows = await (await connection.execute(cast("Any", _ATTEMPTS), parameters)).fetchall()
    attempts = {(row["channel_id"], row["channel_kind"]): row for row in rows}
    found: list[Health] = []
    personal: set[ChannelKind] = set()
    for channel in await list_channels(connection, identity):
        if channel.kind in (ChannelKind.IN_APP, ChannelKind.EMAIL):
            personal.add(channel.kind)
        row = attempts.get((channel.id, channel.kind.value))
        found.append(_judge(channel, channel.name, channel.kind, row, now, email_works))
    for kind in (ChannelKind.IN_APP, ChannelKind.EMAIL):
        if kind not in personal:
            row = attempts.get((None, kind.value))
            found.append(_judge(None, kind.value, kind, row, now, email_works))
    return found


def describe_health(health: Health) -> dict[str, Any]:
    """Health as the API shows it."""
    return {
        "channel_id": None if health.channel_id is None else str(health.channel_id),
        "name": health.name,
        "kind": health.kind.value,
        "state": health.state,
        "explanation": health.explanation,
        "attempts": health.attempts,
        "delivered": health.delivered,
        "failed": health.failed,
        "p95_seconds": health.p95_seconds,
        "last_delivered_at": instant(health.last_delivered_at),
        "last_failed_at": instant(health.last_failed_at),
        "last_error": health.last_error,
    }


def _judge(
    channel: ChannelRecord | None,
    name: str,
    kind: ChannelKind,
    row: DictRow | None,
    now: datetime,
    email_works: bool,
) -> Health:
    state, words = "healthy", "Everything of the last hour was delivered."
    if channel is not None and not channel.enabled:
        state, words = "disconnected", channel.disabled_reason or "It is switched off."
    elif kind is ChannelKind.EMAIL and not email_works:
        state, words = "disconnected", "E-mail is not set up (CONVEX_SMTP__HOST)."
    elif channel is not None and channel.circuit_open_until and channel.circuit_open_until > now:
        state, words = "down", f"{channel.consecutive_failures} attempts in a row have failed."
    elif row is None or row["attempts"] == 0:
        state, words = "disconnected", "Nothing was sent here in the last day; send a test."
        if kind is ChannelKind.IN_APP:
            state, words = "healthy", "Nothing was told here in the last day."
    elif row["recent"] and row["recent_failed"] == row["recent"]:
        state, words = "down", f"All {row['recent']} attempts of the last hour have failed."
    elif row["recent_failed"]:
        state = "degraded"
        words = f"{row['recent_failed']} of {row['recent']} attempts of the last hour have failed."
    elif not row["delivered"]:
        state, words = "down", f"All {row['attempts']} attempts of the last day have failed."
    elif not row["recent"]:
        words = "The last attempt was delivered."
        if row["last_failed_at"] and row["last_failed_at"] > row["last_delivered_at"]:
            state, words = "degraded", "The last attempt has failed."
    if row is None:
        return Health(channel.id if channel else None, name, kind, state, words)
    return Health(
        channel_id=channel.id if channel else None,
        name=name,
        kind=kind,
        state=state,
        explanation=words,
        attempts=row["attempts"],
        delivered=row["delivered"],
        failed=row["failed"],
        p95_seconds=row["p95_seconds"],
        last_delivered_at=row["last_delivered_at"],
        last_failed_at=row["last_failed_at"],
        last_error=row["last_error"],
    )
