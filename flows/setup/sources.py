"""Sources that members made, changed or want to run now, brought to Prefect while it runs.

The bootstrap does the same for all deployments when Convex starts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import orjson
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate

from convex.db import SYSTEM, Database
from convex.metrics.sources.store import list_scheduled, take_requests
from flows.setup import deployments
from flows.setup.deployments import Deployment

_MARK = "convex_sources"
_ANY = "pull-metrics/any"


async def serve_sources(client: PrefectClient, database: Database) -> list[str]:
    """Deployments as the sources are now, and a run for each that is asked for; what was done."""
    async with database.read(SYSTEM) as connection:
        sources = await list_scheduled(connection)
    wanted = deployments.for_sources(deployments.read_deployments(), sources)
    done: list[str] = []
    mark = _fingerprint(wanted)
    known = await client.read_variable_by_name(_MARK)
    if known is None or known.value != mark:
        for deployment in wanted:
            await deployments.apply(client, deployment)
            done.append(f"deployment {deployment.full_name} applied")
        lost = await deployments.remove_lost_sources(client, wanted)
        done += [f"deployment pull-metrics/{name} removed" for name in lost]
        if known is None:
            await client.create_variable(VariableCreate(name=_MARK, value=mark))
        else:
            await client.update_variable(VariableUpdate(name=_MARK, value=mark))
    async with database.transaction(SYSTEM) as connection:
        requested = await take_requests(connection)
    named = {one.parameters["source_id"]: one.full_name for one in wanted}
    for _, source_id in requested:
        name = named.get(str(source_id), _ANY)
        found = await client.read_deployment_by_name(name)
        await client.create_flow_run_from_deployment(
            found.id, parameters={"source_id": str(source_id)}
        )
        done.append(f"run of {name} for {source_id}")
    return done


def _fingerprint(wanted: Iterable[Deployment]) -> str:
    said = [
        [one.full_name, dict(one.parameters), [dict(entry) for entry in one.schedules]]
        for one in wanted
    ]
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()
