"""The deployments of prefect.yaml, and one of pull-metrics for every source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterTags,
    FlowFilter,
    FlowFilterName,
)
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.flows import load_flow_arguments_from_entrypoint
from prefect.utilities.callables import parameter_schema_from_entrypoint

from convex.metrics.sources.model import ScheduledSource
from flows.setup.pool import CODE

PREFECT_FILE = CODE / "prefect.yaml"
STANDING = "standing"
_SOURCE = "source"
_PULL = "any"  # the deployment of prefect.yaml that those of the sources are made from


@dataclass(frozen=True, slots=True)
class Deployment:
    """What prefect.yaml says about one deployment."""

    name: str
    entrypoint: str
    pool: str
    queue: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    schedules: tuple[Mapping[str, Any], ...] = ()
    limit: int | None = None
    collision: str | None = None

    @property
    def flow_name(self) -> str:
        """The name of its flow, read from the source without running it."""
        arguments = load_flow_arguments_from_entrypoint(self._source, {"name"})
        function = self.entrypoint.rpartition(":")[2]
        return str(arguments.get("name") or function.replace("_", "-"))

    @property
    def full_name(self) -> str:
        """As Prefect calls it."""
        return f"{self.flow_name}/{self.name}"

    @property
    def _source(self) -> str:
        return str(CODE / self.entrypoint)


def read_deployments(file: Path = PREFECT_FILE) -> list[Deployment]:
    """The deployments of a prefect.yaml. Raises `KeyError` when one lacks its name or place."""
    entries = yaml.safe_load(file.read_text())["deployments"]
    return [_read(entry) for entry in entries]


def _read(entry: Mapping[str, Any]) -> Deployment:
    limit = entry.get("concurrency_limit") or {}
    return Deployment(
        name=entry["name"],
        entrypoint=entry["entrypoint"],
        pool=entry["work_pool"]["name"],
        queue=entry["work_pool"]["work_queue_name"],
        description=entry.get("description", ""),
        parameters=entry.get("parameters") or {},
        tags=tuple(entry.get("tags") or ()),
        schedules=tuple(entry.get("schedules") or ()),
        limit=limit.get("limit"),
        collision=limit.get("collision_strategy"),
    )


def for_sources(
    deployments: Iterable[Deployment], sources: Iterable[ScheduledSource]
) -> list[Deployment]:
    """A deployment of pull-metrics for each source, named as the source.

    Names are unique in a workspace only; what would meet another's carries its workspace too.
    """
    pull = next(item for item in deployments if item.name == _PULL)
    named: dict[str, Deployment] = {}
    for source in sorted(sources, key=lambda source: (source.workspace, source.name)):
        name = source.name.replace("/", "-").replace("%", "-")
        if name in named or name == _PULL:
            name = f"{source.workspace}-{name}"
        named[name] = replace(
            pull,
            name=name,
            description=f"Takes up the new points of {source.name} in {source.workspace}.",
            parameters={"source_id": str(source.id)},
            tags=(_SOURCE, source.workspace),
            schedules=_schedules(source.schedule),
            limit=1,
            collision=ConcurrencyLimitStrategy.ENQUEUE.value,
        )
    return list(named.values())


async def apply(client: PrefectClient, deployment: Deployment) -> UUID:
    """Create the deployment or make the one of that name like it; its id.

    Prefect drops the runs that an existing one had scheduled and schedules them again.
    """
    flow_id = await client.create_flow_from_name(deployment.flow_name)
    options = (
        ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy(deployment.collision))
        if deployment.collision
        else None
    )
    return await client.create_deployment(
        flow_id,
        deployment.name,
        description=deployment.description,
        entrypoint=deployment.entrypoint,
        # The run's working folder, in which it finds the code already: nothing is copied.
        path=".",
        parameters=dict(deployment.parameters),
        parameter_openapi_schema=parameter_schema_from_entrypoint(
            str(CODE / deployment.entrypoint)
        ).model_dump_for_openapi(),
        enforce_parameter_schema=True,
        tags=list(deployment.tags),
        schedules=[
            DeploymentScheduleCreate(schedule=_schedule(entry), slug=entry.get("slug"), active=True)
            for entry in deployment.schedules
        ],
        concurrency_limit=deployment.limit,
        concurrency_options=options,
        work_pool_name=deployment.pool,
        work_queue_name=deployment.queue,
    )


async def remove_lost_sources(client: PrefectClient, kept: Iterable[Deployment]) -> list[str]:
    """Delete the deployments of sources that are gone or switched off; their names."""
    names = {deployment.name for deployment in kept}
    existing = await client.read_deployments(
        flow_filter=FlowFilter(name=FlowFilterName(any_=["pull-metrics"])),
        deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[_SOURCE])),
    )
    lost = [deployment for deployment in existing if deployment.name not in names]
    for deployment in lost:
        await client.delete_deployment(deployment.id)
    return [deployment.name for deployment in lost]


def _schedules(written: str | None) -> tuple[Mapping[str, Any], ...]:
    """A source's schedule: a cron line, or a number of seconds; None is started by hand only."""
    if not written:
        return ()
    if written.isdigit():
        return ({"interval": int(written), "slug": "source"},)
    return ({"cron": written, "timezone": "UTC", "slug": "source"},)


def _schedule(entry: Mapping[str, Any]) -> CronSchedule | IntervalSchedule:
    if "cron" in entry:
        return CronSchedule(cron=entry["cron"], timezone=entry.get("timezone", "UTC"))
    return IntervalSchedule(interval=timedelta(seconds=entry["interval"]))
