"""prefect.yaml against the code, and what the bootstrap makes of it on a real Prefect server."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.states import Completed, Pending, Running, Scheduled

from convex.db import Database, Identity, Role
from convex.metrics.sources.model import ScheduledSource
from convex.metrics.sources.store import save_source
from convex.settings import Settings
from flows import work
from flows.bootstrap import bootstrap
from flows.setup import runs
from flows.setup.deployments import STANDING, Deployment, for_sources, read_deployments
from flows.setup.pool import CODE, POOL, QUEUES
from tests.conftest import make_tenant
from tests.flows.prefect_server import prefect_server

DEPLOYMENTS = read_deployments()
STANDING_NAMES = {"alert-flow/a", "alert-flow/b"}


@pytest_asyncio.fixture(scope="module")
async def prefect(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[PrefectClient]:
    """A server for this file's tests, and a client of it."""
    async with (
        prefect_server(tmp_path_factory.mktemp("prefect")) as url,
        PrefectClient(url) as client,
    ):
        yield client


def source(name: str, workspace: str = "acme", schedule: str | None = None) -> ScheduledSource:
    return ScheduledSource(uuid4(), name, workspace, schedule)


async def read_run(client: PrefectClient, run_id: UUID) -> FlowRun | None:
    found = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
    )
    return found[0] if found else None


async def at_work(client: PrefectClient, run_id: UUID) -> None:
    """Take the run to where its process would."""
    states: list[State[None]] = [Pending(), Running()]
    for state in states:
        await client.set_flow_run_state(run_id, state)


# -- prefect.yaml


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each.full_name)
def test_each_entry_point_is_an_async_flow_of_the_name(deployment: Deployment) -> None:
    file, _, function = deployment.entrypoint.rpartition(":")
    found: Flow[..., Any] = load_flow_from_entrypoint(
        f"{CODE / file}:{function}", use_placeholder_flow=False
    )
    assert found.name == deployment.flow_name
    assert inspect.iscoroutinefunction(found.fn)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each.full_name)
def test_each_deployment_gives_parameters_that_its_flow_takes(deployment: Deployment) -> None:
    file, _, function = deployment.entrypoint.rpartition(":")
    found: Flow[..., Any] = load_flow_from_entrypoint(
        f"{CODE / file}:{function}", use_placeholder_flow=False
    )
    assert set(deployment.parameters) <= set(inspect.signature(found.fn).parameters)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each.full_name)
def test_each_deployment_queues_in_a_queue_that_there_is(deployment: Deployment) -> None:
    assert deployment.pool == POOL
    assert deployment.queue in {queue.name for queue in QUEUES}


def test_the_standing_flow_cannot_starve() -> None:
    standing = [each for each in DEPLOYMENTS if STANDING in each.tags]
    (queue,) = {each.queue for each in standing}
    (kept,) = [each for each in QUEUES if each.name == queue]
    assert {each.full_name for each in standing} == STANDING_NAMES
    assert {(each.limit, each.collision) for each in standing} == {(1, "CANCEL_NEW")}
    assert (kept.priority, kept.limit) == (1, None)
    # Everything else in its queue is bounded, so that its worker always has room.
    assert all(each.limit for each in DEPLOYMENTS if each.queue == queue)


def test_every_flow_of_the_folder_has_a_deployment() -> None:
    named = {each.entrypoint.rpartition(":")[0] for each in DEPLOYMENTS}
    files = {f"flows/{file.name}" for file in (CODE / "flows").glob("*.py")}
    assert files - named == {
        "flows/__init__.py",
        "flows/bootstrap.py",
        "flows/caches.py",
        "flows/engine.py",
        "flows/fan_out.py",
        "flows/runtime.py",
        "flows/scrape.py",
        "flows/work.py",
    }


# -- sources


def test_each_source_gets_a_deployment_of_its_own_name() -> None:
    made = for_sources(DEPLOYMENTS, [source("hourly"), source("other", schedule="900")])
    assert [each.full_name for each in made] == ["pull-metrics/hourly", "pull-metrics/other"]
    assert [len(each.schedules) for each in made] == [0, 1]
    assert {each.queue for each in made} == {"alerts"}


def test_sources_of_one_name_are_told_apart_by_their_workspace() -> None:
    made = for_sources(
        DEPLOYMENTS, [source("x", "b"), source("x", "a"), source("any", "a"), source("y/z", "a")]
    )
    assert sorted(each.name for each in made) == ["a-any", "b-x", "x", "y-z"]
    assert len({each.parameters["source_id"] for each in made}) == 4


# -- on a server


async def test_bootstrap_makes_everything_and_then_changes_nothing(
    prefect: PrefectClient, fresh_settings: Settings
) -> None:
    first = await bootstrap(prefect, settings=fresh_settings)
    assert f"work pool {POOL} created" in first
    assert await bootstrap(prefect, settings=fresh_settings) == []

    queues = {queue.name: queue for queue in await prefect.read_work_queues(work_pool_name=POOL)}
    for wanted in QUEUES:
        made = queues[wanted.name]
        assert (made.priority, made.concurrency_limit) == (wanted.priority, wanted.limit)

    for deployment in DEPLOYMENTS:
        there = await prefect.read_deployment_by_name(deployment.full_name)
        assert there.work_queue_name == deployment.queue
        assert len(there.schedules) == len(deployment.schedules)
        limit = there.global_concurrency_limit
        assert (limit and limit.limit) == deployment.limit
        options = there.concurrency_options
        assert (options and options.collision_strategy.value) == deployment.collision

    names = sorted(automation.name for automation in await prefect.read_automations())
    assert names == sorted(
        ["convex: crash lost runs"]
        + [
            f"convex: {name} after {what}"
            for name in STANDING_NAMES
            for what in ("the end", "a failure")
        ]
    )


async def test_bootstrap_puts_right_what_somebody_changed_when_the_code_changes(
    prefect: PrefectClient, fresh_settings: Settings
) -> None:
    await bootstrap(prefect, settings=fresh_settings)
    queue = await prefect.read_work_queue_by_name("alerts", work_pool_name=POOL)
    await prefect.update_work_queue(queue.id, concurrency_limit=1)
    automation = (await prefect.read_automations_by_name("convex: crash lost runs"))[0]
    await prefect.delete_automation(automation.id)
    await prefect.delete_variable_by_name("convex_bootstrap")
    done = await bootstrap(prefect, settings=fresh_settings)
    assert "queue alerts updated" in done
    assert "automation 'convex: crash lost runs' created" in done
    assert not [line for line in done if "after the end" in line]


async def test_a_new_source_is_deployed_and_one_that_is_gone_is_not_kept(
    prefect: PrefectClient, fresh_settings: Settings, fresh_worker: Database
) -> None:
    tenant = await make_tenant(fresh_worker)
    identity = Identity(tenant.workspace_id, Role.SYSTEM)
    async with fresh_worker.transaction(identity) as connection:
        made = await save_source(
            connection,
            tenant.workspace_id,
            name="airports",
            kind="file",
            config={"path": "airports.csv"},
            schedule="*/10 * * * *",
        )
    await bootstrap(prefect, settings=fresh_settings)
    there = await prefect.read_deployment_by_name("pull-metrics/airports")
    assert there.parameters == {"source_id": str(made.id)}
    assert there.schedules[0].schedule.cron == "*/10 * * * *"  # type: ignore[union-attr]

    async with fresh_worker.transaction(identity) as connection:
        await connection.execute("UPDATE convex.sources SET enabled = false")
    await bootstrap(prefect, settings=fresh_settings)
    with pytest.raises(ObjectNotFound):
        await prefect.read_deployment_by_name("pull-metrics/airports")
    assert await prefect.read_deployment_by_name("pull-metrics/any")


async def test_a_start_ends_what_an_earlier_life_left_and_begins_one_shift_each(
    prefect: PrefectClient, fresh_settings: Settings
) -> None:
    await bootstrap(prefect, settings=fresh_settings)
    standing = await prefect.read_deployment_by_name("alert-flow/a")
    stale = await prefect.create_flow_run_from_deployment(standing.id)
    await at_work(prefect, stale.id)
    done = await bootstrap(prefect, start=True, settings=fresh_settings)
    ended = await read_run(prefect, stale.id)
    assert ended is not None
    assert (ended.state_type, ended.state_name) == (StateType.CRASHED, "Interrupted")
    assert {line for line in done if "begun" in line} == {
        f"shift of {name} begun" for name in STANDING_NAMES
    }
    # A slot that the lost run had held is free: the new shift gets it.
    new = await _due(prefect, standing.id)
    pending: State[None] = Pending()
    result = await prefect.set_flow_run_state(new.id, pending)
    assert result.state is not None
    assert result.state.is_pending()
    # And one that is at work or due is not begun twice.
    assert not await runs.begin_shift(prefect, standing.id)
    await prefect.set_flow_run_state(new.id, Completed(), force=True)


async def test_of_missed_runs_only_the_newest_is_made_up_for(
    prefect: PrefectClient, fresh_settings: Settings
) -> None:
    await bootstrap(prefect, settings=fresh_settings)
    marts = await prefect.read_deployment_by_name("build-marts/daily")
    now = datetime.now(UTC)
    for run in await _scheduled(prefect, marts.id):
        await prefect.delete_flow_run(run.id)
    by_hand = await prefect.create_flow_run_from_deployment(
        marts.id, state=Scheduled(scheduled_time=now - timedelta(days=5))
    )
    missed = [
        await prefect.create_flow_run_from_deployment(
            marts.id,
            state=Scheduled(scheduled_time=now - timedelta(days=days)),
        )
        for days in (3, 2, 1)
    ]
    patched = {run.id for run in missed}
    original = runs._read

    async def as_scheduler(client: PrefectClient, *args: Any, **more: Any) -> list[FlowRun]:
        found = await original(client, *args, **more)
        for run in found:  # only the scheduler itself can make runs that say so
            run.auto_scheduled = run.id in patched
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_read", as_scheduler)
        assert await runs.drop_missed_runs(prefect, now) == 2
    left = {run.id for run in await _scheduled(prefect, marts.id)}
    assert {by_hand.id, missed[-1].id} <= left
    assert not left & {run.id for run in missed[:-1]}


async def test_runs_that_ended_long_ago_are_deleted(
    prefect: PrefectClient, fresh_settings: Settings
) -> None:
    await bootstrap(prefect, settings=fresh_settings)
    there = await prefect.read_deployment_by_name("clean-up/clean-up")
    old = await prefect.create_flow_run_from_deployment(there.id, state=Completed())
    waiting = await prefect.create_flow_run_from_deployment(there.id)
    assert await runs.delete_old_runs(prefect, datetime.now(UTC) - timedelta(days=14)) == 0
    assert await runs.delete_old_runs(prefect, datetime.now(UTC) + timedelta(seconds=1)) >= 1
    assert await read_run(prefect, old.id) is None
    assert await read_run(prefect, waiting.id) is not None


async def test_what_a_killed_worker_had_in_hand_is_called_crashed(
    prefect: PrefectClient, fresh_settings: Settings, tmp_path: Path
) -> None:
    await bootstrap(prefect, settings=fresh_settings)
    there = await prefect.read_deployment_by_name("clean-up/clean-up")
    lost = await prefect.create_flow_run_from_deployment(there.id)
    over = await prefect.create_flow_run_from_deployment(there.id, state=Completed())
    await at_work(prefect, lost.id)
    for run_id in (lost.id, over.id, uuid4()):
        (tmp_path / str(run_id)).touch()
    assert await work.crash_noted_runs(prefect, tmp_path) == 1
    assert not os.listdir(tmp_path)
    assert (await prefect.read_flow_run(lost.id)).state_name == "Crashed"
    assert (await prefect.read_flow_run(over.id)).state_name == "Completed"


async def test_the_first_start_has_the_marts_built_soon(
    prefect: PrefectClient, fresh_settings: Settings
) -> None:
    done = await bootstrap(prefect, start=True, settings=fresh_settings)
    assert any("no marts yet" in line for line in done)
    there = await prefect.read_deployment_by_name("build-marts/daily")
    planned = [run for run in await _scheduled(prefect, there.id) if not run.auto_scheduled]
    at = max(run.expected_start_time for run in planned if run.expected_start_time)
    now = datetime.now(UTC)
    assert now < at < now + timedelta(minutes=2)
    with psycopg.connect(fresh_settings.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE analytics.alert_analytics ()")
    done = await bootstrap(prefect, start=True, settings=fresh_settings)
    assert not any("no marts yet" in line for line in done)


async def _scheduled(client: PrefectClient, deployment_id: UUID) -> list[FlowRun]:
    filter_ = runs._state_filter([StateType.SCHEDULED])
    found = await client.read_flow_runs(flow_run_filter=filter_, limit=200)
    return [run for run in found if run.deployment_id == deployment_id]


async def _due(client: PrefectClient, deployment_id: UUID) -> FlowRun:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    (run,) = [
        run
        for run in await _scheduled(client, deployment_id)
        if run.expected_start_time and run.expected_start_time <= soon and not run.auto_scheduled
    ]
    return run
