"""Once a day: whether transitions, notifications and deliveries add up. Owners hear if not."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow
from prefect.logging import get_run_logger

from convex.db import SYSTEM
from convex.notifications.reconcile import reconcile
from flows.runtime import flow_settings, worker_database


@flow(name="reconcile-notifications")
async def reconcile_notifications() -> int:
    """How many things do not add up; zero is right."""
    settings = flow_settings()
    works = bool(settings.smtp.host)
    async with worker_database(settings) as database, database.transaction(SYSTEM) as connection:
        found = await reconcile(connection, datetime.now(UTC), email_works=works)
    log = get_run_logger()
    for one in found:
        log.error("%s in %s: %d (such as %s)", one.what, one.workspace_id, one.count, one.example)
    log.info("Notifications reconciled: %d discrepancies.", len(found))
    return len(found)
