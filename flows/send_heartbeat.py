"""Every five minutes a heartbeat through the whole way, for workspaces whose channels want it."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect.logging import get_run_logger

from convex.db import SYSTEM, Identity, Role
from convex.metrics.partitions import ensure_partitions
from convex.notifications import heartbeat
from convex.workspaces.store import list_workspaces
from flows.runtime import announcer, job, worker_database


@job(name="send-heartbeat")
async def send_heartbeat() -> int:
    """How many workspaces have a heartbeat. What comes of it is the alert flow's."""
    async with worker_database() as database, announcer() as wakes:
        async with database.transaction(SYSTEM) as connection:
            await ensure_partitions(connection, heartbeat.heartbeat_points(0.0, datetime.now(UTC)))
        async with database.read(SYSTEM) as connection:
            wanted = await heartbeat.workspaces_with_heartbeat(connection)
            workspaces = await list_workspaces(connection)
        for workspace in workspaces:
            identity, now = Identity(workspace.id, Role.SYSTEM), datetime.now(UTC)
            async with database.transaction(identity) as connection:
                if workspace.id in wanted:
                    cursor = (await heartbeat.beat(connection, workspace.id, now=now)).cursor
                else:
                    ended = await heartbeat.rest(connection, workspace.id, now=now)
                    cursor = ended.cursor if ended else None
            if cursor is not None:
                wakes.announce(workspace.id, cursor)
    get_run_logger().info("%d of %d workspaces have a heartbeat", len(wanted), len(workspaces))
    return len(wanted)
