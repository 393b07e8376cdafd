"""Deliver again what ran out of attempts, patiently; a run that fails can be retried by hand."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from convex.db.roles import role_url
from convex.notifications.channels.registry import open_senders
from convex.notifications.deliver import Courier
from convex.notifications.redeliver import redeliver
from convex.secrets import load_secrets
from flows.runtime import flow_settings, job, worker_database

_PAUSES = [60.0, 300.0, 900.0, 1800.0, 3600.0]


class NotDelivered(Exception):
    """Some notifications still cannot be delivered."""


@job(name="redeliver-notifications")
async def redeliver_notifications(notification_ids: list[UUID]) -> dict[str, int]:
    """Try these notifications again; what is over or delivered meanwhile is left alone.

    Fails when some could not be delivered after all its retries.
    """
    return await try_again(notification_ids)


@task(
    name="try-again",
    retries=len(_PAUSES),
    retry_delay_seconds=_PAUSES,
    retry_jitter_factor=0.2,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def try_again(notification_ids: Sequence[UUID]) -> dict[str, int]:
    """One round. What was delivered in an earlier one is not sent again."""
    settings = flow_settings()
    async with worker_database(settings) as database, open_senders(settings) as senders:
        courier = Courier(settings, load_secrets(settings), senders)
        outcomes = await redeliver(
            database,
            courier,
            list(notification_ids),
            settings.delivery,
            database_url=role_url(settings, "convex_worker"),
        )
    counts = {"delivered": outcomes["delivered"], "failed": outcomes["failed"]}
    get_run_logger().info("Redelivery: %s", counts)
    if counts["failed"]:
        raise NotDelivered(f"{counts['failed']} of {len(notification_ids)} notifications failed.")
    return counts
