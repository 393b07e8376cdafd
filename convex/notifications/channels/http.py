"""Handing a body over by HTTP: one shared session, no redirects, the guard in the connector."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from convex.notifications.channels.guard import Guard, GuardedResolver, Refused
from convex.notifications.channels.port import DELIVERED, Outcome, Receipt, failed, retry

_BODY_READ = 2_000
_LONGEST_WAIT = 3_600.0
_AGAIN = frozenset({408, 425, 429})


class Poster:
    """Posts bodies. Shared by all channels that go by HTTP."""

    def __init__(self, session: aiohttp.ClientSession, guard: Guard) -> None:
        self._session = session
        self._guard = guard

    @classmethod
    @asynccontextmanager
    async def open(cls, guard: Guard, seconds: float) -> AsyncIterator[Poster]:
        """`seconds` bounds a whole attempt, the reading of the answer included."""
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(guard), limit=400, limit_per_host=100, ttl_dns_cache=10
        )
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "Convex-Notifications/1"},
            auto_decompress=False,
        ) as session:
            yield cls(session, guard)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Receipt:
        """One POST. 2xx is delivered; 408, 425, 429, 5xx or no answer: again; the rest failed."""
        try:
            target = self._guard.check_url(url)
            async with self._session.post(
                target, data=body, headers=headers, allow_redirects=False
            ) as response:
                text = b""
                if not 200 <= response.status < 300:
                    text = await response.content.read(_BODY_READ)
                return judge(response.status, text, response.headers.get("Retry-After"))
        except Refused as refused:
            return failed(f"Not called: {refused}")
        except aiohttp.InvalidURL:
            return failed("Not called: The URL cannot be read.")
        except TimeoutError:
            return retry("No answer in time.")
        except aiohttp.ClientConnectorDNSError as error:
            return retry(f"The host cannot be resolved: {error.os_error.strerror or 'no address'}.")
        except aiohttp.ClientConnectorError as error:
            return retry(f"No connection: {error.os_error.strerror or type(error).__name__}.")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return retry(f"The answer cannot be understood: {type(error).__name__}.")


def judge(status: int, body: bytes, retry_after: str | None) -> Receipt:
    """What a status means."""
    if 200 <= status < 300:
        return Receipt(Outcome.DELIVERED, status) if status != 200 else DELIVERED_200
    said = " ".join(body.decode("utf-8", "replace").split())[:200]
    error = f"HTTP {status}" + (f": {said}" if said else "")
    if status in _AGAIN or status >= 500:
        return retry(error, status=status, retry_after=_seconds(retry_after))
    if status == 410:
        return Receipt(Outcome.FAILED, status, error, gone=True)
    if 300 <= status < 400:
        return failed(f"{error} (redirects are not followed)", status=status)
    return failed(error, status=status)


DELIVERED_200 = Receipt(DELIVERED.outcome, 200)


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After, as seconds or as a date, within an hour."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            moment = parsedate_to_datetime(retry_after)
        except (TypeError, ValueError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    if seconds != seconds:  # not a number
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)
