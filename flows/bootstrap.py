"""Make Prefect's server what Convex needs: `python -m flows.bootstrap [--start | --begin]`.

Pool, queues, deployments of prefect.yaml and of the sources, automations. Without effect when all
of it is so already. `convex up` runs it with --start, before its workers: runs that an earlier life
left behind are ended, and the first shifts of the standing flow begin. Where workers are others'
processes, --begin begins the shifts and ends nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import VariableCreate, VariableUpdate

from convex.analytics.window import are_built
from convex.db import SYSTEM
from convex.errors import Unavailable
from convex.metrics.sources.store import list_scheduled
from convex.settings import Settings
from flows.runtime import flow_settings, worker_database
from flows.setup import automations, deployments, runs
from flows.setup.deployments import PREFECT_FILE, STANDING, Deployment
from flows.setup.pool import CODE, pool_template, prepare_pool

_DONE = "convex_bootstrap"
_SERVER_SECONDS = 300
_FIRST_MARTS = "build-marts/daily"


async def bootstrap(
    client: PrefectClient,
    *,
    start: bool = False,
    begin: bool = False,
    settings: Settings | None = None,
) -> list[str]:
    """Bring the server to today's code and sources; what was done, a line each.

    With `start` also end the runs of an earlier life, begin the standing flow's shifts, and plan
    the first build of the marts. Only right when no worker of the pool is at work; `begin` leaves
    the runs alone and does the rest.
    """
    settings = settings or flow_settings()
    done: list[str] = []
    if start:
        if ended := await runs.end_stale_runs(client):
            done.append(f"{ended} runs of an earlier life ended")
        if dropped := await runs.drop_missed_runs(client):
            done.append(f"{dropped} missed runs dropped")
    wanted = deployments.read_deployments()
    async with worker_database(settings) as database, database.read(SYSTEM) as connection:
        sources = await list_scheduled(connection)
        marts_built = await are_built(connection)
    wanted += deployments.for_sources(wanted, sources)
    mark = _fingerprint(wanted, pool_template(settings.flows))
    if await _read_mark(client) != mark:
        done += await prepare_pool(client, settings.flows)
        for deployment in wanted:
            deployment_id = await deployments.apply(client, deployment)
            done.append(f"deployment {deployment.full_name} applied")
            if STANDING in deployment.tags:
                for automation in automations.stand_again(deployment_id, deployment.full_name):
                    done += await automations.apply(client, automation)
        done += await automations.apply(client, automations.crash_lost_runs())
        for name in await deployments.remove_lost_sources(client, wanted):
            done.append(f"deployment pull-metrics/{name} removed")
        await _write_mark(client, mark)
    if start or begin:
        for deployment in wanted:
            if STANDING not in deployment.tags:
                continue
            found = await client.read_deployment_by_name(deployment.full_name)
            if await runs.begin_shift(client, found.id):
                done.append(f"shift of {deployment.full_name} begun")
        if not marts_built:
            found = await client.read_deployment_by_name(_FIRST_MARTS)
            await runs.begin_soon(client, found.id, "first-marts")
            done.append(f"run of {_FIRST_MARTS} planned: there are no marts yet")
    return done


async def _server(client: PrefectClient) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _SERVER_SECONDS
    while (error := await client.api_healthcheck()) is not None:
        if loop.time() > deadline:
            raise Unavailable(f"The Prefect server at {client.api_url} does not answer: {error}")
        await asyncio.sleep(0.1)


def _fingerprint(wanted: Iterable[Deployment], template: Mapping[str, Any]) -> str:
    """Stands for everything that decides what is on the server."""
    known = hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS))
    known.update(repr([repr(deployment) for deployment in wanted]).encode())
    files = {PREFECT_FILE, *Path(__file__).parent.glob("setup/*.py")}
    files |= {CODE / deployment.entrypoint.rpartition(":")[0] for deployment in wanted}
    for file in sorted(files):
        known.update(file.read_bytes())
    return known.hexdigest()


async def _read_mark(client: PrefectClient) -> object:
    variable = await client.read_variable_by_name(_DONE)
    return None if variable is None else variable.value


async def _write_mark(client: PrefectClient, mark: str) -> None:
    if await client.read_variable_by_name(_DONE) is None:
        await client.create_variable(VariableCreate(name=_DONE, value=mark))
    else:
        await client.update_variable(VariableUpdate(name=_DONE, value=mark))


async def main(arguments: list[str]) -> None:
    """Wait for the server of PREFECT_API_URL, then `bootstrap`; a line for each thing done."""
    async with get_client() as client:
        await _server(client)
        start, begin = "--start" in arguments, "--begin" in arguments
        for line in await bootstrap(client, start=start, begin=begin):
            sys.stdout.write(line + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
