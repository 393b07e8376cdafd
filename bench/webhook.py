"""Webhooks to a local receiver, against Alertmanager.

    python -m bench.webhook [--alerts 5000] [--paced 500] [--repeat 5]

Convex: firings that are committed, planned, signed, sent one by one and written into the ledger,
with fsync on, in a process set up as that of a run of the alert flow (flows/engine.py: uvloop, the
collector). Alertmanager: alerts posted to its API in batches of 100, each a group of its own and
sent at once; it signs nothing and keeps nothing. Both send to the same receiver, a process of its
own. The rate runs until the last one has arrived (Convex: and is recorded), the latency from the
commit (or the post) until the request has arrived, at 100 a second. Alertmanager is Debian's
package, installed if it is missing and that is allowed. Sides alternate in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import aiohttp
import psycopg
import structlog
from rich.console import Console
from rich.table import Table

from bench.shift_side import WARM, Side, folder
from convex.db import Database
from convex.db.migrate import migrate
from convex.db.roles import role_url
from convex.embedded.postgres import EmbeddedPostgres
from convex.embedded.process import choose_port
from convex.live import ALERT_FLOW_CHANNEL
from convex.secrets import load_secrets
from convex.settings import Settings
from flows.engine import settled, use_fast_loop

_BATCH = 100
_CONFIGURATION = """
route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1h, repeat_interval: 4h}
receivers:
- name: hook
  webhook_configs: [{url: %s, send_resolved: false}]
"""
_numbers = count()


class Receiver:
    """The process that receives."""

    def __init__(self, child: asyncio.subprocess.Process, port: int) -> None:
        self._child = child
        self.url = f"http://127.0.0.1:{port}/"

    async def ask(self, what: str) -> str:
        """Its answer to a line."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(f"{what}\n".encode())
        return (await self._child.stdout.readline()).decode().strip()

    async def until(self, wanted: int) -> None:
        """Wait until so many have arrived."""
        for _ in range(30_000):
            if int(await self.ask("count")) >= wanted:
                return
            await asyncio.sleep(0.01)
        raise RuntimeError(f"{wanted} webhooks have not arrived within five minutes")


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Receive until the end of the block."""
    script = Path(__file__).parent / "peers" / "webhook_receiver.py"
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    try:
        assert child.stdout is not None
        yield Receiver(child, int(await child.stdout.readline()))
    finally:
        child.terminate()
        await child.wait()


def find_alertmanager() -> str | None:
    """The program, installed by apt if need be."""
    found = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(
            [*command, "prometheus-alertmanager"], env=environment, capture_output=True, check=False
        )
        found = shutil.which("prometheus-alertmanager")
    return found


@asynccontextmanager
async def alertmanager(program: str, home: Path, hook: str) -> AsyncIterator[str]:
    """Its address; every alert is sent to `hook` at once."""
    port = choose_port(home, "alertmanager")
    folder_of_it = home / "alertmanager"
    folder_of_it.mkdir(exist_ok=True)
    (folder_of_it / "configuration.yml").write_text(_CONFIGURATION % json.dumps(hook))
    child = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={folder_of_it / 'configuration.yml'}",
        f"--storage.path={folder_of_it / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as session:
            for _ in range(200):
                try:
                    async with session.get(f"{url}/-/ready") as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
        yield url
    finally:
        child.terminate()
        await child.wait()


def new_alerts(wanted: int) -> bytes:
    """So many alerts that were never posted before, about as long as those of Convex."""
    now = datetime.now(UTC).isoformat()
    return json.dumps(
        [
            {
                "labels": {
                    "alertname": "Many cancellations",
                    "framework": "ewr",
                    "metric": "cancel_rate",
                    "severity": "critical",
                    "instance": str(next(_numbers)),
                },
                "annotations": {
                    "summary": "Critical · Firing: Many cancellations · Newark",
                    "description": "cancel_rate is 0.5, above 0.2.",
                },
                "startsAt": now,
            }
            for _ in range(wanted)
        ]
    ).encode()


async def their_rate(url: str, hook: Receiver, alerts: int) -> float:
    """Alerts a second, from the first post until the last has arrived."""
    bodies = [new_alerts(_BATCH) for _ in range(alerts // _BATCH)]
    await hook.ask("reset")
    async with aiohttp.ClientSession() as session:
        start = time.perf_counter()
        for body in bodies:
            await _post(session, url, body)
        await hook.until(len(bodies) * _BATCH)
    return len(bodies) * _BATCH / (time.perf_counter() - start)


async def their_latency(url: str, hook: Receiver, paced: int) -> tuple[float, float]:
    """p50 and p95 in ms from a post until the webhook has arrived."""
    async with aiohttp.ClientSession() as session:

        async def commit() -> int:
            began = time.monotonic_ns()
            await _post(session, url, new_alerts(1))
            return began

        return await pace(commit, hook, paced)


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    async with session.post(f"{url}/api/v2/alerts", data=body, headers=headers) as answer:
        answer.raise_for_status()


async def our_latency(side: Side, hook: Receiver, paced: int) -> tuple[float, float]:
    """p50 and p95 in ms from the commit of a firing until the webhook has arrived."""
    workspace = await side.plant([], hook.url)
    url = role_url(side.settings, "convex_worker")
    async with (
        side.at_work(),
        await psycopg.AsyncConnection.connect(url, autocommit=True) as waker,
    ):

        async def commit() -> int:
            await side.fire(workspace, 1)
            committed = time.monotonic_ns()
            await waker.execute(f"NOTIFY {ALERT_FLOW_CHANNEL}")
            return committed

        await asyncio.sleep(1)
        return await pace(commit, hook, paced)


async def pace(
    commit: Callable[[], Awaitable[int]], hook: Receiver, paced: int
) -> tuple[float, float]:
    """Commit 100 a second; p50 and p95 in ms until they arrive, which is in their order."""
    await hook.ask("reset")
    committed: list[int] = []
    for number in range(WARM + paced):
        began = time.monotonic()
        committed.append(await commit())
        if number < WARM:
            await hook.until(number + 1)
        await asyncio.sleep(max(0.0, 0.01 - (time.monotonic() - began)))
    await hook.until(len(committed))
    arrived = json.loads(await hook.ask("arrivals"))
    waits = sorted(
        max(there - then, 0) / 1e6
        for then, there in zip(committed[WARM:], arrived[WARM:], strict=True)
    )
    return statistics.median(waits), waits[int(len(waits) * 0.95)]


async def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=5_000)
    parser.add_argument("--paced", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    home = folder()
    server = EmbeddedPostgres(home / "home")
    await server.start()
    try:
        await _measure(home, options.alerts, options.paced, options.repeat)
    finally:
        await server.remove()
        shutil.rmtree(home, ignore_errors=True)


async def _measure(home: Path, alerts: int, paced: int, repeat: int) -> None:
    settings = Settings(home=home / "home")
    await asyncio.to_thread(migrate, settings)
    delivery = settings.delivery.model_copy(update={"allowed_hosts": frozenset({"127.0.0.1"})})
    settings = settings.model_copy(update={"secrets": load_secrets(settings), "delivery": delivery})
    program = await asyncio.to_thread(find_alertmanager)
    found: dict[str, list[float]] = defaultdict(list)
    url = role_url(settings, "convex_worker")
    async with receiver() as hook, Database.open(url, application="convex-flow") as database:
        side = Side(settings, database)
        for _ in range(repeat):
            workspace = await side.plant([], hook.url)
            found["Convex alerts/s"].append(
                await side.rate(workspace, "webhook", side.fire, alerts)
            )
            for name, value in zip(
                ("Convex p50 ms", "Convex p95 ms"),
                await our_latency(side, hook, paced),
                strict=True,
            ):
                found[name].append(value)
            if program is not None:
                async with alertmanager(program, home, hook.url) as address:
                    found["Alertmanager alerts/s"].append(await their_rate(address, hook, alerts))
                    for name, value in zip(
                        ("Alertmanager p50 ms", "Alertmanager p95 ms"),
                        await their_latency(address, hook, paced),
                        strict=True,
                    ):
                        found[name].append(value)
                shutil.rmtree(home / "alertmanager")
    _print(found)


def _print(found: Mapping[str, list[float]]) -> None:
    table = Table("figure", "median", "min – max", title="Webhook delivery (row 5)")
    for name, values in found.items():
        spread = f"{min(values):,.1f} – {max(values):,.1f}"
        table.add_row(name, f"{statistics.median(values):,.1f}", spread)
    if "Alertmanager alerts/s" in found:
        ours, theirs = (
            statistics.median(found[f"{one} alerts/s"]) for one in ("Convex", "Alertmanager")
        )
        table.add_row("Convex against Alertmanager, alerts/s", f"{ours / theirs:.2f} ×", "")
    else:
        table.add_row("Alertmanager", "peer missing", "")
    Console().print(table)


if __name__ == "__main__":
    use_fast_loop()
    with settled():
        asyncio.run(main())
