"""The standing alert flow: one run is a shift that plans and delivers notifications.

The work is in `convex.notifications.shift`, off Prefect's paths: a task run every few seconds shows
the window of work that lies behind it, and nothing waits for it. A run ends after its shift and the
automations start the next; another deployment's run covers the gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.deployments import arun_deployment
from prefect.logging import get_run_logger
from prefect.runtime import deployment

from convex.db.roles import role_url
from convex.notifications.channels.registry import open_senders
from convex.notifications.deliver import Courier
from convex.notifications.shift import Shift
from convex.secrets import load_secrets
from convex.settings import Settings
from flows.engine import settled
from flows.runtime import announcer, flow_settings, job, worker_database

_REDELIVER = "redeliver-notifications/redeliver-notifications"
_AT_ONCE = 500  # notifications in one run of redeliver-notifications


def _name_of_shift() -> str:
    return f"shift-{deployment.name or 'by-hand'}-{datetime.now(UTC):%Y-%m-%d-%H-%M}"


@job(name="alert-flow", flow_run_name=_name_of_shift)
async def alert_flow() -> dict[str, Any]:
    """Work one shift; what it did."""
    settings = flow_settings()
    log = get_run_logger()
    log.info("A shift of %s begins.", settings.delivery.shift)
    with settled():
        totals = await _work(settings)
    log.info("The shift is over: %s", totals)
    return totals


async def _work(settings: Settings) -> dict[str, Any]:
    async with (
        worker_database(settings) as database,
        announcer(settings) as wakes,
        open_senders(settings) as senders,
    ):
        shift = Shift(
            settings,
            database,
            role_url(settings, "convex_worker"),
            Courier(settings, load_secrets(settings), senders),
            announce=lambda workspace, cursor: wakes.announce(workspace, cursor, alert_flow=False),
            report=report_window,
            on_exhausted=redeliver,
        )
        return asdict(await shift.run())


@task(
    name="report-window",
    task_run_name="report-window-{window[to]}",
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def report_window(window: Mapping[str, Any]) -> None:
    """Show a few seconds of work: counts, latencies, failures, and how full the outbox is."""
    log = get_run_logger()
    level = log.warning if window["failures"] or window["faults"] else log.info
    level(
        "%d transitions planned as %s · %s · latency ms %s · due %d, oldest %.1f s%s",
        window["transitions"],
        window["planned"] or "nothing",
        window["outcomes"] or "nothing delivered",
        window["latency_ms"],
        window["due"],
        window["oldest_seconds"],
        f" · {window['failures']}" if window["failures"] else "",
    )


async def redeliver(ids: list[UUID]) -> None:
    """Hand what ran out of attempts to a run of its own, which can be seen and retried."""
    for start in range(0, len(ids), _AT_ONCE):
        some = [str(one) for one in ids[start : start + _AT_ONCE]]
        await arun_deployment(
            _REDELIVER, parameters={"notification_ids": some}, timeout=0, as_subflow=False
        )
