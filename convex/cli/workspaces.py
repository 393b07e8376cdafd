"""`convex workspace …`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from convex.cli.say import Json, say
from convex.settings import load_settings

app = typer.Typer(help="Whole workspaces.", no_args_is_help=True)

_Slug = Annotated[str, typer.Argument(help="Slug of the workspace.")]


class _Form(StrEnum):
    NDJSON = "ndjson"
    PARQUET = "parquet"


@app.callback()
def _group() -> None:
    """Whole workspaces."""


@app.command("export")
def export(
    slug: _Slug,
    out: Annotated[Path | None, typer.Option(help="File to write; SLUG.zip by default.")] = None,
    form: Annotated[_Form, typer.Option("--format", help="Form of the tables.")] = _Form.NDJSON,
    as_json: Json = False,
) -> None:
    """Write all of a workspace's data into a zip: a file a table, a manifest, checksums.

    Example: convex workspace export acme --out acme.zip --format parquet
    """
    done = asyncio.run(_export(slug, out or Path(f"{slug}.zip"), form))
    say(f"{done['rows']} rows in {done['file']} ({done['bytes']} bytes).", done, as_json=as_json)


async def _export(slug: str, out: Path, form: _Form) -> dict[str, Any]:
    from convex.cli.session import choose_workspace, worker_database
    from convex.workspaces.export import export_workspace

    async with worker_database(load_settings()) as database:
        workspace = await choose_workspace(database, slug)
        made = await export_workspace(
            database, workspace.id, out, form=form.value, now=datetime.now(UTC)
        )
    return {
        "workspace": slug,
        "file": str(out),
        "rows": made.rows,
        "bytes": made.bytes,
        "sha256": made.sha256,
    }


@app.command("delete")
def delete(
    slug: _Slug,
    confirm: Annotated[str, typer.Option(help="The slug again, to show that you mean it.")] = "",
    now: Annotated[
        bool, typer.Option("--now", help="At once and for good, without a time to undo it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Schedule the deletion of a workspace, or delete it now.

    Example: convex workspace delete acme --confirm acme
    """
    if confirm != slug:
        raise typer.BadParameter(f"add --confirm {slug} to delete this workspace")
    done = asyncio.run(_delete(slug, at_once=now))
    if now:
        text = f"{slug} is gone: {sum(done['rows'].values())} rows, {done['accounts']} accounts."
    else:
        text = f"{slug} goes on {done['purge_at']}; `convex workspace keep {slug}` undoes it."
    say(text, done, as_json=as_json)


async def _delete(slug: str, *, at_once: bool) -> dict[str, Any]:
    from convex.cli.session import choose_workspace, worker_database
    from convex.db import SYSTEM, Database
    from convex.db.roles import role_url
    from convex.settings import PoolSettings
    from convex.workspaces import deletion

    settings = load_settings()
    pool, marts = PoolSettings(minimum=1, maximum=1), role_url(settings, "convex_dbt")
    async with worker_database(settings) as database:
        workspace = await choose_workspace(database, slug)
        when = datetime.now(UTC)
        async with database.transaction(SYSTEM) as connection:
            if at_once:
                await deletion.cancel_deletion(connection, workspace.id, when)
            asked = await deletion.request_deletion(
                connection,
                workspace.id,
                user_id=None,
                now=when,
                grace=timedelta() if at_once else settings.deletion_grace,
            )
        if not at_once:
            return {"workspace": slug, "purge_at": asked.purge_at.isoformat()}
        async with Database.open(marts, pool, application="convex-cli") as builder:
            done = await deletion.purge(database, builder, settings.home, workspace.id, when)
    assert done is not None
    return {"workspace": slug, "rows": done.rows, "accounts": done.accounts}


@app.command("keep")
def keep(slug: _Slug, as_json: Json = False) -> int:
    """Undo the scheduled deletion of a workspace; exit 1 when there is none.

    Example: convex workspace keep acme
    """
    undone = asyncio.run(_keep(slug))
    text = f"{slug} stays." if undone else f"No deletion of {slug} is scheduled."
    say(text, {"workspace": slug, "undone": undone}, as_json=as_json)
    return 0 if undone else 1


async def _keep(slug: str) -> bool:
    from convex.cli.session import choose_workspace, worker_database
    from convex.db import SYSTEM
    from convex.workspaces import deletion

    async with worker_database(load_settings()) as database:
        workspace = await choose_workspace(database, slug)
        async with database.transaction(SYSTEM) as connection:
            return await deletion.cancel_deletion(connection, workspace.id, datetime.now(UTC))


@app.command("log")
def log(as_json: Json = False) -> None:
    """What happened to whole workspaces, also to those that are gone.

    Example: convex workspace log --json
    """
    entries = asyncio.run(_log())
    lines = [f"{one['at']}  {one['action']}  {one['slug']}  by {one['actor']}" for one in entries]
    say("\n".join(lines) or "Nothing yet.", {"entries": entries}, as_json=as_json)


async def _log() -> list[dict[str, Any]]:
    from convex.cli.session import worker_database
    from convex.db import SYSTEM
    from convex.workspaces import deletion

    async with worker_database(load_settings()) as database, database.read(SYSTEM) as connection:
        return [
            {**row, "at": row["at"].isoformat(), "former_id": str(row["former_id"])}
            for row in await deletion.read_log(connection)
        ]
