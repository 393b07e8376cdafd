"""All of a workspace: its data as files, and its deletion. For owners who sign in."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import FileResponse

from api.dependencies import Owner, Pages, Reading, Writing
from api.replies import no_content, reply, reply_page
from api.resources import resources_of
from api.routes import PREFIX, new_router
from api.routes.auth import Attempts
from api.schemas import tenancy as schema
from api.schemas.shared import PageOf
from convex.db import Connection
from convex.errors import Conflict, NotFound
from convex.workspaces import deletion, exports, store
from convex.workspaces.model import Workspace

router = new_router("workspace")

_NO_EXPORT = "There is no export with that id."


async def _the_workspace(connection: Connection, caller_id: UUID, asked: UUID) -> Workspace:
    found = await store.get_workspace(connection, caller_id) if asked == caller_id else None
    if found is None:
        raise NotFound("There is no workspace with that id.")
    return found


@router.get(
    "/workspaces/{workspace_id:uuid}/exports",
    response_model=PageOf[schema.ExportShape],
    summary="Exports of the workspace",
)
async def list_exports(
    request: Request, workspace_id: UUID, pages: Pages, caller: Owner, connection: Reading
) -> Response:
    """Those that were asked for, newest first; files are kept for seven days."""
    await _the_workspace(connection, caller.workspace_id, workspace_id)
    page = await exports.list_exports(connection, workspace_id, pages.limit, pages.cursor)
    return reply_page(request, page, schema.export_json)


@router.post(
    "/workspaces/{workspace_id:uuid}/exports",
    response_model=schema.ExportShape,
    status_code=202,
    summary="Export all of the workspace's data",
)
async def request_export(
    request: Request,
    workspace_id: UUID,
    body: schema.ExportNew,
    caller: Owner,
    connection: Writing,
) -> Response:
    """A zip with a file for each table, `manifest.json` and `SHA256SUMS`. Secrets are left out.

    It is made within minutes, from one snapshot. While one of that format waits to be begun, that
    one is answered. The audit trail says who asked.
    """
    await _the_workspace(connection, caller.workspace_id, workspace_id)
    asked = await exports.request_export(connection, workspace_id, caller.user_id, body.format)
    return reply(
        request,
        schema.export_json(asked),
        status=202,
        headers={"Location": f"{PREFIX}/workspaces/{workspace_id}/exports/{asked.id}"},
    )


@router.get(
    "/workspaces/{workspace_id:uuid}/exports/{export_id:uuid}",
    response_model=schema.ExportShape,
    summary="One export",
)
async def get_export(
    request: Request, workspace_id: UUID, export_id: UUID, caller: Owner, connection: Reading
) -> Response:
    """How far it is."""
    return reply(
        request, schema.export_json(await _the_export(connection, caller, workspace_id, export_id))
    )


async def _the_export(
    connection: Connection, caller: Owner, workspace_id: UUID, export_id: UUID
) -> exports.Export:
    await _the_workspace(connection, caller.workspace_id, workspace_id)
    found = await exports.get_export(connection, workspace_id, export_id)
    if found is None:
        raise NotFound(_NO_EXPORT)
    return found


@router.get(
    "/workspaces/{workspace_id:uuid}/exports/{export_id:uuid}/file",
    response_class=FileResponse,
    summary="The archive of an export",
    responses={
        200: {
            "description": "The archive.",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        },
        409: {"description": "It is not done."},
    },
)
async def download_export(
    request: Request, workspace_id: UUID, export_id: UUID, caller: Owner, connection: Reading
) -> Response:
    """The zip, in parts where a Range is asked for; 409 until it is done, 404 once it expired."""
    found = await _the_export(connection, caller, workspace_id, export_id)
    if found.state != "done":
        raise Conflict(f"The export is {found.state}; there is a file once it is done.")
    file = exports.file_of(resources_of(request).settings.home, workspace_id, export_id)
    if not file.is_file():
        raise NotFound("The file has expired; ask for another export.")
    workspace = await _the_workspace(connection, caller.workspace_id, workspace_id)
    return FileResponse(
        file,
        media_type="application/zip",
        filename=f"{workspace.slug}-{found.requested_at:%Y-%m-%d}.zip",
        headers={"Cache-Control": "no-store"},
    )


@router.get(
    "/workspaces/{workspace_id:uuid}/deletion",
    response_model=schema.DeletionShape,
    summary="The scheduled deletion",
)
async def get_deletion(
    request: Request, workspace_id: UUID, caller: Owner, connection: Reading
) -> Response:
    """When the workspace will be deleted; 404 when it will not."""
    await _the_workspace(connection, caller.workspace_id, workspace_id)
    found = await deletion.find_deletion(connection, workspace_id)
    if found is None:
        raise NotFound("No deletion is scheduled.")
    return reply(request, schema.deletion_json(found))


@router.post(
    "/workspaces/{workspace_id:uuid}/deletion",
    response_model=schema.DeletionShape,
    status_code=202,
    summary="Delete the workspace",
)
async def request_deletion(
    request: Request, workspace_id: UUID, body: schema.DeletionNew, caller: Owner
) -> Response:
    """Schedule it: after seven days (or what the operator has set) everything of it is removed, for
    good, and with it the accounts of people who are in no other workspace.

    Type the slug, and the password where the account has one. Until then all goes on as before, and
    any owner can undo it.
    """
    resources = resources_of(request)
    assert caller.user_id is not None
    async with resources.database.read(caller.identity) as connection:
        workspace = await _the_workspace(connection, caller.workspace_id, workspace_id)
        user = await store.get_user(connection, caller.user_id)
        account = None if user is None else await store.find_account(connection, user.email)
    attempts = Attempts(request, "" if user is None else user.email)
    await attempts.count()
    await deletion.confirm(workspace, account, body.slug, body.password or "")
    await attempts.forgive()
    async with resources.database.transaction(caller.identity) as connection:
        scheduled = await deletion.request_deletion(
            connection,
            workspace_id,
            user_id=caller.user_id,
            now=resources.now(),
            grace=resources.settings.deletion_grace,
        )
    return reply(request, schema.deletion_json(scheduled), status=202)


@router.delete(
    "/workspaces/{workspace_id:uuid}/deletion", status_code=204, summary="Undo the deletion"
)
async def cancel_deletion(
    request: Request, workspace_id: UUID, caller: Owner, connection: Writing
) -> Response:
    """The workspace stays. 404 when no deletion is scheduled, or its time has come."""
    await _the_workspace(connection, caller.workspace_id, workspace_id)
    now = resources_of(request).now()
    if not await deletion.cancel_deletion(connection, workspace_id, now):
        raise NotFound("There is no deletion to undo.")
    return no_content()
