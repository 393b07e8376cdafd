"""The outbox and the planning before it, against BullMQ and procrastinate.

    python -m bench.outbox [--jobs 10000] [--paced 500] [--repeat 5]

An outbox job is a notification that is due in an inbox: claimed, told, its attempt logged, its live
event appended. A transition is that, and before it the decision whom to tell, with its rows of the
ledger. All with fsync on; BullMQ runs on Valkey with its append-only file synced every second. Jobs
and transitions are committed before the clock starts, as BullMQ's are added. Latencies are from the
commit (or from adding the job) until the job is worked on, at 100 a second. The shift is that of
the alert flow, in a process set up as a run of it is (flows/engine.py: uvloop, the collector). The
limit is the product's one statement for inboxes, run by a plain client that blocks on it. Peers are
installed into a temporary folder; one that cannot be had is reported as missing. Sides alternate in
one run.
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
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import psycopg
import structlog
from psycopg.rows import DictRow, dict_row
from rich.console import Console
from rich.table import Table

from bench.shift_side import WARM, Side, folder
from convex.db import Database
from convex.db.migrate import migrate
from convex.db.roles import admin_url, role_url
from convex.embedded.postgres import EmbeddedPostgres
from convex.embedded.process import choose_port
from convex.embedded.valkey import program
from convex.live import ALERT_FLOW_CHANNEL
from convex.notifications import in_app
from convex.secrets import load_secrets
from convex.settings import Settings
from flows.engine import settled, use_fast_loop

_PEERS = Path(__file__).parent / "peers"


def bare(url: str) -> tuple[psycopg.Connection[DictRow], Callable[[], int]]:
    """A plain connection, and what tells one batch by it: the statement of the product alone."""
    connection = psycopg.connect(
        url, autocommit=True, prepare_threshold=1, row_factory=dict_row, application_name="bare"
    )

    def tell() -> int:
        with connection.pipeline():
            connection.execute("SELECT set_config('convex.role', 'system', true)")
            cursor = connection.execute(
                cast("Any", in_app.PREPARED), {"now": datetime.now(UTC), "limit": in_app.AT_ONCE}
            )
        return sum(row["rows_told"] for row in cursor.fetchall())

    return connection, tell


async def limit(side: Side, workspace: UUID, jobs: int, paced: int) -> tuple[float, float]:
    """What PostgreSQL allows: jobs/s, and p95 in ms at up to 100 a second, of a client that blocks
    and does nothing but be notified and run the statement. No pool, no loop, no other work.
    """
    url = role_url(side.settings, "convex_worker")
    connection, tell = bare(url)
    waits: list[float] = []
    with (
        connection,
        psycopg.connect(url, autocommit=True) as waker,
        psycopg.connect(url, autocommit=True) as listener,
    ):
        for _ in range(3):
            await side.put_off(workspace, WARM)
            tell()
        await side.put_off(workspace, jobs)
        start = time.perf_counter()
        while tell():
            pass
        rate = jobs / (time.perf_counter() - start)
        listener.execute(f"LISTEN {ALERT_FLOW_CHANNEL}")
        for _ in range(WARM + paced):
            await side.put_off(workspace, 1)
            committed = time.perf_counter()
            waker.execute(f"NOTIFY {ALERT_FLOW_CHANNEL}")
            next(listener.notifies(timeout=5))
            assert tell() == 1
            waits.append(time.perf_counter() - committed)
            await asyncio.sleep(max(0.0, 0.01 - waits[-1]))
    return rate, sorted(waits[WARM:])[int(paced * 0.95)] * 1000


def install_peers(folder: Path) -> dict[str, str]:
    """Install what can be had; why not, for the others."""
    missing: dict[str, str] = {}
    uv = str(Path(sys.executable).with_name("uv"))
    commands = {
        "bullmq": ["npm", "install", "--silent", "--no-audit", "--no-fund", "bullmq@5"],
        "procrastinate": [
            uv, "pip", "install", "--quiet", "--target", str(folder / "python"),
            "--python", sys.executable, "procrastinate>=3",
        ],
    }  # fmt: skip
    for name, command in commands.items():
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=180)
        except (OSError, subprocess.SubprocessError) as error:
            missing[name] = f"peer missing ({type(error).__name__})"
    shutil.copy(_PEERS / "bullmq.mjs", folder)
    return missing


@asynccontextmanager
async def valkey(folder: Path) -> AsyncIterator[int]:
    """A Valkey whose append-only file is synced every second."""
    port = choose_port(folder, "bench-valkey")
    child = await asyncio.create_subprocess_exec(
        str(program()), "--port", str(port), "--bind", "127.0.0.1", "--appendonly", "yes",
        "--appendfsync", "everysec", "--save", "", "--dir", str(folder),
        "--maxmemory-policy", "noeviction",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(100):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield port
    finally:
        child.terminate()
        await child.wait()


async def ask(*command: str, environment: Mapping[str, str] | None = None) -> dict[str, float]:
    """The figures that a peer prints."""
    child = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    output, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError(f"{command[0]} ended with {child.returncode}")
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


async def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--paced", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    home = folder()
    server = EmbeddedPostgres(home / "home")
    await server.start()
    try:
        await _measure(home, options.jobs, options.paced, options.repeat)
    finally:
        await server.remove()
        shutil.rmtree(home, ignore_errors=True)


async def _measure(home: Path, jobs: int, paced: int, repeat: int) -> None:
    settings = Settings(home=home / "home")
    await asyncio.to_thread(migrate, settings)
    settings = settings.model_copy(update={"secrets": load_secrets(settings)})
    peers = home / "peers"
    peers.mkdir()
    missing = await asyncio.to_thread(install_peers, peers)
    found: dict[str, list[float]] = defaultdict(list)
    url = role_url(settings, "convex_worker")
    async with (
        valkey(peers) as port,
        Database.open(url, application="convex-flow") as database,
    ):
        side = Side(settings, database)
        for turn in range(repeat):
            inbox = await side.plant(["in_app"])
            for what, commit in (("outbox jobs", side.put_off), ("transitions", side.fire)):
                found[f"{what}/s"].append(await side.rate(inbox, "in_app", commit, jobs))
                found[f"{what} p95 ms"].append(await side.latency(inbox, commit, paced))
            rate, p95 = await limit(side, inbox, jobs, paced)
            found["bare statement jobs/s"].append(rate)
            found["bare statement p95 ms"].append(p95)
            if "bullmq" not in missing:
                script = str(peers / "bullmq.mjs")
                answer = await ask("node", script, str(port), str(jobs), str(paced))
                found["BullMQ jobs/s"].append(answer["rate"])
                found["BullMQ p95 ms"].append(answer["p95_ms"])
            if "procrastinate" not in missing:
                with psycopg.connect(admin_url(settings), autocommit=True) as admin:
                    admin.execute(f"CREATE DATABASE peer_{turn}")
                peer_url = admin_url(settings).rpartition("/")[0] + f"/peer_{turn}"
                answer = await ask(
                    sys.executable,
                    str(_PEERS / "procrastinate_peer.py"),
                    peer_url,
                    "1000",
                    str(min(paced, 200)),
                    environment={"PYTHONPATH": str(peers / "python")},
                )
                found["procrastinate jobs/s"].append(answer["rate"])
                found["procrastinate p95 ms"].append(answer["p95_ms"])
    _print(found, missing)


def _print(found: Mapping[str, list[float]], missing: Mapping[str, str]) -> None:
    table = Table("figure", "median", "min – max", title="Outbox (row 4)")
    for name, values in found.items():
        spread = f"{min(values):,.1f} – {max(values):,.1f}"
        table.add_row(name, f"{statistics.median(values):,.1f}", spread)
    for name, why in missing.items():
        table.add_row(name, why, "")
    for one in ("jobs/s", "jobs p95 ms"):
        bound = f"bare statement {one.removeprefix('jobs ')}"
        ratio = statistics.median(found[f"outbox {one}"]) / statistics.median(found[bound])
        table.add_row(f"outbox {one} against the {bound}", f"{ratio:.2f} ×", "")
    if "BullMQ jobs/s" in found:
        for ours, theirs in (
            ("outbox jobs/s", "BullMQ jobs/s"),
            ("outbox jobs p95 ms", "BullMQ p95 ms"),
            ("transitions/s", "BullMQ jobs/s"),
            ("transitions p95 ms", "BullMQ p95 ms"),
        ):
            ratio = statistics.median(found[ours]) / statistics.median(found[theirs])
            table.add_row(f"{ours} against {theirs}", f"{ratio:.2f} ×", "")
    Console().print(table)


if __name__ == "__main__":
    use_fast_loop()
    with settled():
        asyncio.run(main())
