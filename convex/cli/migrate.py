"""`convex migrate`."""

from __future__ import annotations

from convex.cli.say import Json, say
from convex.settings import load_settings


def migrate(as_json: Json = False) -> None:
    """Bring the database to today's schema. Safe to repeat.

    Example: CONVEX_DATABASE_URL=postgresql://admin@db/convex convex migrate
    """
    from convex.db import migrate as schema

    done = schema.migrate(load_settings())
    say("\n".join(done) or "Nothing to do: the schema is current.", {"done": done}, as_json=as_json)
