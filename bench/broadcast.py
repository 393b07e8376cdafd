"""One event of 500 bytes to 1,000 and 5,000 WebSocket clients: until the last one has it.

    python -m bench.broadcast [--repeat 9] [--clients 1000 5000 10000]

Convex counts from the commit of the event (reading it from PostgreSQL is part of it), Node's ws and
the websockets library from the first send. Goal: at most 0.9 × Node's ws at 1,000 and 5,000, at
most 30 kB a connection, and 10,000 connections held.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psycopg
import uvicorn
import uvloop
from rich.console import Console
from rich.table import Table

from api.app import create_app
from bench.broadcast_clients import raise_limit
from bench.latency import make_workspace
from convex.db import Identity, Role
from convex.db.migrate import migrate
from convex.db.roles import admin_url
from convex.embedded.postgres import EmbeddedPostgres
from convex.embedded.valkey import EmbeddedValkey
from convex.settings import Settings, load_settings

_PEERS = Path(__file__).parent / "peers"
_APPEND = (
    "SELECT convex.append_live_events(%s, ARRAY[NULL::uuid], ARRAY['alert'],"
    " ARRAY[jsonb_build_object('padding', repeat('x', 400))]) AS cursor"
)


@dataclass
class Peer:
    """A server: its command, where clients connect, what they say."""

    name: str
    command: list[str]
    path: str = "/"
    token: str = ""
    env: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None


async def serve(port: int, workspace_id: UUID) -> None:
    """Convex's API; each line on standard input commits an event and wakes the hub."""
    raise_limit()
    app = create_app(load_settings())
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        ws="api.websocket:LiveProtocol",
        ws_ping_interval=None,
        log_level="error",
        access_log=False,
        backlog=8192,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn tells in no other way
        await asyncio.sleep(0.02)
    resources = app.state.resources
    identity = Identity(workspace_id, Role.EDITOR)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        async with resources.database.transaction(identity) as connection:
            row = await (await connection.execute(_APPEND, (workspace_id,))).fetchone()
        began = time.monotonic_ns()
        resources.announcer.announce(workspace_id, row["cursor"], alert_flow=False)
        print(began, flush=True)
    server.should_exit = True
    await serving


@contextmanager
def _child(command: list[str], **env: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


def _until_listening(port: int, child: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server does not start")


def _memory(child: subprocess.Popen[str]) -> int:
    """Resident bytes."""
    text = Path(f"/proc/{child.pid}/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _measure(peers: list[Peer], count: int, repeat: int) -> dict[str, tuple[list[float], float]]:
    """Milliseconds of each round, and kB a connection, by peer; all are up, and take turns."""
    with ExitStack() as stack:
        sides = []
        for peer in peers:
            port = _free_port()
            command = [part.replace("PORT", str(port)) for part in peer.command]
            server = stack.enter_context(_child(command, **peer.env))
            _until_listening(port, server)
            before = _memory(server)
            words = [sys.executable, "-m", "bench.broadcast_clients", str(port), peer.path]
            words += [str(count), *([peer.token] if peer.token else [])]
            clients = stack.enter_context(_child(words))
            assert clients.stdout is not None
            if clients.stdout.readline().strip() != "ready":
                raise RuntimeError(f"the clients of {peer.name} could not connect")
            each = (_memory(server) - before) / count / 1000
            sides.append((peer, server, clients, each))
        times: dict[str, list[float]] = {peer.name: [] for peer in peers}
        for number in range(repeat + 2):
            for peer, server, clients, _ in sides:
                assert server.stdin is not None
                assert server.stdout is not None
                assert clients.stdout is not None
                server.stdin.write("\n")
                server.stdin.flush()
                began = int(server.stdout.readline())
                ended = int(clients.stdout.readline())
                if number >= 2:  # the first two warm up
                    times[peer.name].append((ended - began) / 1e6)
        return {peer.name: (times[peer.name], each) for peer, _, _, each in sides}


def _peers(folder: Path, settings: Settings, workspace_id: UUID, key: str) -> list[Peer]:
    env = {"CONVEX_HOME": str(settings.home), "CONVEX_REDIS_URL": settings.redis_url}
    serving = [sys.executable, "-m", "bench.broadcast", "--serve", "PORT", str(workspace_id)]
    peers = [Peer("convex", serving, "/api/v1/live", key, env)]
    library = [sys.executable, "-m", "bench.peers.websockets_broadcast", "PORT"]
    peers.append(Peer("websockets", library))
    try:
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "ws@8"],
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=180,
        )
    except (OSError, subprocess.SubprocessError):
        return peers  # reported as missing
    script = folder / "ws_broadcast.mjs"
    script.write_text((_PEERS / script.name).read_text())
    return [*peers, Peer("Node ws", ["node", str(script), "PORT"])]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--clients", type=int, nargs="+", default=[1000, 5000, 10_000])
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        uvloop.run(serve(int(options.serve[0]), UUID(options.serve[1])))
        return
    table = Table(title="One event of 500 bytes, ms until the last client has it")
    for heading in ("clients", "convex", "Node ws", "websockets", "ratio to ws", "goal", "kB each"):
        table.add_column(heading)
    with tempfile.TemporaryDirectory(prefix="convex-bench-") as folder:
        Path(folder).chmod(0o755)
        postgres = EmbeddedPostgres(Path(folder) / "home")
        valkey = EmbeddedValkey(Path(folder) / "valkey")
        uvloop.run(_start(postgres, valkey))
        try:
            settings = Settings(home=postgres.home, redis_url=valkey.url)
            migrate(settings)
            key = uvloop.run(make_workspace(settings))
            with psycopg.connect(admin_url(settings)) as admin:
                found = admin.execute("SELECT id FROM convex.workspaces").fetchone()
            assert found is not None
            peers = _peers(Path(folder), settings, found[0], key)
            for count in options.clients:
                measured = _measure(peers, count, options.repeat)
                mine, each = measured["convex"]
                theirs = measured.get("Node ws", ([], 0.0))[0]
                ratio = statistics.median(mine) / statistics.median(theirs) if theirs else None
                table.add_row(
                    f"{count:,}",
                    _spread(mine),
                    _spread(theirs) if theirs else "peer missing",
                    _spread(measured["websockets"][0]),
                    "–" if ratio is None else f"{ratio:.2f}",
                    "≤ 0.9" if count <= 5000 else "held",
                    f"{each:.0f} (≤ 30)",
                )
        finally:
            uvloop.run(_stop(postgres, valkey))
    Console().print(table)


async def _start(postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> None:
    await postgres.start()
    await valkey.start()


async def _stop(postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> None:
    await valkey.stop()
    await postgres.remove()


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f}–{max(values):.1f})"


if __name__ == "__main__":
    main()
