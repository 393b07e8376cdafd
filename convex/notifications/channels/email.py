"""E-mail: text and HTML, one thread per trigger, by SMTP connections that are kept open.

The server is the operator's (settings.smtp), so it is not guarded. A channel row of kind email may
hold `config` {"to": ["team@example.org"]} and then reaches those addresses instead of members.
"""

from __future__ import annotations

import asyncio
import email.policy
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any

import aiosmtplib

from convex.notifications.channels.html import page
from convex.notifications.channels.message import Message
from convex.notifications.channels.port import DELIVERED, Destination, Receipt, failed, retry
from convex.settings import SmtpSettings

# The default folds long headers in a way that breaks a long List-Unsubscribe.
POLICY = email.policy.SMTP.clone(max_line_length=998)
_CONNECTIONS = 4
_IDLE_SECONDS = 60.0
_PLAUSIBLE = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+")


class EmailSender:
    """Hands mail to an SMTP server over a few connections that stay open."""

    def __init__(self, settings: SmtpSettings, timeout: float) -> None:
        self._settings = settings
        self._timeout = timeout
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._idle: list[tuple[aiosmtplib.SMTP, float]] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: SmtpSettings, seconds: float) -> AsyncIterator[EmailSender]:
        """Connects when the first mail goes; `seconds` bounds an attempt."""
        sender = cls(settings, seconds)
        try:
            yield sender
        finally:
            await sender.close()

    async def send(self, message: Message, destination: Destination) -> Receipt:
        """One attempt. A 4xx answer and a lost connection are tried again, a 5xx is not."""
        if not self._settings.host:
            return failed("E-mail is not configured: set CONVEX_SMTP__HOST.")
        addresses = recipients(message, destination.config)
        if not addresses:
            return failed("There is no usable address.", blames_channel=False)
        mail = compose(message, addresses, self._settings.sender)
        _, sender = parseaddr(self._settings.sender)
        try:
            async with self._slots, asyncio.timeout(self._timeout):
                client = await self._client()
                try:
                    await client.sendmail(sender, addresses, mail.as_bytes(policy=POLICY))
                except aiosmtplib.SMTPResponseException:
                    await _reset(client)
                    self._keep(client)
                    raise
                except BaseException:
                    client.close()
                    raise
                self._keep(client)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            first = refused.recipients[0]
            return _judge(first.code, first.message)
        except aiosmtplib.SMTPResponseException as error:
            return _judge(error.code, error.message)
        except TimeoutError:
            return retry("The mail server did not answer in time.")
        except (aiosmtplib.SMTPException, OSError) as error:
            return retry(f"No connection to the mail server: {type(error).__name__}.")
        return DELIVERED

    async def close(self) -> None:
        """Say goodbye on the connections that are kept."""
        for client, _ in self._idle:
            try:
                async with asyncio.timeout(2):
                    await client.quit()
            except (aiosmtplib.SMTPException, OSError, TimeoutError):
                client.close()
        self._idle.clear()

    async def _client(self) -> aiosmtplib.SMTP:
        now = asyncio.get_running_loop().time()
        while self._idle:
            client, since = self._idle.pop()
            if client.is_connected and now - since < _IDLE_SECONDS:
                return client
            client.close()
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.username or None,
            password=settings.password or None,
            start_tls=settings.starttls,
            timeout=self._timeout,
        )
        await client.connect()
        return client

    def _keep(self, client: aiosmtplib.SMTP) -> None:
        if client.is_connected:
            self._idle.append((client, asyncio.get_running_loop().time()))


async def _reset(client: aiosmtplib.SMTP) -> None:
    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        client.close()


def _judge(code: int, text: str) -> Receipt:
    error = f"SMTP {code}: {' '.join(text.split())[:200]}"
    if 500 <= code < 600:
        return failed(error, status=code, blames_channel=False)
    return retry(error, status=code)


def recipients(message: Message, config: Mapping[str, Any]) -> list[str]:
    """The addresses that a message goes to; what cannot be an address is left out."""
    wanted = [message.recipient] if message.recipient else [str(to) for to in config.get("to", ())]
    return [address for address in wanted if _PLAUSIBLE.fullmatch(address)]


def compose(message: Message, addresses: list[str], sender: str) -> EmailMessage:
    """The mail. Its Message-ID is the notification's, so that a repeated attempt is recognised."""
    name, from_address = parseaddr(sender)
    domain = from_address.rpartition("@")[2] or "localhost"
    mail = EmailMessage(policy=POLICY)
    mail["From"] = Address(name or "Convex", addr_spec=from_address)
    mail["To"] = (
        [Address(_one_line(message.recipient_name), addr_spec=addresses[0])]
        if message.recipient and len(addresses) == 1
        else [Address(addr_spec=address) for address in addresses]
    )
    mail["Subject"] = _one_line(message.title)
    mail["Date"] = format_datetime(message.created_at)
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    root = f"<thread.{_token(message.thread)}.{message.workspace_id}@{domain}>"
    mail["In-Reply-To"] = root
    mail["References"] = root
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["List-Id"] = f"Convex alerts <alerts.{message.workspace_id}.{domain}>"
    if message.unsubscribe_url:
        mail["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if message.severity == "critical":
        mail["Importance"] = "high"
    mail.set_content(text(message), cte="quoted-printable")
    mail.add_alternative(page(message), subtype="html", cte="quoted-printable")
    return mail


def text(message: Message) -> str:
    """The plain part: all of it, for readers without HTML."""
    said = [message.title, "=" * min(len(message.title), 72), "", *message.lines, ""]
    width = max((len(name) for name, _ in message.facts), default=0)
    said += [f"{name:<{width}}  {value}" for name, value in message.facts]
    said += ["", f"Open in Convex: {message.url}"]
    if message.runbook_url:
        said.append(f"Runbook: {message.runbook_url}")
    if message.unsubscribe_url:
        said += ["", "-- ", f"No more of these by e-mail: {message.unsubscribe_url}"]
    return "\n".join(said) + "\n"


def check(config: Mapping[str, Any], secret: Mapping[str, Any]) -> str:
    """What is wrong with the settings of an e-mail channel, or nothing."""
    to = config.get("to", [])
    if not isinstance(to, list) or not all(
        isinstance(one, str) and _PLAUSIBLE.fullmatch(one) for one in to
    ):
        return "to is a list of e-mail addresses."
    return "An e-mail channel has no secret; the server is set by CONVEX_SMTP__*." if secret else ""


def _one_line(words: str) -> str:
    return " ".join(words.split())


def _token(thread: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", thread)
