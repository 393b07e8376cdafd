"""Any service that Apprise knows, by its URL.

`secret`: {"url": "…"}. Apprise calls from its own blocking client, so it works in a thread, and its
connections cannot be pinned: the host in the URL is checked right before each call, and schemes
that reach into the machine itself are refused.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from yarl import URL

from convex.notifications.channels.guard import Guard, GuardedResolver, Refused
from convex.notifications.channels.message import Message
from convex.notifications.channels.port import DELIVERED, Destination, Receipt, failed, retry

_LOCAL = frozenset({"dbus", "kde", "qt", "glib", "gnome", "windows", "macosx", "syslog", "file"})
_TYPES = {"critical": "failure", "warning": "warning", "info": "info"}


class AppriseSender:
    """Sends by Apprise."""

    def __init__(self, guard: Guard, timeout: float) -> None:
        self._guard = guard
        self._resolver = GuardedResolver(guard)
        self._timeout = timeout

    async def send(self, message: Message, destination: Destination) -> Receipt:
        """One attempt. Apprise tells only whether it worked, so a failure is tried again."""
        url = str(destination.secret.get("url", ""))
        if fault := check(destination.config, destination.secret):
            return failed(fault)
        try:
            await self._check_host(url)
            async with asyncio.timeout(self._timeout):
                sent = await asyncio.to_thread(_notify, url, message, self._timeout)
        except Refused as refused:
            return failed(f"Not called: {refused}")
        except TimeoutError:
            return retry("No answer in time.")
        except OSError as error:
            return retry(f"The host cannot be resolved: {error.strerror}.")
        return DELIVERED if sent else retry("The service did not accept it.")

    async def _check_host(self, url: str) -> None:
        parts = URL(url)
        host = parts.host
        if not host or (("." not in host and ":" not in host) and host != "localhost"):
            return  # a token in the place of a host: the service's own address is used
        try:
            address = ip_address(host)
        except ValueError:
            try:
                await self._resolver.resolve(host, parts.explicit_port or 0)
            except OSError:
                return  # not a host either
        else:
            if not self._guard.allows(host, parts.explicit_port or 0):
                self._guard.check_address(address)


def _notify(url: str, message: Message, timeout: float) -> bool:
    import apprise  # slow to import, and only wanted where such a channel exists

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would log the URL
    service = apprise.Apprise()
    separator = "&" if "?" in url else "?"
    if not service.add(f"{url}{separator}cto={timeout}&rto={timeout}&redirect=no"):
        return False
    body = "\n".join([*message.lines, *(f"{n}: {v}" for n, v in message.facts), message.url])
    return bool(
        service.notify(body=body, title=message.title, notify_type=_TYPES[message.severity])
    )


def check(config: Mapping[str, Any], secret: Mapping[str, Any]) -> str:
    """What is wrong with the settings of an Apprise channel, or nothing."""
    url = str(secret.get("url", ""))
    scheme = url.partition("://")[0].lower()
    if "://" not in url:
        return "Apprise needs the URL of a service as its secret, such as ntfys://topic."
    if scheme in _LOCAL:
        return f"{scheme}:// speaks to the machine that Convex runs on and is not allowed."
    return "" if not config else "An Apprise channel has no settings but its URL."
