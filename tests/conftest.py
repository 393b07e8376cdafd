"""Fixtures on real servers: a throw-away PostgreSQL and Valkey for the session.

`settings`, `api`, `worker` and `tenant` share one migrated database: each test has a tenant of its
own, so nothing that obeys row level security can meet another test's rows. Tests that act for all
workspaces (flows), or that break the server's database, take `fresh_settings`: a clone of their
own, as quick to make as a file copy. Nobody connects as the owner.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from convex.db import SYSTEM, Database, Identity, Role
from convex.db.migrate import migrate
from convex.db.roles import role_url
from convex.embedded.postgres import EmbeddedPostgres, throwaway_postgres
from convex.embedded.valkey import EmbeddedValkey
from convex.secrets import load_secrets
from convex.settings import Settings

_PASSWORD_HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$invalid"  # nobody signs in with it


@dataclass(frozen=True, slots=True)
class Tenant:
    """A workspace with one owner."""

    workspace_id: UUID
    user_id: UUID
    slug: str
    email: str

    def identity(self, role: Role = Role.OWNER, user_id: UUID | None = None) -> Identity:
        """Someone of this workspace; by default its owner."""
        return Identity(self.workspace_id, role, user_id or self.user_id)

    @property
    def flow(self) -> Identity:
        """The flows, at work for this workspace alone."""
        return Identity(self.workspace_id, Role.SYSTEM)


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Refuse every connection that would leave this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            local = host == "localhost" or ipaddress.ip_address(host.split("%")[0]).is_loopback
            if not local:
                raise AssertionError(f"a test tried to reach {host}")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest_asyncio.fixture(scope="session")
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    """The session's server; its database `convex` is migrated and only ever cloned."""
    async with throwaway_postgres() as server:
        await asyncio.to_thread(migrate, Settings(home=server.home))
        yield server


@pytest_asyncio.fixture(scope="session")
async def redis_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A Valkey of the session's own."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    await server.start()
    yield server.url
    await server.stop()


@pytest.fixture(scope="session")
def clone(
    postgres: EmbeddedPostgres, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Settings]:
    """Makes a database like the migrated one, and settings (with a home) that lead to it."""
    secrets = load_secrets(Settings(home=postgres.home))

    def make() -> Settings:
        name = f"test_{uuid4().hex[:12]}"
        with psycopg.connect(postgres.url, autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE convex").format(sql.Identifier(name))
            )
            admin.execute(
                sql.SQL("GRANT CREATE, CONNECT ON DATABASE {} TO convex_dbt").format(
                    sql.Identifier(name)
                )
            )
        url = postgres.url.rpartition("/")[0] + f"/{name}"
        home: Path = tmp_path_factory.mktemp("home")
        return Settings(home=home, database_url=url, redis_url=redis_url, secrets=secrets)

    return make


@pytest.fixture(scope="session")
def settings(clone: Callable[[], Settings]) -> Settings:
    """The database that most tests share."""
    return clone()


@pytest.fixture
def fresh_settings(clone: Callable[[], Settings]) -> Settings:
    """A database of this test's own."""
    return clone()


@pytest_asyncio.fixture(scope="session")
async def api(settings: Settings) -> AsyncIterator[Database]:
    """The shared database as convex_api."""
    async with Database.open(role_url(settings, "convex_api"), settings.pool) as database:
        yield database


@pytest_asyncio.fixture(scope="session")
async def worker(settings: Settings) -> AsyncIterator[Database]:
    """The shared database as convex_worker."""
    async with Database.open(role_url(settings, "convex_worker"), settings.pool) as database:
        yield database


@pytest_asyncio.fixture
async def fresh_api(fresh_settings: Settings) -> AsyncIterator[Database]:
    """This test's own database as convex_api."""
    async with Database.open(role_url(fresh_settings, "convex_api")) as database:
        yield database


@pytest_asyncio.fixture
async def fresh_worker(fresh_settings: Settings) -> AsyncIterator[Database]:
    """This test's own database as convex_worker."""
    async with Database.open(role_url(fresh_settings, "convex_worker")) as database:
        yield database


async def make_tenant(worker: Database, password_hash: str = _PASSWORD_HASH) -> Tenant:
    """A new workspace with its owner, made as the flows' login may."""
    name = f"t-{uuid4().hex[:12]}"
    email = f"{name}@example.com"
    async with worker.transaction(SYSTEM) as connection:
        row = await (
            await connection.execute(
                "WITH owner AS (SELECT convex.create_user(%s, %s, %s) AS id)"
                " SELECT id AS user_id, convex.create_workspace(%s, %s, id) AS workspace_id"
                " FROM owner",
                (email, name, password_hash, name, name),
            )
        ).fetchone()
    assert row is not None
    return Tenant(row["workspace_id"], row["user_id"], name, email)


@pytest_asyncio.fixture
async def tenant(worker: Database) -> Tenant:
    """A workspace of this test's own in the shared database."""
    return await make_tenant(worker)


@pytest_asyncio.fixture
async def other_tenant(worker: Database) -> Tenant:
    """Somebody else's workspace in the same database."""
    return await make_tenant(worker)
