"""Runs that members ask for by a row of job_requests, brought to Prefect."""

from __future__ import annotations

from prefect.client.orchestration import PrefectClient

from convex.db import SYSTEM, Database
from convex.workspaces.job_requests import Job, take_requests


async def serve_requests(client: PrefectClient, database: Database) -> list[str]:
    """A run for each workspace that wants its patterns or predictions now; what was started."""
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
    return started
