"""What Convex needs, checked now: PostgreSQL, its schema, Redis, an alert flow at work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import psycopg
from psycopg_pool import PoolTimeout

from api.resources import Resources
from convex.db import Identity, Role
from convex.db.migrate import is_current
from convex.db.roles import role_url
from convex.live import store

_PATIENCE = 3.0


@dataclass(frozen=True, slots=True)
class Check:
    """One answer; `detail` says what is wrong and what to do."""

    ok: bool
    detail: str = ""


async def check_all(resources: Resources) -> dict[str, Check]:
    """Every check by name; none raises, and all together take at most a few seconds."""
    database, redis, migrations = await asyncio.gather(
        _database(resources), _redis(resources), _migrations(resources)
    )
    return {
        "database": database[0],
        "redis": redis,
        "migrations": migrations,
        "alert_flow": database[1],
    }


async def _database(resources: Resources) -> tuple[Check, Check]:
    try:
        async with (
            asyncio.timeout(_PATIENCE),
            resources.database.read(Identity(None, Role.VIEWER)) as connection,
        ):
            alive = await store.alert_flow_is_alive(connection)
    except (psycopg.Error, PoolTimeout, OSError, TimeoutError) as error:
        lost = Check(False, f"PostgreSQL does not answer ({type(error).__name__}).")
        return lost, Check(False, "Unknown while PostgreSQL does not answer.")
    flow = Check(alive, "" if alive else "No alert flow is at work; see the Prefect server.")
    return Check(True), flow


async def _redis(resources: Resources) -> Check:
    try:
        async with asyncio.timeout(_PATIENCE):
            answers = await resources.cache_server.answers()
    except TimeoutError:
        answers = False
    return Check(answers, "" if answers else "Redis does not answer; alerts are up to 1 s later.")


async def _migrations(resources: Resources) -> Check:
    url = role_url(resources.settings, "convex_api")
    try:
        async with asyncio.timeout(_PATIENCE):
            current = await asyncio.to_thread(is_current, url)
    except (psycopg.Error, OSError, TimeoutError) as error:
        return Check(False, f"Unknown while PostgreSQL does not answer ({type(error).__name__}).")
    return Check(current, "" if current else "The schema is not the newest; run `convex migrate`.")
