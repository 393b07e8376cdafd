"""Runs that members ask for by a row of job_requests, brought to Prefect."""

from __future__ import annotations

from prefect.client.orchestration import PrefectClient

from convex.db import SYSTEM, Database
from convex.patterns.read_store import take_requests

_PATTERNS = "detect-patterns/detect-patterns"


async def serve_requests(client: PrefectClient, database: Database) -> list[str]:
    """A run for each workspace that wants its patterns now; what was started."""
    async with database.transaction(SYSTEM) as connection:
        wanted = sorted({workspace for _, workspace in await take_requests(connection)})
    if not wanted:
        return []
    deployment = await client.read_deployment_by_name(_PATTERNS)
    for workspace_id in wanted:
        await client.create_flow_run_from_deployment(
            deployment.id, parameters={"workspace_id": str(workspace_id)}
        )
    return [f"run of {_PATTERNS} for {workspace_id}" for workspace_id in wanted]
