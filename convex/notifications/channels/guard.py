"""Which addresses may be called: none that is private, unless the operator allows the host.

A name is resolved once, every address that it has is checked, and the connection is made to exactly
those addresses, so that a name cannot point elsewhere between the check and the call.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

_NAT64 = IPv6Network("64:ff9b::/96")


class Refused(Exception):
    """The target must not be called; the message says why."""


class Guard:
    """Decides about hosts and addresses."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        """`allowed`: hosts, or host:port, that may be called although they are private."""
        self._allowed = frozenset(entry.lower() for entry in allowed)

    def allows(self, host: str, port: int) -> bool:
        """Whether the operator named the host."""
        name = host.lower().strip("[]")
        return name in self._allowed or f"{name}:{port}" in self._allowed

    def check_url(self, text: str) -> URL:
        """A URL that may be tried: http(s), no credentials, not a forbidden address as such.

        Raises `Refused`. Names are checked when they are resolved.
        """
        try:
            url = URL(text)
        except ValueError:
            raise Refused("The URL cannot be read.") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise Refused("Only http and https URLs with a host are called.")
        if url.user is not None or url.password is not None:
            raise Refused("A URL with a user or password is not called; use a header or secret.")
        try:
            port = url.port or 0
            address = ip_address(url.host.partition("%")[0])
        except ValueError:
            return url
        if not self.allows(url.host, port):
            self.check_address(address)
        return url

    def check_address(self, address: IPv4Address | IPv6Address) -> None:
        """Raises `Refused` for anything but a public address, also inside an IPv6 wrapping."""
        for one in (address, *_wrapped(address)):
            if not one.is_global or one.is_multicast or one.is_reserved or one.is_unspecified:
                raise Refused(
                    f"{address} is not a public address; an operator can allow the host in"
                    " CONVEX_DELIVERY__ALLOWED_HOSTS."
                )


class GuardedResolver(AbstractResolver):
    """Resolves names for aiohttp and refuses those that have any forbidden address."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses of the host. Raises `Refused`, or `OSError` when there is none."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        allowed = self._guard.allows(host, port)
        results: list[ResolveResult] = []
        for kind, _, protocol, _, place in found:
            address = str(place[0])
            if not allowed:
                self._guard.check_address(ip_address(address.partition("%")[0]))
            results.append(
                ResolveResult(
                    hostname=host,
                    host=address,
                    port=port,
                    family=kind,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST,
                )
            )
        return results

    async def close(self) -> None:
        """Nothing is held."""


def _wrapped(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses inside an IPv6 one: mapped, 6to4, Teredo, NAT64, compatible."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or int(address) >> 32 == 0:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]
