"""Runs that an earlier life of Convex left behind, and the first shift of the standing flow."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled

from flows.setup.pool import POOL

_ACTIVE = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
_PAGE = 200
_LATE = timedelta(seconds=30)
# Until then a start needs the processor for itself.
_AFTER_START = timedelta(seconds=45)


async def end_stale_runs(client: PrefectClient) -> int:
    """Call every run crashed that seems to be at work; only right when no worker is. How many.

    The state is named Interrupted, so that the automations which look for crashes stay quiet.
    """
    ended = 0
    while runs := await _read(client, _state_filter(_ACTIVE)):
        for run in runs:
            state: State[None] = State(
                type=StateType.CRASHED,
                name="Interrupted",
                message="Convex was started again; the process that ran this is gone.",
            )
            await client.set_flow_run_state(run.id, state, force=True)
        ended += len(runs)
    return ended


async def drop_missed_runs(client: PrefectClient, now: datetime | None = None) -> int:
    """Delete scheduled runs whose time passed while nothing ran, all but the newest of each
    deployment: flows go on from what is done, so one run makes up for all. How many.
    """
    late = (now or datetime.now(UTC)) - _LATE
    due = FlowRunFilterExpectedStartTime(before_=late)
    dropped = 0
    kept: set[UUID | None] = set()
    offset = 0
    while True:
        filter_ = _state_filter([StateType.SCHEDULED])
        filter_.expected_start_time = due
        runs = await _read(client, filter_, offset=offset)
        for run in runs:
            if run.deployment_id in kept and run.auto_scheduled:
                await _delete(client, run)
                dropped += 1
            else:
                kept.add(run.deployment_id)
                offset += 1
        if len(runs) < _PAGE:
            return dropped


async def begin_shift(client: PrefectClient, deployment_id: UUID) -> bool:
    """Start a run of a standing flow unless one is at work or due now; whether it was started."""
    soon = FlowRunFilterExpectedStartTime(before_=datetime.now(UTC) + timedelta(seconds=5))
    active = _state_filter([*_ACTIVE, StateType.SCHEDULED])
    active.expected_start_time = soon
    of_this = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
    if await client.read_flow_runs(flow_run_filter=active, deployment_filter=of_this, limit=1):
        return False
    await client.create_flow_run_from_deployment(deployment_id)
    return True


async def begin_soon(client: PrefectClient, deployment_id: UUID, name: str) -> None:
    """Plan a run for when the start is over, once in a start; `name` tells it from others."""
    at = datetime.now(UTC) + _AFTER_START
    await client.create_flow_run_from_deployment(
        deployment_id,
        state=Scheduled(scheduled_time=at),
        idempotency_key=f"{name} {at:%Y-%m-%dT%H:%M}",
    )


async def delete_old_runs(client: PrefectClient, before: datetime) -> int:
    """Delete runs that ended before that instant, with their logs; how many."""
    deleted = 0
    while True:
        filter_ = FlowRunFilter(end_time=FlowRunFilterEndTime(before_=before))
        runs = await client.read_flow_runs(flow_run_filter=filter_, limit=_PAGE)
        for run in runs:
            await _delete(client, run)
        deleted += len(runs)
        if len(runs) < _PAGE:
            return deleted


async def _delete(client: PrefectClient, run: FlowRun) -> None:
    with suppress(ObjectNotFound):  # somebody else was faster
        await client.delete_flow_run(run.id)


def _state_filter(types: list[StateType]) -> FlowRunFilter:
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=types)))


async def _read(client: PrefectClient, filter_: FlowRunFilter, *, offset: int = 0) -> list[FlowRun]:
    return await client.read_flow_runs(
        flow_run_filter=filter_,
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=_PAGE,
        offset=offset,
    )
