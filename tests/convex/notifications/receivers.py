"""Real local servers at the edge: an HTTP receiver and a mail server that can misbehave."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, cast

import orjson
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def accept(_: web.Request) -> web.StreamResponse:
    """204 at once."""
    return web.Response(status=204)


@dataclass(slots=True)
class Got:
    """One request that arrived: its headers, raw body and path."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return orjson.loads(self.body)


@dataclass(slots=True)
class HttpReceiver:
    """Counts what arrives by webhook-id; `answer` decides what is said."""

    port: int = 0
    answer: Answer = accept
    got: list[Got] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/hook") -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}{path}"

    @property
    def address(self) -> str:
        """For `allowed_hosts`."""
        return f"{HOST}:{self.port}"

    @property
    def ids(self) -> Counter[str]:
        """How often each webhook-id arrived."""
        return Counter(one.headers.get("webhook-id", "") for one in self.got)

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Keep it, answer it."""
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Got(request.path, headers, body))
        self.arrived.set()
        response = await self.answer(request)
        if response.status < 300:
            self.answered[headers.get("webhook-id", "")] += 1
        return response

    async def until(self, count: int) -> None:
        """Wait until that many different ids arrived."""
        async with asyncio.timeout(60):
            while len(self.ids) < count:
                self.arrived.clear()
                await self.arrived.wait()


@asynccontextmanager
async def open_http(answer: Answer = accept) -> AsyncIterator[HttpReceiver]:
    """Serve until the end of the block."""
    receiver = HttpReceiver(answer=answer)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver.receive)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        receiver.port = runner.addresses[0][1]
        yield receiver
    finally:
        await runner.cleanup()


@dataclass(slots=True)
class MailReceiver:
    """Keeps mails; `reply` is what the server says to each."""

    port: int = 0
    reply: str = "250 2.0.0 Ok"
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail."""
        content = cast("bytes", envelope.content)
        if self.reply.startswith("2"):
            self.raw.append(content)
            self.mails.append(email.message_from_bytes(content, policy=email.policy.SMTP))
            self.recipients += envelope.rcpt_tos
        self.arrived.set()
        return self.reply

    async def until(self, count: int) -> None:
        """Wait until that many mails arrived."""
        async with asyncio.timeout(60):
            while len(self.mails) < count:
                self.arrived.clear()
                await self.arrived.wait()


@asynccontextmanager
async def open_mail() -> AsyncIterator[MailReceiver]:
    """Serve until the end of the block."""
    receiver = MailReceiver()
    loop = asyncio.get_running_loop()

    def connect() -> SMTP:
        receiver.connections += 1
        return SMTP(receiver, enable_SMTPUTF8=True)

    server = await loop.create_server(connect, HOST, 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()
