"""One task for each workspace, spread by a Prefect task runner: threads, Dask or Ray by setting."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from importlib.util import find_spec
from typing import Any, TypeVar
from uuid import UUID

from prefect import Task
from prefect.logging import get_run_logger
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from convex.errors import Unavailable
from convex.settings import FlowSettings
from flows.runtime import flow_settings

Result = TypeVar("Result")
Runner = TaskRunner[Any]


def task_runner(settings: FlowSettings) -> Runner:
    """The runner that is set. Raises `Unavailable` when its package is not installed.

    Dask and Ray without an address get a cluster on this machine that ends with the run.
    """
    if settings.runner == "dask":
        _require("prefect_dask", "dask")
        from prefect_dask.task_runners import DaskTaskRunner

        if settings.runner_address:
            return DaskTaskRunner(address=settings.runner_address)
        local = {
            "n_workers": settings.parallel,
            "threads_per_worker": 1,
            "dashboard_address": None,
        }
        return DaskTaskRunner(cluster_kwargs=local)
    if settings.runner == "ray":
        _require("prefect_ray", "ray")
        from prefect_ray import RayTaskRunner

        if settings.runner_address:
            return RayTaskRunner(address=settings.runner_address)  # type: ignore[no-any-return]
        return RayTaskRunner(init_kwargs={"num_cpus": settings.parallel})  # type: ignore[no-any-return]
    return ThreadPoolTaskRunner(max_workers=settings.parallel)


async def over_workspaces(
    one: Task[..., Coroutine[Any, Any, Result]], work: Mapping[UUID, Mapping[str, Any]]
) -> tuple[dict[UUID, Result], list[Exception]]:
    """Run the task with the parameters of each workspace; what came of it, and what failed.

    One that fails keeps no other from its turn. The parameters must be of a kind that can be
    pickled, and the task must open what it needs itself: it may run on another machine.
    """
    done: dict[UUID, Result] = {}
    failed: list[Exception] = []
    with task_runner(flow_settings().flows) as runner:
        futures = {
            workspace_id: runner.submit(one, dict(parameters))
            for workspace_id, parameters in work.items()
        }
        for workspace_id, future in futures.items():
            try:
                done[workspace_id] = await asyncio.to_thread(future.result)
            except Exception as error:
                get_run_logger().exception("Workspace %s: %s failed", workspace_id, one.name)
                failed.append(error)
    return done, failed


def _require(module: str, extra: str) -> None:
    if find_spec(module) is None:
        raise Unavailable(
            f"CONVEX_FLOWS__RUNNER is {extra}, and its package is not installed: add the extra"
            f" {extra} (`uv sync --frozen --extra {extra}`), or set threads."
        )
