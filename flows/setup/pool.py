"""The work pool and its queues, with the priorities and limits that prefect.yaml cannot say."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.workers.process import ProcessWorker

from convex.errors import InvalidInput
from convex.settings import FlowSettings

POOL = "convex"
CODE = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Queue:
    """A work queue; a priority of 1 goes first, and priorities are strict."""

    name: str
    priority: int
    limit: int | None
    description: str


QUEUES = (
    # No limit: runs whose worker was lost count against one until somebody notices.
    Queue("notifications", 1, None, "The standing alert flow and deliveries that failed."),
    Queue("alerts", 2, 4, "Points from sources, and rules that look for silence."),
    Queue("analytics", 3, 2, "Marts, data quality, cleaning up."),
    Queue("predictions", 4, 1, "Forecasts and what is learnt from them."),
    Queue("default", 5, None, "Not used; Prefect makes it with every pool."),
)


def job_template() -> dict[str, Any]:
    """How a worker of the pool starts a run: in our code, by the wrapper that dies with it."""
    template = ProcessWorker.get_default_base_job_template()
    engine = [sys.executable, "-m", "convex.embedded.child", "--"]
    defaults: dict[str, Any] = {
        # A command of one's own also spares the run a workspace and its dependencies: 2 s.
        "command": shlex.join([*engine, sys.executable, "-m", "flows.engine"]),
        "working_dir": str(CODE),
        "env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", "OMP_NUM_THREADS": "1"},
    }
    for name, value in defaults.items():
        template["variables"]["properties"][name]["default"] = value
    return template


def pool_template(settings: FlowSettings) -> dict[str, Any]:
    """The base job template of the pool that is set. Raises `InvalidInput` without its file."""
    if settings.pool == "process":
        return job_template()
    try:
        template: dict[str, Any] = json.loads(Path(settings.job_template).read_text())
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"CONVEX_FLOWS__JOB_TEMPLATE ({settings.job_template or 'empty'}) cannot be read:"
            f" {error}. Name the file with the base job template of the {settings.pool} pool."
        ) from None
    return template


async def prepare_pool(client: PrefectClient, settings: FlowSettings) -> list[str]:
    """Create what is missing of the pool and its queues, and correct what differs; what was done.

    A pool of another type than the set one is left as it is: somebody runs the flows elsewhere.
    """
    done = []
    template = pool_template(settings)
    try:
        pool = await client.read_work_pool(POOL)
    except ObjectNotFound:
        wanted = WorkPoolCreate(name=POOL, type=settings.pool, base_job_template=template)
        try:
            await client.create_work_pool(wanted)
            done.append(f"work pool {POOL} created")
        except ObjectAlreadyExists:
            pass
    else:
        if pool.type == settings.pool and pool.base_job_template != template:
            await client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))
            done.append(f"work pool {POOL} updated")
    for queue in QUEUES:
        done += await _prepare_queue(client, queue)
    return done


async def _prepare_queue(client: PrefectClient, queue: Queue) -> list[str]:
    try:
        existing = await client.read_work_queue_by_name(queue.name, work_pool_name=POOL)
    except ObjectNotFound:
        await client.create_work_queue(
            queue.name,
            description=queue.description,
            concurrency_limit=queue.limit,
            priority=queue.priority,
            work_pool_name=POOL,
        )
        return [f"queue {queue.name} created"]
    wanted = {
        "priority": queue.priority,
        "concurrency_limit": queue.limit,
        "description": queue.description,
    }
    changes = {name: value for name, value in wanted.items() if getattr(existing, name) != value}
    if not changes:
        return []
    await client.update_work_queue(existing.id, **changes)
    return [f"queue {queue.name} updated"]
