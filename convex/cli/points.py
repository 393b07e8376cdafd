"""`convex ingest`."""

from __future__ import annotations

import asyncio
import glob
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convex.cli.say import Json, progress_bar, say
from convex.settings import load_settings

if TYPE_CHECKING:
    from uuid import UUID

    from convex.db import Connection


class _Format(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


def ingest(
    file: Annotated[
        Path,
        typer.Argument(help="File of points; text may be gzipped.", exists=True, dir_okay=False),
    ],
    framework: Annotated[
        str | None,
        typer.Option(
            help="Slug of the framework that the points belong to; made if there is none."
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric, where the file has no such column.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        _Format | None, typer.Option(help="How the file is written; told by its name without it.")
    ] = None,
    workspace: Annotated[
        str | None, typer.Option(help="Slug of the workspace; not needed while there is only one.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Alert as for points that come in; without it, never.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Ingest a file of points as history and evaluate them, batch by batch.

    What they would have triggered is kept for analytics and told to nobody.
    Ingesting the same file again changes nothing. Exit 1 when no row could be taken up.

    Example: convex ingest points.csv --framework checkout --metric error_rate
    """
    config: dict[str, Any] = {"path": glob.escape(file.name)}
    given = {"framework": framework, "metric": metric, "format": format and format.value}
    config |= {name: value for name, value in given.items() if value is not None}
    counts = asyncio.run(_ingest(file, config, workspace, history=None if live else True))
    say(
        "{accepted} points accepted, {corrected} corrected, {unchanged} unchanged,"
        " {rejected} rejected; {triggers} triggers.".format_map(counts),
        counts,
        as_json=as_json,
    )
    taken = counts["accepted"] + counts["corrected"] + counts["unchanged"]
    return 1 if counts["rejected"] and not taken else 0


async def _ingest(
    file: Path, config: dict[str, Any], slug: str | None, *, history: bool | None
) -> dict[str, int]:
    from dataclasses import replace
    from datetime import UTC, datetime

    from convex.alerts.ingest import ingest_points
    from convex.cli.session import choose_workspace, worker_database
    from convex.db import SYSTEM, Identity, Role
    from convex.db.roles import role_url
    from convex.embedded.valkey import redis_url
    from convex.live import Announcer
    from convex.metrics.partitions import ensure_partitions
    from convex.metrics.sources import FileConfig
    from convex.metrics.sources.files import read_batches

    settings = load_settings()
    counts = dict.fromkeys(("accepted", "corrected", "unchanged", "rejected", "triggers"), 0)
    wakes = Announcer.open(role_url(settings, "convex_worker"), redis_url(settings))
    batches = read_batches(FileConfig.parse(config), {}, file.parent, source=f"file:{file.name}")
    async with worker_database(settings) as database, wakes as announcer:
        workspace = await choose_workspace(database, slug)
        identity = Identity(workspace.id, Role.SYSTEM)
        if framework := config.get("framework"):
            async with database.transaction(identity) as connection:
                await _make_sure_of(connection, workspace.id, framework)
        with progress_bar(file.name) as show:
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                async with database.transaction(SYSTEM) as connection:
                    await ensure_partitions(connection, batch.points)
                points = replace(batch.points, history=history)
                async with database.transaction(identity) as connection:
                    result = await ingest_points(
                        connection, workspace.id, points, now=datetime.now(UTC)
                    )
                announcer.announce(workspace.id, result.cursor)
                counts["accepted"] += result.accepted
                counts["corrected"] += result.corrected
                counts["unchanged"] += result.unchanged
                counts["rejected"] += result.rejected
                counts["triggers"] += len(result.trigger_ids)
                show(batch.progress)
    return counts


async def _make_sure_of(connection: Connection, workspace_id: UUID, slug: str) -> None:
    from convex.errors import NotFound
    from convex.frameworks import service

    try:
        await service.get_framework(connection, workspace_id, slug)
    except NotFound:
        await service.create_framework(connection, workspace_id, slug=slug, name=slug)
