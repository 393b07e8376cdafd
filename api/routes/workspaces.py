"""Workspaces, members, API keys, and the audit trail."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from api.dependencies import Owner, Pages, Person, Reading, Viewer, Writing, after_commit
from api.replies import check_match, no_content, reply, reply_page
from api.resources import resources_of
from api.routes import PREFIX, new_router
from api.schemas import workspaces as schema
from api.schemas.shared import PageOf
from convex.db import Connection, Role
from convex.db.pages import Page
from convex.errors import InvalidInput, NotFound
from convex.workspaces import audit as trail
from convex.workspaces import keys, service, store
from convex.workspaces.model import Workspace

router = new_router("workspace")


async def _the_workspace(connection: Connection, caller_id: UUID, asked: UUID) -> Workspace:
    found = await store.get_workspace(connection, caller_id) if asked == caller_id else None
    if found is None:
        raise NotFound("There is no workspace with that id.")
    return found


@router.get(
    "/workspaces", response_model=PageOf[schema.WorkspaceShape], summary="The caller's workspace"
)
async def list_workspaces(request: Request, caller: Viewer, connection: Reading) -> Response:
    """The workspace of the token or key: the only one that it sees."""
    found = await store.get_workspace(connection, caller.workspace_id)
    page = Page([] if found is None else [found])
    return reply_page(request, page, lambda w: schema.workspace_json(w, caller.role))


@router.post(
    "/workspaces",
    response_model=schema.WorkspaceShape,
    status_code=201,
    summary="Make a workspace",
)
async def create_workspace(
    request: Request, body: schema.WorkspaceNew, caller: Person, connection: Writing
) -> Response:
    """A new workspace owned by the caller. Sign in with its slug to work in it."""
    assert caller.user_id is not None
    workspace_id = await service.create_workspace(
        connection, slug=body.slug, name=body.name, owner_id=caller.user_id
    )
    now = resources_of(request).now()
    made = Workspace(workspace_id, body.slug, body.name.strip(), "UTC", {}, now, now)
    return reply(request, schema.workspace_json(made, Role.OWNER), status=201)


@router.get(
    "/workspaces/{workspace_id:uuid}", response_model=schema.WorkspaceShape, summary="One workspace"
)
async def get_workspace(
    request: Request, workspace_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """The workspace of the token or key; any other id is not found."""
    found = await _the_workspace(connection, caller.workspace_id, workspace_id)
    return reply(request, schema.workspace_json(found, caller.role))


@router.patch(
    "/workspaces/{workspace_id:uuid}", response_model=schema.WorkspaceShape, summary="Change it"
)
async def change_workspace(
    request: Request,
    workspace_id: UUID,
    body: schema.WorkspaceChange,
    caller: Owner,
    connection: Writing,
) -> Response:
    """Name, slug and time zone."""
    found = await _the_workspace(connection, caller.workspace_id, workspace_id)
    check_match(request, schema.workspace_json(found, caller.role))
    changed = await service.update_workspace(
        connection, workspace_id, slug=body.slug, name=body.name, timezone=body.timezone
    )
    return reply(request, schema.workspace_json(changed, caller.role))


@router.get("/members", response_model=PageOf[schema.MemberShape], summary="The members")
async def list_members(
    request: Request, pages: Pages, caller: Viewer, connection: Reading
) -> Response:
    """Everybody in the workspace, by name."""
    page = await store.list_members(connection, caller.workspace_id, pages.limit, pages.cursor)
    return reply_page(request, page, schema.member_json)


@router.post("/members", response_model=schema.MemberShape, status_code=201, summary="Add a member")
async def add_member(
    request: Request, body: schema.MemberNew, caller: Owner, connection: Writing
) -> Response:
    """Add a person by e-mail. An account that exists keeps its name and password."""
    member = await service.invite(
        connection,
        caller.workspace_id,
        email=body.email,
        name=body.name,
        role=Role(body.role),
        password=body.password,
    )
    return reply(
        request,
        schema.member_json(member),
        status=201,
        headers={"Location": f"{PREFIX}/members/{member.user_id}"},
    )


@router.get("/members/{user_id:uuid}", response_model=schema.MemberShape, summary="One member")
async def get_member(
    request: Request, user_id: UUID, caller: Viewer, connection: Reading
) -> Response:
    """A person of this workspace."""
    member = await store.get_member(connection, caller.workspace_id, user_id)
    if member is None:
        raise NotFound("There is no member with that id.")
    return reply(request, schema.member_json(member))


@router.patch("/members/{user_id:uuid}", response_model=schema.MemberShape, summary="Change a role")
async def change_member(
    request: Request,
    user_id: UUID,
    body: schema.MemberChange,
    caller: Owner,
    connection: Writing,
) -> Response:
    """Another role. The last owner stays one (409)."""
    current = await store.get_member(connection, caller.workspace_id, user_id)
    if current is None:
        raise NotFound("There is no member with that id.")
    check_match(request, schema.member_json(current))
    member = await service.change_role(connection, caller.workspace_id, user_id, Role(body.role))
    after_commit(request, resources_of(request).authenticator.forget)
    return reply(request, schema.member_json(member))


@router.delete("/members/{user_id:uuid}", status_code=204, summary="Remove a member")
async def remove_member(
    request: Request, user_id: UUID, caller: Owner, connection: Writing
) -> Response:
    """Take a person out of the workspace; the account stays. The last owner stays (409)."""
    await service.remove_member(connection, caller.workspace_id, user_id)
    after_commit(request, resources_of(request).authenticator.forget)
    return no_content()


@router.get("/api-keys", response_model=PageOf[schema.ApiKeyShape], summary="The API keys")
async def list_keys(request: Request, pages: Pages, caller: Owner, connection: Reading) -> Response:
    """All keys of the workspace, revoked ones too, newest first."""
    page = await keys.list_keys(connection, caller.workspace_id, pages.limit, pages.cursor)
    return reply_page(request, page, schema.key_json)


@router.post(
    "/api-keys", response_model=schema.ApiKeyCreated, status_code=201, summary="Make an API key"
)
async def create_key(
    request: Request, body: schema.ApiKeyNew, caller: Owner, connection: Writing
) -> Response:
    """A new key. `key` is shown now and never again."""
    now = resources_of(request).now()
    if body.expires_at is not None and body.expires_at <= now:
        raise InvalidInput("expires_at lies in the past.", field="expires_at")
    key, plain = await service.create_api_key(
        connection,
        caller.workspace_id,
        name=body.name,
        scopes=body.scopes,
        created_by=caller.user_id,
        expires_at=body.expires_at,
    )
    fields = {name: getattr(key, name) for name in schema.ApiKeyShape.model_fields}
    return reply(
        request,
        {**fields, "key": plain},
        status=201,
        headers={"Cache-Control": "no-store", "Location": f"{PREFIX}/api-keys/{key.id}"},
    )


@router.get("/api-keys/{key_id:uuid}", response_model=schema.ApiKeyShape, summary="One API key")
async def get_key(request: Request, key_id: UUID, caller: Owner, connection: Reading) -> Response:
    """A key, without its secret."""
    key = await keys.get_key(connection, caller.workspace_id, key_id)
    if key is None:
        raise NotFound("There is no API key with that id.")
    return reply(request, schema.key_json(key))


@router.delete("/api-keys/{key_id:uuid}", status_code=204, summary="Revoke an API key")
async def revoke_key(
    request: Request, key_id: UUID, caller: Owner, connection: Writing
) -> Response:
    """End a key. It stays listed as revoked."""
    resources = resources_of(request)
    key = await keys.revoke_key(connection, caller.workspace_id, key_id, resources.now())
    if key is None:
        raise NotFound("There is no API key with that id.")
    after_commit(request, resources.authenticator.forget)
    return no_content()


@router.get("/audit", response_model=PageOf[schema.AuditShape], summary="The audit trail")
async def list_audit(
    request: Request,
    pages: Pages,
    caller: Owner,
    connection: Reading,
    table: Annotated[str | None, Query(max_length=63, description="Only this table.")] = None,
    row: Annotated[str | None, Query(max_length=64, description="Only this row's id.")] = None,
) -> Response:
    """Who changed what and when, newest first. Entries are chained by their hashes."""
    page = await trail.list_entries(
        connection,
        caller.workspace_id,
        table=table,
        row_key=row,
        limit=pages.limit,
        cursor=pages.cursor,
    )
    return reply_page(request, page, schema.audit_json)


@router.get("/audit/verify", response_model=schema.AuditVerification, summary="Is the trail whole")
async def verify_audit(request: Request, caller: Owner, connection: Reading) -> Response:
    """Compute every hash of the chain again: a removed or edited entry is found."""
    breaks = await trail.verify(connection, caller.workspace_id)
    entries = await trail.count_entries(connection, caller.workspace_id)
    return reply(request, {"whole": not breaks, "entries": entries, "breaks": breaks})
