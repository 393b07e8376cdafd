"""Everything that `convex up` starts, in the order in which it can start, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from convex.cli import processes
from convex.cli.probe import ask, is_well
from convex.embedded.archive import Archive
from convex.embedded.postgres import EmbeddedPostgres
from convex.embedded.process import port_is_free
from convex.embedded.supervisor import ProcessService, Service, Supervisor
from convex.embedded.valkey import EmbeddedValkey
from convex.errors import Conflict, Unavailable
from convex.settings import Settings

# A machine that has just come back may be busy for minutes: slow is not broken.
_SERVER_SECONDS, _READY_SECONDS = 300.0, 300.0


class Stack:
    """One running Convex. `start` and then, whatever happened, `stop`."""

    def __init__(self, settings: Settings, report: Callable[[str], None]) -> None:
        """`report` gets a line for each step, and for each process that died."""
        self._settings = settings
        self._report = report
        self._supervisor = Supervisor(report)
        self._servers: list[Service] = []
        self._prefect: list[Service] = []
        self._workers: list[Service] = []

    async def start(self) -> None:
        """Start everything; returns when /readyz is green.

        Raises `ConvexError` when that fails: `Conflict` for a port that is taken, `Unavailable` for
        a process that does not come up, with the place of its log.
        """
        settings = self._settings
        self._check_ports()
        processes.clear_metrics(settings)
        gate = processes.gate(settings)
        gate.unlink(missing_ok=True)
        self._supervisor.keep_logs_short(settings.home / "logs")
        await self._start_servers()
        migrating = asyncio.create_task(asyncio.to_thread(self._migrate))
        try:
            # Prefect's server takes longest; it needs no more than its database.
            if not await self._prefect_can_connect():
                await migrating
            await self._start_prefect()
            await migrating
        finally:
            migrating.cancel()
        self._report("Starting the API and the workers, setting up Prefect")
        self._workers = list(processes.workers(settings))
        bootstrap = processes.bootstrap(settings)
        try:
            await bootstrap.start()
            await self._supervisor.start(*self._workers, processes.api(settings))
            await self._wait_for_prefect(bootstrap)
        finally:
            await bootstrap.stop()
        gate.touch()
        await self._wait_until_ready()

    async def stop(self) -> None:
        """Stop everything: first who takes requests, then who works, last who keeps the data."""
        self._report("Stopping")
        groups = [self._workers, self._prefect, self._servers]
        await self._supervisor.stop(groups)

    async def _start_servers(self) -> None:
        settings = self._settings
        if not settings.database_url:
            self._servers.append(EmbeddedPostgres(settings.home, archive=_archive(settings)))
        if not settings.redis_url:
            self._servers.append(EmbeddedValkey(settings.home))
        if self._servers:
            names = " and ".join(server.name for server in self._servers)
            self._report(f"Starting {names}")
            await self._supervisor.start(*self._servers)

    def _migrate(self) -> None:
        from convex.db.migrate import migrate

        for line in migrate(self._settings):
            self._report(line[0].upper() + line[1:])

    async def _start_prefect(self) -> None:
        from convex.db.roles import prefect_url

        self._report("Starting Prefect")
        server = processes.prefect_server(self._settings, prefect_url(self._settings))
        self._prefect.append(server)
        await self._supervisor.start(server)

    async def _prefect_can_connect(self) -> bool:
        """Whether Prefect's database is there already, as on every start but the first."""
        import psycopg

        from convex.db.roles import prefect_url

        url = prefect_url(self._settings).replace("postgresql+asyncpg://", "postgresql://", 1)
        with suppress(psycopg.OperationalError):
            async with await psycopg.AsyncConnection.connect(url, connect_timeout=5):
                return True
        return False

    async def _wait_for_prefect(self, bootstrap: ProcessService) -> None:
        child = bootstrap.child
        assert child is not None
        if await child.wait(_SERVER_SECONDS) != 0:
            raise Unavailable(
                f"Prefect could not be set up: {last_line(bootstrap.log)} (see {bootstrap.log} and"
                f" {bootstrap.log.with_name('prefect.log')})."
            )

    async def _wait_until_ready(self) -> None:
        settings = self._settings
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _READY_SECONDS
        while not await is_well(settings.host, settings.api_port, "/readyz"):
            if loop.time() > deadline:
                answer = await ask(settings.host, settings.api_port, "/readyz")
                said = answer[1].decode(errors="replace")[-300:] if answer else "no answer"
                raise Unavailable(
                    f"Convex is not ready after {_READY_SECONDS:.0f} s: {said}; the logs are in"
                    f" {settings.home / 'logs'}."
                )
            await asyncio.sleep(0.1)

    def _check_ports(self) -> None:
        host = self._settings.host
        for port, variable in (
            (self._settings.api_port, "CONVEX_API_PORT"),
            (self._settings.prefect_port, "CONVEX_PREFECT_PORT"),
        ):
            if not port_is_free(port, host):
                raise Conflict(f"Port {port} is taken; set {variable} to one that is free.")


def _archive(settings: Settings) -> Archive | None:
    wanted = settings.backup
    if not wanted.wal_archive:
        return None
    return Archive(Path(wanted.wal_archive).expanduser().resolve(), wanted.wal_archive_every)


def last_line(log: Path) -> str:
    """The last line that was written, or that there is none."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    written = [line.strip() for line in lines if line.strip()]
    return written[-1] if written else "it said nothing"
