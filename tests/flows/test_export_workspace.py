"""Export and purge as flows, under a real Prefect server."""

from __future__ import annotations

import asyncio
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from convex.db import SYSTEM, Database
from convex.settings import Settings
from convex.workspaces import deletion, exports, store
from tests.conftest import make_tenant
from tests.flows.prefect_server import flow_environment, prefect_server

_FLOWS = """
import asyncio, sys
from uuid import UUID
from flows.clean_up import clean_up
from flows.export_workspace import export_workspace
rows = asyncio.run(export_workspace(UUID(sys.argv[1]), UUID(sys.argv[2])))
print("rows", rows > 0, "purged", asyncio.run(clean_up())["workspaces"])
"""


async def test_an_export_is_written_and_a_workspace_that_is_due_is_purged(
    fresh_settings: Settings, fresh_worker: Database, tmp_path: Path
) -> None:
    stays, gone = await make_tenant(fresh_worker), await make_tenant(fresh_worker)
    now = datetime.now(UTC)
    async with fresh_worker.transaction(SYSTEM) as connection:
        asked = await exports.request_export(
            connection, stays.workspace_id, stays.user_id, "ndjson"
        )
        await deletion.request_deletion(
            connection, gone.workspace_id, user_id=gone.user_id, now=now, grace=timedelta()
        )
    async with prefect_server(tmp_path / "server") as url:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _FLOWS, str(stays.workspace_id), str(asked.id)),
            env=flow_environment(fresh_settings, url, tmp_path),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await child.communicate()
    assert child.returncode == 0
    assert b"rows True purged 1" in output
    async with fresh_worker.read(SYSTEM) as connection:
        assert [one.slug for one in await store.list_workspaces(connection)] == [stays.slug]
        done = await exports.get_export(connection, stays.workspace_id, asked.id)
    assert done is not None
    assert done.state == "done"
    file = exports.file_of(fresh_settings.home, stays.workspace_id, asked.id)
    assert "manifest.json" in zipfile.ZipFile(file).namelist()
