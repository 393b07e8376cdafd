"""Runs that members ask for: one request waits, each is taken once, and what came of it is kept."""

from __future__ import annotations

import pytest

from convex.db import Database, Role
from convex.workspaces.job_requests import Job, finish_requests, request_run, take_requests
from tests.conftest import Tenant


@pytest.mark.parametrize("job", Job)
async def test_a_request_waits_until_it_is_taken(
    api: Database, worker: Database, tenant: Tenant, job: Job
) -> None:
    editor = tenant.identity(Role.EDITOR)
    async with api.transaction(editor) as connection:
        one = await request_run(connection, tenant.workspace_id, job, tenant.user_id)
        again = await request_run(connection, tenant.workspace_id, job, tenant.user_id)
    async with worker.transaction(tenant.flow) as connection:
        taken = await take_requests(connection, job)
        nothing = await take_requests(connection, job)
        await finish_requests(connection, tenant.workspace_id, job, result={"made": 3})
        rows = await connection.execute("SELECT state, result FROM convex.job_requests")
        assert await rows.fetchall() == [{"state": "done", "result": {"made": 3}}]
    assert one == again
    assert taken == [(one["id"], tenant.workspace_id)]
    assert nothing == []


async def test_jobs_do_not_take_one_anothers_requests_and_errors_are_kept(
    worker: Database, tenant: Tenant
) -> None:
    async with worker.transaction(tenant.flow) as connection:
        for job in Job:
            await request_run(connection, tenant.workspace_id, job, None)
        (mine,) = await take_requests(connection, Job.DETECT_PATTERNS)
        await finish_requests(
            connection, tenant.workspace_id, Job.DETECT_PATTERNS, error="x" * 9000
        )
        rows = await connection.execute(
            "SELECT kind, state, length(result ->> 'error') AS size FROM convex.job_requests"
            " ORDER BY kind"
        )
        assert await rows.fetchall() == [
            {"kind": "detect-patterns", "state": "failed", "size": 2000},
            {"kind": "forecast-alerts", "state": "requested", "size": None},
        ]
    assert mine[1] == tenant.workspace_id
