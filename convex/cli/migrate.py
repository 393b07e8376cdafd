"""`convex migrate`."""

from __future__ import annotations

from typing import Annotated

import typer

from convex.cli.say import Json, say
from convex.settings import load_settings


def migrate(
    to: Annotated[
        str,
        typer.Option(help="Revision to go to; an older one takes away what came after it."),
    ] = "head",
    as_json: Json = False,
) -> None:
    """Bring the database to today's schema, or back to an older one. Safe to repeat.

    Example: CONVEX_DATABASE_URL=postgresql://admin@db/convex convex migrate
    """
    from convex.cli.up import running_pid
    from convex.db import migrate as schema
    from convex.errors import Conflict

    settings = load_settings()
    if to != "head" and (pid := running_pid(settings.home)) is not None:
        raise Conflict(
            f"Convex runs on {settings.home} (process {pid}); stop it before going back."
        )
    done = schema.migrate(settings, to)
    say("\n".join(done) or "Nothing to do: the schema is current.", {"done": done}, as_json=as_json)
