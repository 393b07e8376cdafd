"""`convex patterns …`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from convex.cli.say import Json, say
from convex.settings import load_settings

app = typer.Typer(help="Patterns in when alerts fire.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Patterns in when alerts fire."""


@app.command()
def run(
    workspace: Annotated[
        str | None, typer.Option(help="Slug of one workspace; all of them without it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for patterns now, as detect-patterns does every six hours.

    Example: convex patterns run --workspace acme
    """
    reports = asyncio.run(_run(workspace))
    lines = []
    for slug, report in reports.items():
        lines.append(
            f"{slug}: {report['patterns']} patterns in {report['triggers']:,} triggers of"
            f" {report['rules']:,} rules ({report['seconds']:.1f} s)"
        )
        lines += [f"  new: {title}" for title in report["appeared"]]
        lines += [
            f"  {one['type']}: not enough history for {one['too_short']} rules"
            f" (it takes {one['needs']})"
            for one in report["tested"]
            if one["too_short"]
        ]
    say(
        "\n".join(lines) or "There is no workspace yet.",
        {"patterns": sum(r["patterns"] for r in reports.values()), "workspaces": reports},
        as_json=as_json,
    )


async def _run(slug: str | None) -> dict[str, dict[str, Any]]:
    from datetime import UTC, datetime

    from convex.cache import Area, Cache, CacheServer
    from convex.cli.session import find_workspaces, worker_database
    from convex.db import Identity, Role
    from convex.db.roles import role_url
    from convex.embedded.valkey import redis_url
    from convex.live import Announcer
    from convex.patterns import service

    settings = load_settings()
    reports: dict[str, dict[str, Any]] = {}
    redis, url = redis_url(settings), role_url(settings, "convex_worker")
    async with (
        worker_database(settings) as database,
        CacheServer.open(redis) as server,
        Announcer.open(url, redis) as wakes,
    ):
        for each in await find_workspaces(database, slug):
            identity, now = Identity(each.id, Role.SYSTEM), datetime.now(UTC)
            async with database.read(identity) as connection:
                loaded, before = await service.read(connection, each.id, each.timezone, now)
            looked = await asyncio.to_thread(service.look, loaded, before=before)
            async with database.transaction(identity) as connection:
                report = await service.save(connection, each.id, looked)
            await Cache(server).forget(each.id, Area.PATTERNS)
            if report.cursor is not None:
                wakes.announce(each.id, report.cursor)
            reports[each.slug] = report.as_json()
    return reports
