"""`convex audit …`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from convex.cli.say import Json, say
from convex.settings import load_settings

app = typer.Typer(help="The audit log.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The audit log."""


@app.command()
def verify(
    workspace: Annotated[
        str | None, typer.Option(help="Slug of one workspace; all of them without it.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Check the hash chain: was a row changed or taken out? Exit 1 if so.

    Example: convex audit verify --workspace acme
    """
    checked = asyncio.run(_verify(workspace))
    lines = []
    for slug, result in checked.items():
        if not result["breaks"]:
            lines.append(f"{slug}: {result['entries']} entries, the chain is whole")
        lines += [f"{slug}: broken at {at['sequence']}: {at['problem']}" for at in result["breaks"]]
    whole = all(not result["breaks"] for result in checked.values())
    say(
        "\n".join(lines) or "There is no workspace yet.",
        {"whole": whole, "workspaces": checked},
        as_json=as_json,
    )
    return 0 if whole else 1


async def _verify(slug: str | None) -> dict[str, dict[str, Any]]:
    from convex.cli.session import find_workspaces, worker_database
    from convex.db import Identity, Role
    from convex.workspaces import audit

    checked: dict[str, dict[str, Any]] = {}
    async with worker_database(load_settings()) as database:
        for workspace in await find_workspaces(database, slug):
            async with database.read(Identity(workspace.id, Role.SYSTEM)) as connection:
                checked[workspace.slug] = {
                    "entries": await audit.count_entries(connection, workspace.id),
                    "breaks": [
                        {"sequence": at.sequence, "problem": at.problem}
                        for at in await audit.verify(connection, workspace.id)
                    ],
                }
    return checked
