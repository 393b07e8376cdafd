"""Reading live events. Writing is `convex.append_live_events`, by whoever changes the facts."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from convex.db import Connection, Database, Identity
from convex.live.model import LiveEvent


async def read_events(
    database: Database, identity: Identity, after: int, limit: int
) -> list[LiveEvent]:
    """At most `limit` events of the identity's workspace with a cursor above `after`, oldest first,
    whoever they are for. One round trip: this is read after every commit.
    """
    assert identity.workspace_id is not None
    rows = await database.read_at_once(
        identity,
        "SELECT cursor, type, framework_id, recipient_id, data::text AS data, created_at"
        f" FROM convex.read_live_events('{identity.workspace_id.hex}', {after:d}, {limit:d})",
    )
    return [LiveEvent(**row) for row in rows]


async def read_cursors(connection: Connection, workspace_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The newest cursor of each workspace that exists; 0 before its first event."""
    rows = await connection.execute(
        "SELECT workspace_id, live_cursor FROM convex.live_cursors(%s)", (list(workspace_ids),)
    )
    return {row["workspace_id"]: row["live_cursor"] for row in await rows.fetchall()}


async def read_oldest(connection: Connection, workspace_id: UUID) -> int | None:
    """The cursor of the oldest event still kept, None when there is none."""
    rows = await connection.execute(
        "SELECT cursor FROM convex.read_live_events(%s, -1, 1)", (workspace_id,)
    )
    row = await rows.fetchone()
    return None if row is None else int(row["cursor"])


async def alert_flow_is_alive(connection: Connection) -> bool:
    """Whether a standing alert flow holds its lock now (it goes with the flow's session)."""
    rows = await connection.execute("SELECT convex.alert_flow_alive() AS alive")
    row = await rows.fetchone()
    return row is not None and bool(row["alive"])
