"""The load: batches of points with episodes that fire and end, dashboards, acknowledgements."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import aiohttp
import orjson

from chaos.journal import Journal

THRESHOLD = 10.0
EPISODE = (5.0, 20.0, 21.0, 5.0)  # opens once and ends once, whatever is killed in between
_BATCH_SECONDS = 0.5
_PATIENCE = aiohttp.ClientTimeout(total=20)
_FAULTS = (aiohttp.ClientError, OSError, TimeoutError)
_DASHBOARD = (
    "/analytics/summary",
    "/analytics/trends?period=daily&days=30",
    "/alert-triggers?limit=50",
    "/frameworks?limit=50",
    "/frameworks/{framework}/health?days=7",
    "/series?limit=50",
    "/ledger?limit=50",
    "/system/health",
    "/system/queues",
)


@dataclass(frozen=True, slots=True)
class Keys:
    """API keys: one that may write, and one for each reader (each has a limit of its own)."""

    write: str
    read: tuple[str, ...]


class Load:
    """Runs until `stop`; what was begun is then brought to its end."""

    def __init__(
        self,
        url: str,
        keys: Keys,
        frameworks: Mapping[str, UUID],
        journal: Journal,
        *,
        seed: int,
        steady: int,
        episodes_a_second: float,
    ) -> None:
        """`steady`: series of each framework that report with every batch and never fire."""
        self._api = f"{url}/api/v1"
        self._keys = keys
        self._frameworks = frameworks
        self._journal = journal
        self._seed = seed
        self._steady = steady
        self._each = episodes_a_second * _BATCH_SECONDS / len(frameworks)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    async def run(self) -> None:
        """Everything side by side, until all of it has ended."""
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=_PATIENCE) as session,
            asyncio.TaskGroup() as group,
        ):
            for number, slug in enumerate(self._frameworks):
                group.create_task(self._write(session, slug, random.Random(self._seed + number)))
            for number, key in enumerate(self._keys.read):
                group.create_task(self._read(session, key, random.Random(self._seed - number)))
            group.create_task(self._acknowledge(session))

    async def _write(self, session: aiohttp.ClientSession, slug: str, rng: random.Random) -> None:
        """One writer a framework: its batches go one after the other, so that order is known."""
        names, active = count(), dict[str, int]()
        while active or not self._stopping.is_set():
            if not self._stopping.is_set():
                for _ in range(int(self._each + rng.random())):
                    active[f"e{next(names)}"] = 0
            values = {f"s{number}": rng.uniform(1, 9) for number in range(self._steady)}
            values |= {name: EPISODE[step] for name, step in active.items()}
            await self._send(session, slug, values)
            for name in list(active):
                active[name] += 1
                self._journal.episodes[slug, name] = active[name]
                if active[name] == len(EPISODE):
                    del active[name]
            await self._pause(_BATCH_SECONDS)

    async def _send(
        self, session: aiohttp.ClientSession, slug: str, values: Mapping[str, float]
    ) -> None:
        """Send a batch, the very same again and again, until it is said to be taken."""
        now = datetime.now(UTC)
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)
        points = [
            {
                "framework": slug,
                "metric": "load",
                "labels": {"n": name},
                "timestamp": at.isoformat(),
                "value": value,
            }
            for name, value in values.items()
        ]
        body, journal = orjson.dumps({"points": points}), self._journal
        headers = {"content-type": "application/json"}
        loop = asyncio.get_running_loop()
        attempt, began = 0, loop.time()
        while True:
            taken = await self._ask(
                session, "POST", "/points", self._keys.write, data=body, headers=headers
            )
            if taken is not None:
                break
            await asyncio.sleep(min(0.2 * 1.5**attempt, 2.0))
            attempt += 1
        if not attempt:
            journal.seconds.append(loop.time() - began)
        if taken["accepted"] + taken["unchanged"] != len(points):
            journal.wrong.append(f"a batch of {len(points)} was answered {taken}")
        if taken["unchanged"] and not attempt:
            journal.wrong.append(f"a new batch was called known: {taken}")
        journal.unchanged += taken["unchanged"]
        for name, value in values.items():
            journal.points[slug, name, at] = value

    async def _read(self, session: aiohttp.ClientSession, key: str, rng: random.Random) -> None:
        """What a dashboard asks for; an answer that fails is asked for again by the next round."""
        while not self._stopping.is_set():
            path = rng.choice(_DASHBOARD).format(
                framework=rng.choice(list(self._frameworks.values()))
            )
            await self._ask(session, "GET", path, key)
            await self._pause(rng.uniform(1.0, 4.0))

    async def _acknowledge(self, session: aiohttp.ClientSession) -> None:
        """A member who acknowledges one firing trigger every few seconds."""
        while not self._stopping.is_set():
            page = await self._ask(
                session, "GET", "/alert-triggers?state=firing&limit=1", self._keys.write
            )
            for trigger in page["items"] if page else ():
                path = f"/alert-triggers/{trigger['id']}/acknowledge"
                done = await self._ask(session, "POST", path, self._keys.write, json={})
                if done is not None and done.get("acknowledged_at"):
                    self._journal.acknowledged.add(trigger["id"])
            await self._pause(8.0)

    async def _ask(
        self,
        session: aiohttp.ClientSession,
        method: str,
        path: str,
        key: str,
        **more: Any,
    ) -> dict[str, Any] | None:
        """The answer, None where there is none or it is not 2xx."""
        what = f"{method} {path.partition('?')[0].split('/')[1]}"
        headers = {"authorization": f"Bearer {key}", **more.pop("headers", {})}
        try:
            async with session.request(method, self._api + path, headers=headers, **more) as answer:
                body = await answer.read()
        except _FAULTS as error:
            self._journal.lost[type(error).__name__] += 1
            return None
        self._journal.answered(what, answer.status, body.decode(errors="replace"))
        found: dict[str, Any] | None = orjson.loads(body) if answer.ok else None
        return found

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
        await asyncio.sleep(0.05)
