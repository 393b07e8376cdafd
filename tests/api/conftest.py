"""The real application on a real socket, and people who use it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
import uvicorn
from argon2 import PasswordHasher

from api.app import create_app
from api.resources import Resources
from convex.db import SYSTEM, Database, Role
from convex.settings import Settings
from convex.workspaces import service
from tests.conftest import Tenant

PASSWORD = "correct horse battery"


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals belong to pytest


@dataclass(frozen=True, slots=True)
class Running:
    """An API process, as far as its clients can tell."""

    url: str
    resources: Resources

    @property
    def live_url(self) -> str:
        return self.url.replace("http://", "ws://") + "/api/v1/live"


@asynccontextmanager
async def serve(settings: Settings, port: int = 0) -> AsyncIterator[Running]:
    """Run the application under uvicorn, as `python -m api` does, until the block ends."""
    app = create_app(settings)
    config = uvicorn.Config(
        app, ws="api.websocket:LiveProtocol", log_config=None, access_log=False, lifespan="on"
    )
    server = _Server(config)
    # Named as TCP, or asyncio leaves Nagle on and every small answer waits 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        host, bound = listening.getsockname()
        yield Running(f"http://{host}:{bound}", app.state.resources)
    finally:
        server.should_exit = True
        await task
        listening.close()


@pytest_asyncio.fixture(scope="session")
async def running(settings: Settings) -> AsyncIterator[Running]:
    """The application on the shared database."""
    async with serve(settings) as server:
        yield server


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Of `PASSWORD`, as cheap to verify as argon2id can be."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


@dataclass(frozen=True, slots=True)
class Team:
    """A workspace with somebody of each role, and clients that are signed in as them."""

    workspace_id: UUID
    slug: str
    users: dict[str, UUID]
    emails: dict[str, str]
    clients: dict[str, httpx.AsyncClient]
    keys: dict[str, str]

    @property
    def owner(self) -> httpx.AsyncClient:
        return self.clients["owner"]

    @property
    def editor(self) -> httpx.AsyncClient:
        return self.clients["editor"]

    @property
    def viewer(self) -> httpx.AsyncClient:
        return self.clients["viewer"]

    def token(self, name: str) -> str:
        """The bearer token of a client."""
        return self.clients[name].headers["authorization"].removeprefix("Bearer ")


async def make_team(running: Running, worker: Database, password_hash: str) -> Team:
    """Made as the flows' login may; close its clients."""
    slug = f"t-{uuid4().hex[:12]}"
    users: dict[str, UUID] = {}
    emails: dict[str, str] = {}
    keys: dict[str, str] = {}
    async with worker.transaction(SYSTEM) as connection:
        for role in ("owner", "editor", "viewer"):
            emails[role] = f"{role}@{slug}.example.com"
            row = await (
                await connection.execute(
                    "SELECT convex.create_user(%s, %s, %s) AS id",
                    (emails[role], role.title(), password_hash),
                )
            ).fetchone()
            assert row is not None
            users[role] = row["id"]
        workspace_id = await service.create_workspace(
            connection, slug=slug, name=slug, owner_id=users["owner"]
        )
        for role in ("editor", "viewer"):
            await service.add_member(connection, workspace_id, users[role], Role(role))
        for name, scopes in (
            ("read", ["read"]),
            ("ingest", ["ingest"]),
            ("write", ["write"]),
            ("read_ingest", ["read", "ingest"]),
        ):
            _, keys[name] = await service.create_api_key(
                connection, workspace_id, name=name, scopes=scopes
            )
    clients: dict[str, httpx.AsyncClient] = {}
    for role in users:
        clients[role] = httpx.AsyncClient(base_url=running.url, timeout=20)
        answer = await clients[role].post(
            "/api/v1/auth/sign-in", json={"email": emails[role], "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        clients[role].headers["authorization"] = f"Bearer {answer.json()['access_token']}"
    for name, key in keys.items():
        clients[f"key_{name}"] = httpx.AsyncClient(
            base_url=running.url, timeout=20, headers={"authorization": f"Bearer {key}"}
        )
    return Team(workspace_id, slug, users, emails, clients, keys)


@pytest_asyncio.fixture
async def team(running: Running, worker: Database, password_hash: str) -> AsyncIterator[Team]:
    """A workspace of this test's own."""
    made = await make_team(running, worker, password_hash)
    yield made
    for client in made.clients.values():
        await client.aclose()


@pytest_asyncio.fixture
async def other_team(running: Running, worker: Database, password_hash: str) -> AsyncIterator[Team]:
    """Somebody else's workspace."""
    made = await make_team(running, worker, password_hash)
    yield made
    for client in made.clients.values():
        await client.aclose()


@pytest_asyncio.fixture
async def anonymous(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody in particular."""
    async with httpx.AsyncClient(base_url=running.url, timeout=20) as client:
        yield client


def tenant_of(team: Team) -> Tenant:
    """As the fixtures of the domain's tests want it."""
    return Tenant(team.workspace_id, team.users["owner"], team.slug, team.emails["owner"])
