"""The database for commands that work in it: as convex_worker, which may act for every workspace.

Whoever can read the home's secrets can become any role anyway, so a command on this machine needs
no sign-in of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from convex.db import SYSTEM, Database
from convex.db.roles import role_url
from convex.errors import NotFound
from convex.settings import PoolSettings, Settings
from convex.workspaces import store
from convex.workspaces.model import Workspace


@asynccontextmanager
async def worker_database(settings: Settings) -> AsyncIterator[Database]:
    """A small pool as convex_worker. Raises `Unavailable` or psycopg's errors without a server."""
    pool = PoolSettings(minimum=1, maximum=2)
    url = role_url(settings, "convex_worker")
    async with Database.open(url, pool, application="convex-cli") as database:
        yield database


async def find_workspaces(database: Database, slug: str | None) -> list[Workspace]:
    """The workspace named, or all of them. Raises `NotFound` for a name that there is not."""
    async with database.read(SYSTEM) as connection:
        workspaces = await store.list_workspaces(connection)
    if slug is None:
        return workspaces
    chosen = [workspace for workspace in workspaces if workspace.slug == slug]
    if not chosen:
        known = ", ".join(workspace.slug for workspace in workspaces) or "none yet"
        raise NotFound(f"There is no workspace {slug!r}; there are: {known}.")
    return chosen


async def choose_workspace(database: Database, slug: str | None) -> Workspace:
    """The workspace named, or the only one. Raises `NotFound` when that leaves a choice."""
    workspaces = await find_workspaces(database, slug)
    if len(workspaces) != 1:
        known = ", ".join(workspace.slug for workspace in workspaces) or "none yet"
        raise NotFound(f"Say which workspace by --workspace; there are: {known}.")
    return workspaces[0]
