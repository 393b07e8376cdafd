"""What `convex doctor` looks at. Each check says in words what it found and what to do."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from convex.cli.probe import ask, ask_json, is_well
from convex.cli.processes import POOL
from convex.cli.up import running_pid
from convex.embedded import cluster, valkey
from convex.embedded.process import port_is_free
from convex.errors import ConvexError
from convex.settings import Settings

_SPACE = 2_000_000_000


class Result(StrEnum):
    """How a check ended; `off` is a part that is not in use, which is no problem."""

    OK = "ok"
    OFF = "off"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    check: str
    result: Result
    found: str
    remedy: str = ""


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """All findings, in the order in which one thing needs the other."""
    pid = running_pid(settings.home)
    yield _python()
    yield _programs(settings)
    yield _home(settings.home)
    yield _space(settings.home)
    yield _running(settings, pid)
    for port, variable in (
        (settings.api_port, "CONVEX_API_PORT"),
        (settings.prefect_port, "CONVEX_PREFECT_PORT"),
    ):
        yield _port(settings, port, variable, pid)
    database = await asyncio.to_thread(_database, settings, pid)
    yield database
    if database.result is Result.OK:
        yield await asyncio.to_thread(_migrations, settings)
        yield await asyncio.to_thread(_archive, settings)
    yield await asyncio.to_thread(_redis, settings, pid)
    if pid is not None:
        yield await _prefect(settings)
        yield await _workers(settings)
        yield await _readiness(settings)
    yield await _smtp(settings)


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("python", Result.OK, f"Python {version}")
    return Finding(
        "python", Result.PROBLEM, f"Python {version}", "Install Python 3.11, 3.12 or 3.13."
    )


def _programs(settings: Settings) -> Finding:
    found = []
    try:
        if not settings.database_url:
            found.append(str(cluster.programs() / "postgres"))
        if not settings.redis_url:
            found.append(str(valkey.program()))
    except ConvexError as error:
        return Finding("programs", Result.PROBLEM, error.message, "Run `uv sync --frozen`.")
    for program in found:
        if not os.access(program, os.X_OK):
            return Finding(
                "programs", Result.PROBLEM, f"{program} may not be run", f"chmod +x {program}"
            )
    return Finding(
        "programs", Result.OK, "embedded servers are installed" if found else "not needed"
    )


def _home(home: Path) -> Finding:
    folder = next(each for each in (home, *home.parents) if each.exists())
    who = f"user {os.geteuid()}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(
            "home",
            Result.PROBLEM,
            f"{home} cannot be written by {who}",
            f"Give {folder} to this user, or set CONVEX_HOME to a folder that is.",
        )
    owner = folder.stat().st_uid
    if home.exists() and owner != os.geteuid():
        return Finding(
            "home",
            Result.PROBLEM,
            f"{home} belongs to user {owner}, and this is {who}",
            f"Run Convex as user {owner}, or set CONVEX_HOME to a folder of your own.",
        )
    return Finding("home", Result.OK, f"{home} can be written by {who}")


def _space(home: Path) -> Finding:
    folder = next(each for each in (home, *home.parents) if each.exists())
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free for {home}"
    if free >= _SPACE:
        return Finding("disk", Result.OK, found)
    return Finding("disk", Result.PROBLEM, found, "Make room: 2 GB at least.")


def _running(settings: Settings, pid: int | None) -> Finding:
    if pid is None:
        return Finding("up", Result.OFF, f"nothing runs on {settings.home}", "Start: convex up")
    return Finding("up", Result.OK, f"`convex up` runs as process {pid}")


def _port(settings: Settings, port: int, variable: str, pid: int | None) -> Finding:
    free = port_is_free(port, settings.host)
    if pid is None and not free:
        return Finding(
            "port", Result.PROBLEM, f"{port} is taken", f"Set {variable} to a port that is free."
        )
    if pid is not None and free:
        return Finding(
            "port",
            Result.PROBLEM,
            f"nobody listens on {port}",
            f"See {settings.home / 'logs'}; start again with the {variable} that you use here.",
        )
    return Finding("port", Result.OK, f"{port} is {'free' if free else 'served'}")


def _database(settings: Settings, pid: int | None) -> Finding:
    import psycopg

    from convex.db.roles import admin_url

    if not settings.database_url and pid is None:
        return Finding("database", Result.OFF, "the embedded PostgreSQL is not running")
    try:
        with psycopg.connect(admin_url(settings), connect_timeout=5) as connection:
            version = connection.info.server_version
    except (psycopg.OperationalError, ConvexError) as error:
        return Finding(
            "database",
            Result.PROBLEM,
            " ".join(str(error).split()),
            "Check CONVEX_DATABASE_URL and that its server runs."
            if settings.database_url
            else f"See {settings.home / 'logs' / 'postgres.log'}.",
        )
    found = f"PostgreSQL {version // 10000}.{version % 10000} answers"
    if version < 150000:
        return Finding("database", Result.PROBLEM, found, "Use PostgreSQL 15 or newer.")
    return Finding("database", Result.OK, found)


def _migrations(settings: Settings) -> Finding:
    import psycopg

    from convex.db.migrate import is_current
    from convex.db.roles import admin_url

    with suppress(psycopg.Error):
        if is_current(admin_url(settings)):
            return Finding("migrations", Result.OK, "the schema is current")
    return Finding("migrations", Result.PROBLEM, "the schema is not current", "Run: convex migrate")


def _archive(settings: Settings) -> Finding:
    """A log that cannot be archived is kept by PostgreSQL, until the disk is full."""
    import psycopg

    from convex.db.census import read_archiver
    from convex.db.roles import admin_url

    folder = settings.backup.wal_archive
    if not folder or settings.database_url:
        return Finding("archive", Result.OFF, "the database's log is not archived by Convex")
    try:
        found = read_archiver(admin_url(settings))
    except psycopg.Error as error:
        return Finding("archive", Result.PROBLEM, " ".join(str(error).split()))
    if not found["archives"]:
        return Finding(
            "archive", Result.PROBLEM, f"nothing is archived to {folder} yet", "Start Convex again."
        )
    if found["fails"]:
        return Finding(
            "archive",
            Result.PROBLEM,
            f"{found['last_failed_wal']} cannot be archived to {folder}",
            f"Make room or give access there; see {settings.home / 'logs' / 'postgres.log'}.",
        )
    return Finding("archive", Result.OK, f"the log is archived to {folder}")


def _redis(settings: Settings, pid: int | None) -> Finding:
    import redis
    from redis.exceptions import RedisError

    if not settings.redis_url and pid is None:
        return Finding("redis", Result.OFF, "the embedded Valkey is not running")
    try:
        url = valkey.redis_url(settings)
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
    except (RedisError, OSError, ValueError, ConvexError) as error:
        return Finding(
            "redis",
            Result.PROBLEM,
            " ".join(str(error).split()),
            "Check CONVEX_REDIS_URL and that its server runs. Until then everything is slower,"
            " and nothing is lost."
            if settings.redis_url
            else f"See {settings.home / 'logs' / 'valkey.log'}.",
        )
    return Finding("redis", Result.OK, "Redis answers")


async def _prefect(settings: Settings) -> Finding:
    if await is_well(settings.host, settings.prefect_port, "/api/health"):
        return Finding("prefect", Result.OK, "its server answers")
    return Finding(
        "prefect",
        Result.PROBLEM,
        f"its server does not answer on port {settings.prefect_port}",
        f"See {settings.home / 'logs' / 'prefect.log'}.",
    )


async def _workers(settings: Settings) -> Finding:
    path = f"/api/work_pools/{POOL}/workers/filter"
    listed = await ask_json(settings.host, settings.prefect_port, path, b"{}")
    online = sorted(
        worker["name"]
        for worker in (listed if isinstance(listed, list) else [])
        if worker.get("status") == "ONLINE"
    )
    if {"convex-notifications", "convex-others"} <= set(online):
        return Finding("workers", Result.OK, f"online: {', '.join(online)}")
    return Finding(
        "workers",
        Result.PROBLEM,
        f"online: {', '.join(online) or 'none'} of two",
        f"See {settings.home / 'logs' / 'worker-notifications.log'} and worker-others.log.",
    )


async def _readiness(settings: Settings) -> Finding:
    answer = await ask(settings.host, settings.api_port, "/readyz")
    if answer is not None and answer[0] == 200:
        return Finding("ready", Result.OK, "/readyz is green: the alert flow is at work")
    said = answer[1].decode(errors="replace") if answer else "the API does not answer"
    return Finding(
        "ready",
        Result.PROBLEM,
        " ".join(said.split()),
        f"See {settings.home / 'logs' / 'api.log'}.",
    )


async def _smtp(settings: Settings) -> Finding:
    smtp = settings.smtp
    if not smtp.host:
        return Finding(
            "smtp", Result.OFF, "e-mail is not configured", "Set CONVEX_SMTP__HOST to use it."
        )
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(smtp.host, smtp.port)
        writer.close()
    except (OSError, TimeoutError) as error:
        return Finding(
            "smtp",
            Result.PROBLEM,
            f"{smtp.host}:{smtp.port} does not answer ({error or 'too slow'})",
            "Check CONVEX_SMTP__HOST and CONVEX_SMTP__PORT.",
        )
    return Finding("smtp", Result.OK, f"{smtp.host}:{smtp.port} answers")
