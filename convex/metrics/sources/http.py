"""Reading from an address that a member gave: only where that is permitted, and to the very
addresses that were looked at.

Who may be called is not decided here: the caller hands in a `Permit`. Redirects are not followed,
answers are bounded, and every wait ends.
"""

from __future__ import annotations

import socket
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import httpcore
import httpx

from convex.errors import InvalidInput, Unavailable

# Host, port and all addresses of the host; raises `InvalidInput` when one must not be called.
Permit = Callable[[str, int, list[str]], None]

SECONDS = 30.0
LARGEST = 64 * 1024 * 1024  # bytes of an answer that is held in memory


class _Pinned(httpcore.NetworkBackend):
    """Connects to addresses that were permitted, so that a name cannot point elsewhere later."""

    def __init__(self, permit: Permit) -> None:
        self._permit = permit
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[typing.Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = resolve(host, port)
        self._permit(host, port, addresses)
        failure: Exception | None = None
        for address in addresses:
            try:
                return self._plain.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, each once. Raises `Unavailable`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"The host {host!r} cannot be resolved: {error.strerror}.") from None
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


@contextmanager
def open_client(permit: Permit, headers: Mapping[str, str]) -> Iterator[httpx.Client]:
    """A client that connects only where `permit` lets it."""
    transport = httpx.HTTPTransport()
    transport._pool = httpcore.ConnectionPool(  # httpx has no door for a backend
        ssl_context=httpx.create_ssl_context(),
        max_connections=4,
        network_backend=_Pinned(permit),
    )
    with httpx.Client(
        transport=transport,
        timeout=SECONDS,
        headers={"User-Agent": "Convex-Sources/1", **headers},
        follow_redirects=False,
        trust_env=False,
    ) as client:
        yield client


def check_url(text: object, setting: str = "url") -> str:
    """An http(s) URL without credentials. Raises `InvalidInput`, naming the setting."""
    try:
        url = httpx.URL(str(text))
    except httpx.InvalidURL as error:
        raise InvalidInput(f"The {setting} cannot be read: {error}.", field=setting) from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidInput(f"The {setting} is an http or https address.", field=setting)
    if url.userinfo:
        raise InvalidInput(
            f"The {setting} holds a password; give it as a secret header.", field=setting
        )
    return str(text)


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Say in words what went wrong with an address; what may pass is `Unavailable`."""
    place = httpx.URL(url).host
    try:
        yield
    except httpx.TimeoutException:
        raise Unavailable(f"{place} gave no answer in time.") from None
    except (httpx.HTTPError, httpcore.ConnectError) as error:
        raise Unavailable(
            f"{place} cannot be read: {str(error) or type(error).__name__}."
        ) from None


def get(client: httpx.Client, url: str, params: Mapping[str, str] | None = None) -> bytes:
    """The body of an answer with 200. Raises `Unavailable`, or `InvalidInput` for what will not
    get better by asking again.
    """
    with explained(url), client.stream("GET", url, params=params) as answer:
        check_status(answer)
        body = bytearray()
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > LARGEST:
                raise InvalidInput(f"The answer has more than {LARGEST:,} bytes.")
        return bytes(body)


def check_status(answer: httpx.Response) -> None:
    """Anything but 200 is an error."""
    if answer.status_code == 200:
        return
    said = ""
    if not answer.is_success and not answer.is_redirect:
        said = " ".join(answer.read()[:500].decode("utf-8", "replace").split())[:200]
    message = f"{answer.url.host} answered {answer.status_code}{said and ': '}{said}"
    if answer.is_redirect:
        raise InvalidInput(f"{message}: redirects are not followed.")
    if answer.status_code >= 500 or answer.status_code in (408, 425, 429):
        raise Unavailable(f"{message}.")
    raise InvalidInput(f"{message}.")
