"""Where the demo's notifications go: a mail server, a webhook receiver and a Slack-like receiver.

Real servers on loopback that speak the protocol, check what they are given and count it. They are
what a member's mail provider, own service and Slack would be; nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks import Webhook, WebhookVerificationError

HOST = "127.0.0.1"

_Receiver = Callable[[web.Request], Awaitable[web.Response]]
_Listener = TypeVar("_Listener")

# Limits of Slack's Block Kit: blocks in a message, characters in a header and in a section.
_BLOCKS, _HEADER, _SECTION = 50, 150, 3000


@dataclass(slots=True)
class Sink:
    """What one receiver got: `accepted` by id (a delivery repeated counts once), `refused`, why."""

    port: int = 0
    accepted: dict[str, str] = field(default_factory=dict)
    repeated: int = 0
    refused: list[str] = field(default_factory=list)

    def accept(self, key: str, title: str) -> None:
        """Count a delivery that is right; `key` tells a repeat from a new one."""
        if key in self.accepted:
            self.repeated += 1
        self.accepted[key] = title


@dataclass(frozen=True, slots=True)
class Sinks:
    """The three receivers, by the kind of channel that reaches them."""

    email: Sink
    webhook: Sink
    slack: Sink

    @property
    def webhook_url(self) -> str:
        """Where the webhook channel posts to."""
        return f"http://{HOST}:{self.webhook.port}/webhook"

    @property
    def slack_url(self) -> str:
        """Where the Slack channel posts to, an incoming webhook."""
        return f"http://{HOST}:{self.slack.port}/services/demo"

    @property
    def addresses(self) -> list[str]:
        """host:port of the receivers that deliveries must be allowed to reach."""
        return sorted({f"{HOST}:{self.webhook.port}", f"{HOST}:{self.slack.port}"})


@asynccontextmanager
async def open_sinks(
    webhook_secret: str, *, email_port: int = 0, http_port: int = 0
) -> AsyncIterator[Sinks]:
    """Serve all three until the end of the block; port 0 takes any free one.

    `webhook_secret` is the Standard Webhooks secret (`whsec_…`) that signatures are checked with.
    A wanted port that is taken gives way to a free one.
    """
    sinks = Sinks(Sink(), Sink(), Sink())
    loop = asyncio.get_running_loop()
    inbox = _Inbox(sinks.email)

    async def listen(port: int) -> asyncio.Server:
        return await loop.create_server(lambda: SMTP(inbox, enable_SMTPUTF8=True), HOST, port)

    application = web.Application()
    application.router.add_post("/webhook", _webhook(sinks.webhook, Webhook(webhook_secret)))
    application.router.add_post("/services/demo", _slack(sinks.slack))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        server = await _bind(listen, email_port)
        try:
            sinks.email.port = server.sockets[0].getsockname()[1]

            async def serve(port: int) -> web.TCPSite:
                site = web.TCPSite(runner, HOST, port)
                await site.start()
                return site

            await _bind(serve, http_port)
            sinks.webhook.port = sinks.slack.port = runner.addresses[0][1]
            yield sinks
        finally:
            server.close()
            await server.wait_closed()
    finally:
        await runner.cleanup()


async def _bind(start: Callable[[int], Awaitable[_Listener]], port: int) -> _Listener:
    try:
        return await start(port)
    except OSError:
        if not port:
            raise
        return await start(0)


class _Inbox:
    """The mail server's side of a delivery."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take one message; a message without the headers of an automatic one is refused."""
        content = envelope.content or b""
        message = email.message_from_bytes(
            content if isinstance(content, bytes) else content.encode(), policy=email.policy.SMTP
        )
        missing = [
            name for name in ("Message-ID", "Subject", "Auto-Submitted") if not message[name]
        ]
        if missing:
            self._sink.refused.append(f"no {', '.join(missing)}")
            return f"554 5.6.0 A notification needs the headers {', '.join(missing)}"
        self._sink.accept(
            f"{message['Message-ID']} {','.join(envelope.rcpt_tos)}", str(message["Subject"])
        )
        return "250 2.0.0 Ok"


def _webhook(sink: Sink, verifier: Webhook) -> _Receiver:
    async def receive(request: web.Request) -> web.Response:
        body = await request.text()
        try:
            verifier.verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            sink.refused.append(str(error))
            return web.Response(status=401, text=str(error))
        sink.accept(request.headers["webhook-id"], str(json.loads(body).get("type", "")))
        return web.Response(status=204)

    return receive


def _slack(sink: Sink) -> _Receiver:
    async def receive(request: web.Request) -> web.Response:
        try:
            message = await request.json()
        except json.JSONDecodeError:
            sink.refused.append("invalid_payload")
            return web.Response(status=400, text="invalid_payload")
        if fault := block_fault(message):
            sink.refused.append(fault)
            return web.Response(status=400, text=fault)
        text = str(message.get("text", ""))
        sink.accept(f"{len(sink.accepted)} {text}", text)
        return web.Response(text="ok")

    return receive


def block_fault(message: Any) -> str:
    """The error with which Slack refuses a message, or nothing when it keeps to Block Kit."""
    if not isinstance(message, dict):
        return "invalid_payload"
    blocks = message.get("blocks", [])
    if not blocks and not message.get("text"):
        return "no_text"
    if not isinstance(blocks, list) or len(blocks) > _BLOCKS:
        return "invalid_blocks"
    for block in blocks:
        if not isinstance(block, dict) or "type" not in block:
            return "invalid_blocks"
        text = block.get("text")
        length = len(text.get("text", "")) if isinstance(text, dict) else 0
        limit = _HEADER if block["type"] == "header" else _SECTION
        if block["type"] in ("header", "section") and text is not None and not 0 < length <= limit:
            return "invalid_blocks"
    return ""
