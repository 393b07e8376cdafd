"""Wake-ups from the other processes, by Redis: a reader as lean as the protocol allows.

redis-py's subscriber falls behind when the event loop is saturated; this one hands each arriving
block of bytes to hiredis and keeps the newest cursor of each workspace.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from ssl import create_default_context
from urllib.parse import unquote, urlsplit
from uuid import UUID

import hiredis

from convex.live.announce import LIVE_CHANNEL
from convex.telemetry import get_log

_PING_SECONDS = 10.0
_log = get_log(__name__)


async def listen(redis_url: str, wake: Callable[[UUID, int], None]) -> None:
    """Call `wake(workspace_id, cursor)` for what is published, for ever; cancel it to stop.

    A lost connection is made again with a growing pause of at most 2 s.
    """
    pause = 0.05
    while True:
        try:
            async for block in _blocks(redis_url):
                pause = 0.05
                for workspace_id, cursor in block.items():
                    wake(workspace_id, cursor)
        except (OSError, TimeoutError, EOFError, hiredis.HiredisError) as error:
            _log.warning("live wake-ups interrupted", error=type(error).__name__)
        await asyncio.sleep(pause * (1 + random.random()))
        pause = min(pause * 2, 2.0)


async def _blocks(redis_url: str) -> AsyncIterator[dict[UUID, int]]:
    parts = urlsplit(redis_url)
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(
            parts.hostname or "127.0.0.1",
            parts.port or 6379,
            ssl=create_default_context() if parts.scheme == "rediss" else None,
        )
    try:
        if parts.password:
            credentials = [unquote(parts.username)] if parts.username else []
            writer.write(_command("AUTH", *credentials, unquote(parts.password)))
        writer.write(_command("SUBSCRIBE", LIVE_CHANNEL))
        parser = hiredis.Reader()
        silent = False
        while True:
            try:
                async with asyncio.timeout(_PING_SECONDS):
                    data = await reader.read(65536)
            except TimeoutError:
                if silent:
                    raise
                silent = True
                writer.write(_command("PING"))
                continue
            silent = False
            if not data:
                raise EOFError
            parser.feed(data)
            if block := _newest(parser):
                yield block
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await writer.wait_closed()


def _command(*words: str) -> bytes:
    return bytes(hiredis.pack_command(words))  # type: ignore[arg-type]  # the stub knows one word


def _newest(parser: hiredis.Reader) -> dict[UUID, int]:
    newest: dict[UUID, int] = {}
    while (reply := parser.gets()) is not False:
        if isinstance(reply, hiredis.HiredisError):
            raise reply
        if not (isinstance(reply, list) and len(reply) == 3 and reply[0] == b"message"):
            continue
        name, _, cursor = bytes(reply[2]).decode("ascii", "replace").partition(" ")
        with suppress(ValueError):
            workspace_id = UUID(name)
            newest[workspace_id] = max(int(cursor), newest.get(workspace_id, 0))
    return newest
