"""Runs that members ask for by a row of job_requests, brought to Prefect."""

from __future__ import annotations

from prefect.client.orchestration import PrefectClient

from convex.db import SYSTEM, Database
from convex.workspaces import exports
from convex.workspaces.job_requests import Job, take_requests

_EXPORT = "export-workspace/export-workspace"


async def serve_requests(client: PrefectClient, database: Database) -> list[str]:
    """A run for each workspace that wants patterns, predictions or its data now; what started."""
    started = []
    for job in Job:
        name = f"{job}/{job}"
        async with database.transaction(SYSTEM) as connection:
            wanted = sorted({workspace for _, workspace in await take_requests(connection, job)})
        if not wanted:
            continue
        deployment = await client.read_deployment_by_name(name)
        for workspace_id in wanted:
            await client.create_flow_run_from_deployment(
                deployment.id, parameters={"workspace_id": str(workspace_id)}
            )
        started += [f"run of {name} for {workspace_id}" for workspace_id in wanted]
    started += await _serve_exports(client, database)
    return started


async def _serve_exports(client: PrefectClient, database: Database) -> list[str]:
    """A run for each export: of one workspace there may be several, in two forms."""
    async with database.transaction(SYSTEM) as connection:
        wanted = await exports.take_requests(connection)
    if not wanted:
        return []
    deployment = await client.read_deployment_by_name(_EXPORT)
    for export_id, workspace_id in wanted:
        await client.create_flow_run_from_deployment(
            deployment.id,
            parameters={"workspace_id": str(workspace_id), "export_id": str(export_id)},
        )
    return [f"run of {_EXPORT} for {workspace_id}" for _, workspace_id in wanted]
