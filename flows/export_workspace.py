"""Write a workspace's data into an archive in the home, where its owners fetch it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from prefect.logging import get_run_logger

from convex.db import Identity, Role
from convex.errors import NotFound
from convex.workspaces import exports
from convex.workspaces.export import Exported
from convex.workspaces.export import export_workspace as write_archive
from flows.runtime import flow_settings, job, worker_database


@job(name="export-workspace")
async def export_workspace(workspace_id: UUID, export_id: UUID) -> int:
    """One export that was asked for; how many rows are in it.

    What went wrong is said to the owner too, in words that tell nothing about this machine.
    """
    settings = flow_settings()
    identity = Identity(workspace_id, Role.SYSTEM)
    target = exports.file_of(settings.home, workspace_id, export_id)
    outcome: Exported | str = "It was interrupted; ask for another."
    async with worker_database(settings) as database:
        try:
            async with database.read(identity) as connection:
                asked = await exports.get_export(connection, workspace_id, export_id)
            if asked is None:
                raise NotFound("There is no export with that id.")
            outcome = await write_archive(
                database, workspace_id, target, form=asked.form, now=datetime.now(UTC)
            )
        except OSError as error:
            outcome = f"It could not be written: {error.strerror or type(error).__name__}."
            raise
        finally:
            async with database.transaction(identity) as connection:
                await exports.finish_export(connection, export_id, outcome)
    get_run_logger().info("%d rows, %d bytes", outcome.rows, outcome.bytes)
    return outcome.rows
