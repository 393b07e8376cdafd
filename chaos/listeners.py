"""Many subscribers in a process of their own: each resumes by its cursor, and keeps what it heard.

Run as `python -m chaos.listeners`; the first line of standard input says where to and how many, the
second (at the end) what each should have heard. Answers are JSON lines.
"""

from __future__ import annotations

import asyncio
import random
import sys
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

EVERYTHING = "all"  # instead of a framework's id
_CODE = Path(__file__).parents[1]
_CONTROL = frozenset({"auth_success", "subscribed", "unsubscribed", "pong", "error", "resync"})
_FAULTS = (aiohttp.ClientError, OSError, TimeoutError, ConnectionError)
_AT_ONCE = 50  # connections being opened


class Listener:
    """One subscriber, for one framework or all."""

    def __init__(self, scope: str, rng: random.Random) -> None:
        self.scope = scope
        self.start: int | None = None
        self.heard = array("q")
        self.twice = 0
        self.connected: aiohttp.ClientWebSocketResponse | None = None
        self._rng = rng

    @property
    def last(self) -> int:
        """The cursor to resume from."""
        return self.heard[-1] if self.heard else self.start or 0

    async def listen(
        self,
        session: aiohttp.ClientSession,
        url: str,
        key: str,
        turn: asyncio.Semaphore,
        counts: Counter[str],
    ) -> None:
        """Connect, and connect again, until cancelled."""
        while True:
            try:
                async with turn:
                    socket = await session.ws_connect(url, autoping=True, max_msg_size=0)
                    try:
                        await self._subscribe(socket, key)
                    except BaseException:
                        await socket.close()
                        raise
                self.connected = socket
                async with socket:
                    async for message in socket:
                        if message.type is aiohttp.WSMsgType.TEXT:
                            self._take(orjson.loads(message.data), counts)
                counts[f"closed {socket.close_code}"] += 1
            except _FAULTS as error:
                counts[f"refused {type(error).__name__}"] += 1
            finally:
                self.connected = None
            await asyncio.sleep(self._rng.uniform(0.1, 2.0))
            counts["reconnects"] += 1

    async def _subscribe(self, socket: aiohttp.ClientWebSocketResponse, key: str) -> None:
        await socket.send_str(orjson.dumps({"type": "auth", "token": key}).decode())
        await _expect(socket, "auth_success")
        framework = None if self.scope == EVERYTHING else self.scope
        since = None if self.start is None else self.last
        wanted = {"type": "subscribe", "framework_id": framework, "since": since}
        await socket.send_str(orjson.dumps(wanted).decode())
        told = await _expect(socket, "subscribed")
        if self.start is None:
            self.start = int(told["cursor"])

    def _take(self, frame: Mapping[str, Any], counts: Counter[str]) -> None:
        kind = frame["type"]
        if kind in _CONTROL:
            if kind in ("resync", "error"):
                counts[f"{kind} {frame.get('reason') or frame.get('code')}"] += 1
            return
        cursor = int(frame["cursor"])
        if cursor <= self.last:
            self.twice += 1
        else:
            self.heard.append(cursor)

    def differs(self, expected: list[int]) -> str:
        """In words, or nothing: what it should have heard and has not, or the other way round."""
        assert self.start is not None
        wanted = expected[bisect_right(expected, self.start) :]
        if self.heard.tolist() == wanted:
            return ""
        missing = sorted(set(wanted) - set(self.heard))
        more = sorted(set(self.heard) - set(wanted))
        return f"{self.scope}: {len(missing)} missing {missing[:3]}, {len(more)} more {more[:3]}"


async def _expect(socket: aiohttp.ClientWebSocketResponse, kind: str) -> Mapping[str, Any]:
    message = await socket.receive(timeout=20)
    if message.type is not aiohttp.WSMsgType.TEXT:
        raise ConnectionError(f"closed {socket.close_code}")
    frame: Mapping[str, Any] = orjson.loads(message.data)
    if frame["type"] != kind:
        raise ConnectionError(f"{frame['type']} instead of {kind}")
    return frame


async def _read_line() -> Any:
    line = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.readline)
    return orjson.loads(line) if line else None


def _say(values: Mapping[str, Any]) -> None:
    sys.stdout.write(orjson.dumps(values).decode() + "\n")
    sys.stdout.flush()


async def _speak(listeners: list[Listener]) -> None:
    """Whoever is silent for a minute is taken for lost."""
    while True:
        await asyncio.sleep(20)
        for listener in listeners:
            if listener.connected is not None:
                try:
                    await listener.connected.send_str('{"type":"ping"}')
                except _FAULTS:
                    continue


async def main() -> None:
    """Listen between the two lines; then say who heard what they should not, or did not."""
    task = await _read_line()
    rng = random.Random(task["seed"])
    scopes = [EVERYTHING, *task["frameworks"]]
    listeners = [Listener(scopes[n % len(scopes)], rng) for n in range(task["count"])]
    counts: Counter[str] = Counter()
    turn = asyncio.Semaphore(_AT_ONCE)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        tasks = [
            asyncio.create_task(one.listen(session, task["url"], task["key"], turn, counts))
            for one in listeners
        ]
        tasks.append(asyncio.create_task(_speak(listeners)))
        while any(one.start is None for one in listeners):  # noqa: ASYNC110 - said by each
            await asyncio.sleep(0.05)
        _say({"ready": len(listeners)})
        finish = await _read_line()
        if finish is not None:
            await _until_heard(listeners, finish["expected"], finish["within"])
        for running in tasks:
            running.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if finish is None:
        return
    differing = [
        found for one in listeners if (found := one.differs(finish["expected"][one.scope]))
    ]
    _say(
        {
            "clients": len(listeners),
            "events": sum(len(one.heard) for one in listeners),
            "twice": sum(one.twice for one in listeners),
            "differing": len(differing),
            "examples": differing[:3],
            "counts": dict(counts),
        }
    )


async def _until_heard(
    listeners: list[Listener], expected: Mapping[str, list[int]], within: float
) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while loop.time() < deadline:
        if all(
            not wanted or one.last >= wanted[-1]
            for one in listeners
            for wanted in (expected[one.scope],)
        ):
            return
        await asyncio.sleep(0.1)


class Listeners:
    """The process, from its parent's side."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    async def finish(self, expected: Mapping[str, list[int]], within: float) -> dict[str, Any]:
        """What they heard, held against `expected`: cursors by scope, in order."""
        return await self._ask({"expected": expected, "within": within})

    async def _ask(self, line: Mapping[str, Any]) -> dict[str, Any]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(orjson.dumps(line) + b"\n")
        await self._child.stdin.drain()
        answer: dict[str, Any] = orjson.loads(await self._child.stdout.readline())
        return answer


@asynccontextmanager
async def listening(
    url: str, key: str, frameworks: list[str], clients: int, seed: int
) -> AsyncIterator[Listeners]:
    """That many subscribers, all of them subscribed, until the end of the block."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chaos.listeners"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_CODE,
        limit=2**24,
    )
    try:
        listeners = Listeners(child)
        task = {
            "url": url.replace("http://", "ws://") + "/api/v1/live",
            "key": key,
            "frameworks": frameworks,
            "count": clients,
            "seed": seed,
        }
        async with asyncio.timeout(180):
            await listeners._ask(task)
        yield listeners
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


if __name__ == "__main__":
    asyncio.run(main())
