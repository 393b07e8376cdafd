"""The embedded PostgreSQL: first start, next starts, and what an unkind end leaves behind."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from signal import Signals

import psycopg
import pytest
import pytest_asyncio

from convex.embedded.postgres import EmbeddedPostgres, read_url, throwaway_postgres
from convex.errors import Conflict, Unavailable


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that every user may pass through (pytest's own folders are private)."""
    path = Path(tempfile.mkdtemp(prefix="convex-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest_asyncio.fixture
async def server(home: Path) -> AsyncIterator[EmbeddedPostgres]:
    embedded = EmbeddedPostgres(home, durable=False)
    yield embedded
    await embedded.remove()


async def ask(url: str, question: str) -> object:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        row = await (await connection.execute(question)).fetchone()
        return row[0] if row else None


async def test_keeps_data_port_and_password_over_a_restart(server: EmbeddedPostgres) -> None:
    first = await server.start()
    async with await psycopg.AsyncConnection.connect(first) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    await server.stop()
    assert not await server.healthy()
    assert await server.start() == first == server.url == read_url(server.home)
    assert await ask(first, "SELECT answer FROM kept") == 42
    assert await server.healthy()


async def test_is_set_up_as_promised(home: Path) -> None:
    durable = EmbeddedPostgres(home)
    try:
        url = await durable.start()
        for name, value in {
            "shared_buffers": "256MB",
            "synchronous_commit": "on",
            "fsync": "on",
            "max_connections": "200",
            "listen_addresses": "127.0.0.1",
            "server_encoding": "UTF8",
            "TimeZone": "UTC",
        }.items():
            assert await ask(url, f"SHOW {name}") == value
        assert (home / "postgres.json").stat().st_mode & 0o777 == 0o600
        socket_url = f"{url}?host={durable.sockets}"
        assert await ask(socket_url, "SELECT inet_client_addr() IS NULL") is True
    finally:
        await durable.remove()


async def test_asks_for_the_password(server: EmbeddedPostgres) -> None:
    url = await server.start()
    host = url.rpartition("@")[2]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await psycopg.AsyncConnection.connect(f"postgresql://postgres:wrong@{host}")


async def test_recovers_after_it_was_killed(server: EmbeddedPostgres) -> None:
    url = await server.start()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert server.child is not None
    server.child.send(Signals.SIGKILL)
    await server.child.wait()
    assert not await server.healthy()
    await server.stop()
    assert await ask(await server.start(), "SELECT answer FROM kept") == 42


async def test_takes_no_foreign_process_for_its_own(server: EmbeddedPostgres) -> None:
    """A pid file whose number now belongs to something else does not stop the start."""
    await server.start()
    assert server.child is not None
    server.child.send(Signals.SIGKILL)
    await server.child.wait()
    await server.stop()
    pid_file = next(server.home.glob("postgres/data")) / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    await server.start()
    assert await server.healthy()


async def test_takes_another_port_when_its_own_is_taken(server: EmbeddedPostgres) -> None:
    first = psycopg.conninfo.conninfo_to_dict(await server.start())
    await server.stop()
    with socket.create_server(("127.0.0.1", int(str(first["port"])))):
        second = psycopg.conninfo.conninfo_to_dict(await server.start())
    assert first["port"] != second["port"]
    assert first["password"] == second["password"]


async def test_says_that_a_home_is_in_use(server: EmbeddedPostgres) -> None:
    await server.start()
    with pytest.raises(Conflict, match="another process"):
        await EmbeddedPostgres(server.home).start()
    assert await server.healthy()


async def test_two_homes_live_side_by_side(server: EmbeddedPostgres) -> None:
    await server.start()
    async with throwaway_postgres() as other:
        assert other.url != server.url
        assert await ask(other.url, "SELECT 1") == 1
        assert await server.healthy()
        gone = other.home
    assert not list(gone.parent.glob(gone.name))
    assert not list(other.sockets.parent.glob(other.sockets.name))


async def test_says_how_to_start_what_was_never_started(home: Path) -> None:
    with pytest.raises(Unavailable, match="convex up"):
        read_url(home)


async def test_refuses_data_of_another_version(server: EmbeddedPostgres) -> None:
    await server.start()
    await server.stop()
    version = next(server.home.glob("postgres/data")) / "PG_VERSION"
    version.write_text("15\n")
    with pytest.raises(Unavailable, match="pg_dumpall"):
        await server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hide from itself")
async def test_a_private_home_of_root_keeps_its_data_where_the_server_can_reach_it(
    tmp_path: Path,
) -> None:
    home = tmp_path  # pytest's folders are private
    hidden = EmbeddedPostgres(home, durable=False)
    try:
        await hidden.start()
        assert await hidden.healthy()
        assert not list(home.glob("postgres/data"))
    finally:
        await hidden.remove()
