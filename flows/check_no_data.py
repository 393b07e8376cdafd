"""Look, every minute, for series that have gone silent, and end triggers nobody speaks for; and
bring to Prefect what members want to be run, since a run of its own would cost a start.
"""

from __future__ import annotations

from datetime import UTC, datetime

from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger

from convex.alerts.external import expire
from convex.alerts.silence_of_data import check_silence
from convex.db import SYSTEM, Identity, Role
from convex.workspaces.store import list_workspaces
from flows.runtime import announcer, job, worker_database
from flows.setup.requests import serve_requests
from flows.setup.sources import serve_sources


@job(name="check-no-data")
async def check_no_data() -> int:
    """Every workspace in a transaction of its own; how many triggers changed.

    No task runs: the next minute looks again, so there is nothing to retry.
    """
    changed = 0
    async with worker_database() as database, announcer() as wakes:
        async with database.read(SYSTEM) as connection:
            workspaces = await list_workspaces(connection)
        for workspace in workspaces:
            identity = Identity(workspace.id, Role.SYSTEM)
            async with database.transaction(identity) as connection:
                now = datetime.now(UTC)
                result = await check_silence(connection, workspace.id, now=now)
                stale = await expire(connection, workspace.id, now=now)
            transitions = result.transitions + len(stale.resolved)
            if transitions:
                wakes.announce(workspace.id, stale.cursor or result.cursor)
            changed += transitions
        async with get_client() as client:
            for line in await serve_sources(client, database):
                get_run_logger().info("Sources: %s", line)
            for line in await serve_requests(client, database):
                get_run_logger().info("Requests: %s", line)
    get_run_logger().info("%d transitions in %d workspaces", changed, len(workspaces))
    return changed
