"""Once a day: whether transitions, notifications and deliveries add up. An alert fires if not."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect.logging import get_run_logger

from convex.db import SYSTEM, Identity, Role
from convex.notifications.reconcile import raise_alert, reconcile
from convex.workspaces.store import list_workspaces
from flows.runtime import announcer, job, worker_database


@job(name="reconcile-notifications")
async def reconcile_notifications() -> int:
    """How many things do not add up; zero is right.

    Each workspace has its own alert about it, which resolves on the day on which all adds up.
    """
    log = get_run_logger()
    async with worker_database() as database, announcer() as wakes:
        async with database.read(SYSTEM) as connection:
            found = await reconcile(connection, datetime.now(UTC))
            workspaces = await list_workspaces(connection)
        for workspace in workspaces:
            identity = Identity(workspace.id, Role.SYSTEM)
            async with database.transaction(identity) as connection:
                told = await raise_alert(connection, workspace.id, found, datetime.now(UTC))
            if told.trigger_ids:
                wakes.announce(workspace.id, told.cursor)
    for one in found:
        log.error("%s in %s: %d (such as %s)", one.what, one.workspace_id, one.count, one.example)
    log.info("Notifications reconciled: %d discrepancies.", len(found))
    return len(found)
