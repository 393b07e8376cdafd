"""The outbox and the planning before it, against BullMQ and procrastinate.

    python -m bench.outbox [--jobs 10000] [--paced 500] [--repeat 5]

An outbox job is a notification that is due in an inbox: claimed, told, its attempt logged, its live
event appended. A transition is that, and before it the decision whom to tell, with its rows of the
ledger. All with fsync on; BullMQ runs on Valkey with its append-only file synced every second. Jobs
and transitions are committed before the clock starts, as BullMQ's are added. Latencies are from the
commit (or from adding the job) until the job is worked on, at 100 a second. The shift is that of
the alert flow, in a process set up as a run of it is (flows/engine.py: uvloop, the collector).
Peers are installed into a temporary folder; one that cannot be had is reported as missing. Sides
alternate in one run.
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
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import structlog
from psycopg.types.json import Jsonb
from rich.console import Console
from rich.table import Table

from convex.db import SYSTEM, Database
from convex.db.migrate import migrate
from convex.db.roles import admin_url, role_url
from convex.embedded.postgres import EmbeddedPostgres
from convex.embedded.process import choose_port
from convex.embedded.valkey import program
from convex.live import ALERT_FLOW_CHANNEL
from convex.notifications.channels.registry import open_senders
from convex.notifications.channels.webhook import new_key
from convex.notifications.deliver import Courier
from convex.notifications.in_app import words_for
from convex.notifications.model import Kind
from convex.notifications.service import plan_transitions
from convex.notifications.shift import Shift
from convex.secrets import encrypt, load_secrets
from convex.settings import Settings
from flows.engine import settled, use_fast_loop

_PEERS = Path(__file__).parent / "peers"
_FIRE = """
WITH fired AS (
    INSERT INTO convex.alert_triggers (
        workspace_id, rule_id, framework_id, metric_id, fingerprint, rule_name, metric_name, type,
        severity, value, threshold, reason, opened_at, last_seen_at
    )
    SELECT r.workspace_id, r.id, r.framework_id, r.metric_id, gen_random_uuid()::text, r.name,
        'cancel_rate', r.type, r.severity, 0.5, 0.2, 'cancel_rate is 0.5, above 0.2.', now(), now()
    FROM convex.alert_rules AS r, generate_series(1, %(count)s) WHERE r.workspace_id = %(workspace)s
    RETURNING id, workspace_id
), opened AS (
    INSERT INTO convex.trigger_transitions (workspace_id, trigger_id, kind, to_state, reason, at)
    SELECT workspace_id, id, 'opened', 'firing', 'condition_met', now() FROM fired
    RETURNING id, workspace_id
)
INSERT INTO convex.planning_queue (transition_id, workspace_id) SELECT id, workspace_id FROM opened
"""
# Copies of one planned notification, each due in the inbox now.
_DUE = """
INSERT INTO convex.alert_notifications (
    workspace_id, trigger_id, transition_id, kind, recipient_id, channel_kind, state, reason,
    explanation, severity, idempotency_key, payload, due_at
)
SELECT n.workspace_id, n.trigger_id, n.transition_id, n.kind, n.recipient_id, n.channel_kind, 'due',
    'deferred_quiet_hours', n.explanation, n.severity, gen_random_uuid()::text, %(payload)s, now()
FROM convex.alert_notifications AS n, generate_series(1, %(count)s) WHERE n.id = %(id)s
"""
_PLANT = """
WITH made AS (SELECT convex.create_user(%(name)s || '@example.com', 'Bench', NULL) AS user_id),
space AS (
    SELECT user_id, convex.create_workspace(%(name)s, 'Bench', user_id) AS id FROM made
)
SELECT id FROM space
"""
_RULE = """
WITH f AS (
    INSERT INTO convex.frameworks (workspace_id, slug, name)
    VALUES (%(workspace)s, 'ewr', 'Newark') RETURNING id
), m AS (
    INSERT INTO convex.metrics (workspace_id, framework_id, name)
    SELECT %(workspace)s, f.id, 'cancel_rate' FROM f RETURNING id
), p AS (
    INSERT INTO convex.notification_preferences (workspace_id, channels, group_by)
    VALUES (%(workspace)s, %(wanted)s, 'none')
)
INSERT INTO convex.alert_rules (
    workspace_id, framework_id, metric_id, name, type, condition, threshold_value, severity
)
SELECT %(workspace)s, f.id, m.id, 'Many cancellations', 'threshold', 'above', 0.2, 'critical'
FROM f, m
"""


Commit = Callable[[UUID, int], Awaitable[None]]
_WARM = 20  # paced ones that are not measured: statements are prepared, pools are full


class Side:
    """One workspace and a shift that works for it."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.told: dict[UUID, asyncio.Event] = defaultdict(asyncio.Event)
        self.planned: dict[UUID, tuple[UUID, dict[str, Any]]] = {}

    async def plant(self, wanted: list[str], url: str | None = None) -> UUID:
        """A workspace whose member uses these channels, with a webhook to `url`."""
        name = f"bench-{uuid4().hex[:8]}"
        async with self.database.transaction(SYSTEM) as connection:
            row = await (await connection.execute(_PLANT, {"name": name})).fetchone()
            assert row is not None
            parameters = {"workspace": row["id"], "wanted": wanted}
            await connection.execute(_RULE, parameters)
            if url is not None:
                secret = json.dumps({"secrets": [new_key()]})
                await connection.execute(
                    "INSERT INTO convex.channels (workspace_id, name, kind, config, secret)"
                    " VALUES (%s, 'pager', 'webhook', %s, %s)",
                    (
                        row["id"],
                        json.dumps({"url": url}),
                        encrypt(secret, self.settings.secrets.encryption_key),
                    ),
                )
        return UUID(str(row["id"]))

    async def fire(self, workspace: UUID, count: int) -> None:
        """Commit that many firings."""
        async with self.database.transaction(SYSTEM) as connection:
            await connection.execute(_FIRE, {"workspace": workspace, "count": count})

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """A shift, in this process."""
        url = role_url(self.settings, "convex_worker")
        async with open_senders(self.settings) as senders:
            shift = Shift(
                self.settings,
                self.database,
                url,
                Courier(self.settings, self.settings.secrets, senders),
                announce=lambda workspace, _cursor: self.told[workspace].set(),
            )
            running = asyncio.create_task(shift.run())
            try:
                yield
            finally:
                shift.stop()
                await running

    async def put_off(self, workspace: UUID, count: int) -> None:
        """Commit that many notifications that are due in the inbox now."""
        async with self.database.transaction(SYSTEM) as connection:
            if workspace not in self.planned:
                await connection.execute(_FIRE, {"workspace": workspace, "count": 1})
                await plan_transitions(connection, datetime.now(UTC), email_works=False)
                rows = await connection.execute(
                    "SELECT id, kind, severity, payload FROM convex.alert_notifications"
                    " WHERE workspace_id = %s AND channel_kind = 'in_app'",
                    (workspace,),
                )
                row = await rows.fetchone()
                assert row is not None
                said = words_for(Kind(row["kind"]), row["severity"], row["payload"])
                self.planned[workspace] = row["id"], {**row["payload"], "said": said}
            notification_id, payload = self.planned[workspace]
            await connection.execute(
                _DUE, {"id": notification_id, "payload": Jsonb(payload), "count": count}
            )

    async def count(self, workspace: UUID, kind: str) -> int:
        """How many were delivered by this kind of channel."""
        async with self.database.read(SYSTEM) as connection:
            row = await (
                await connection.execute(
                    "SELECT count(*) AS n FROM convex.alert_notifications"
                    " WHERE workspace_id = %s AND channel_kind = %s AND state = 'delivered'",
                    (workspace, kind),
                )
            ).fetchone()
        assert row is not None
        return int(row["n"])

    async def rate(self, workspace: UUID, kind: str, commit: Commit, jobs: int) -> float:
        """Jobs a second, from their commit until all are delivered and recorded."""
        wanted = await self.count(workspace, kind) + _WARM
        url = role_url(self.settings, "convex_worker")
        async with (
            self.at_work(),
            await psycopg.AsyncConnection.connect(url, autocommit=True) as waker,
        ):
            await commit(workspace, _WARM)
            await self.reached(workspace, kind, wanted)
            await commit(workspace, jobs)
            start = time.perf_counter()
            await waker.execute(f"NOTIFY {ALERT_FLOW_CHANNEL}")
            await self.reached(workspace, kind, wanted + jobs)
            return jobs / (time.perf_counter() - start)

    async def reached(self, workspace: UUID, kind: str, wanted: int) -> None:
        """Wait until so many are delivered. They are counted when nothing waits any more: counting
        all the while would take the server's time from those that are measured.
        """
        for _ in range(15_000):
            if not await self._waits() and await self.count(workspace, kind) >= wanted:
                return
            await asyncio.sleep(0.02)
        raise RuntimeError(f"{wanted} were not delivered within five minutes")

    async def _waits(self) -> bool:
        async with self.database.read(SYSTEM) as connection:
            row = await (
                await connection.execute(
                    "SELECT EXISTS (SELECT 1 FROM convex.planning_queue) OR EXISTS ("
                    "SELECT 1 FROM convex.alert_notifications WHERE state = 'due') AS waits"
                )
            ).fetchone()
        assert row is not None
        return bool(row["waits"])

    async def latency(
        self, workspace: UUID, commit: Commit, paced: int, arrived: asyncio.Event | None = None
    ) -> float:
        """p95 in ms from the commit of one until it is told, at up to 100 a second."""
        waits: list[float] = []
        event = arrived or self.told[workspace]
        url = role_url(self.settings, "convex_worker")
        async with (
            self.at_work(),
            await psycopg.AsyncConnection.connect(url, autocommit=True) as waker,
        ):
            await asyncio.sleep(1)
            for _ in range(_WARM + paced):
                event.clear()
                await commit(workspace, 1)
                committed = time.perf_counter()
                await waker.execute(f"NOTIFY {ALERT_FLOW_CHANNEL}")
                await asyncio.wait_for(event.wait(), 10)
                waits.append(time.perf_counter() - committed)
                await asyncio.sleep(max(0.0, 0.01 - waits[-1]))
        return sorted(waits[_WARM:])[int(paced * 0.95)] * 1000


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


def folder() -> Path:
    """A temporary folder that the server's user may pass through."""
    home = Path(tempfile.mkdtemp(prefix="convex-bench-"))
    home.chmod(0o755)
    return home


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
