"""`convex user …` and `convex key …`."""

from __future__ import annotations

import asyncio
import secrets
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convex.cli.say import Json, say
from convex.settings import load_settings

if TYPE_CHECKING:
    from uuid import UUID

    from convex.db import Connection

users = typer.Typer(help="People.", no_args_is_help=True)
keys = typer.Typer(help="API keys.", no_args_is_help=True)


class _Role(StrEnum):
    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"


class _Scope(StrEnum):
    READ = "read"
    INGEST = "ingest"
    WRITE = "write"


@users.callback()
def _users() -> None:
    """People."""


@keys.callback()
def _keys() -> None:
    """API keys."""


@users.command("create")
def create_user(
    email: Annotated[str, typer.Argument(help="Address to sign in with.")],
    name: Annotated[
        str, typer.Option(help="Name to show; the address's first part by default.")
    ] = "",
    workspace: Annotated[
        str | None,
        typer.Option(
            help="Slug of the workspace to join; it is made if there is none of that name."
        ),
    ] = None,
    role: Annotated[
        _Role, typer.Option(help="Role there; a new workspace's first is owner.")
    ] = _Role.OWNER,
    password: Annotated[
        str | None,
        typer.Option(
            envvar="CONVEX_USER_PASSWORD",
            help="Password; one is made up and shown once without it.",
            show_envvar=True,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Create a person and make them a member of a workspace.

    Example: convex user create ada@example.com --workspace acme --role owner
    """
    chosen = password or secrets.token_urlsafe(12)
    made = asyncio.run(
        _create_user(email, name or email.partition("@")[0], workspace, role, chosen)
    )
    if password is None:
        made["password"] = chosen
    text = f"{email} is {made['role']} of the workspace {made['workspace']}."
    if password is None:
        text += f"\nPassword (shown this once): {chosen}"
    say(text, made, as_json=as_json)


async def _create_user(
    email: str, name: str, slug: str | None, role: _Role, password: str
) -> dict[str, Any]:
    from convex.cli.session import worker_database
    from convex.db import SYSTEM, Role
    from convex.workspaces import service, store

    async with worker_database(load_settings()) as database:
        async with database.transaction(SYSTEM) as connection:
            user = await service.create_user(connection, email=email, name=name, password=password)
            workspace = await _workspace(connection, slug)
            if workspace is None:
                slug = slug or "main"
                await service.create_workspace(
                    connection, slug=slug, name=slug.replace("-", " ").title(), owner_id=user.id
                )
                joined = (slug, Role.OWNER)
            else:
                workspace_id, slug = workspace
                joined = (slug, Role(role.value))
                await service.add_member(connection, workspace_id, user.id, joined[1])
        async with database.read(SYSTEM) as connection:
            account = await store.find_account(connection, email)
    assert account is not None
    return {
        "id": str(account.user.id),
        "email": account.user.email,
        "workspace": joined[0],
        "role": joined[1].value,
    }


async def _workspace(connection: Connection, slug: str | None) -> tuple[UUID, str] | None:
    """The one named, or the only one; None when it has to be made."""
    from convex.errors import InvalidInput
    from convex.workspaces import store

    found = await store.list_workspaces(connection)
    if slug is not None:
        found = [workspace for workspace in found if workspace.slug == slug]
    if len(found) > 1:
        known = ", ".join(workspace.slug for workspace in found)
        raise InvalidInput(f"Say which workspace by --workspace; there are: {known}.")
    return (found[0].id, found[0].slug) if found else None


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    workspace: Annotated[
        str | None, typer.Option(help="Slug of the workspace; not needed while there is only one.")
    ] = None,
    scope: Annotated[
        list[_Scope] | None,
        typer.Option(help="What it may do; repeat for several. read by default."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Create an API key, which is shown this once.

    Example: convex key create collector --workspace acme --scope ingest --scope read
    """
    made = asyncio.run(
        _create_key(name, workspace, [item.value for item in scope or [_Scope.READ]])
    )
    say(
        f"{made['key']}\nKeep it now: it cannot be shown again.",
        made,
        as_json=as_json,
    )


async def _create_key(name: str, slug: str | None, scopes: list[str]) -> dict[str, Any]:
    from convex.cli.session import choose_workspace, worker_database
    from convex.db import Identity, Role
    from convex.workspaces import service

    async with worker_database(load_settings()) as database:
        workspace = await choose_workspace(database, slug)
        async with database.transaction(Identity(workspace.id, Role.SYSTEM)) as connection:
            key, plain = await service.create_api_key(
                connection, workspace.id, name=name, scopes=scopes
            )
    return {
        "id": str(key.id),
        "name": key.name,
        "workspace": workspace.slug,
        "scopes": key.scopes,
        "key": plain,
    }
