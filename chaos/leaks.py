"""What a process holds, while it lives and when it has nothing left to do."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
from psycopg.rows import dict_row

from chaos.stand import VICTIMS, Stand

_EVERY = 2.0
_MEGABYTE = 1_000_000
_MORE_FILES = 24  # pools that have grown, keep-alive connections of the load
_MORE_MEMORY = 60  # MB that a process may have gained over a quiet one of its kind
_PARTITIONS = (
    "SELECT count(*) AS n FROM pg_inherits AS i INNER JOIN pg_class AS c ON c.oid = i.inhparent"
    " WHERE c.relnamespace = 'convex'::regnamespace"
)
_SESSIONS = (
    "SELECT application_name AS name, count(*) AS sessions,"
    " count(*) FILTER (WHERE state LIKE 'idle in transaction%%'"
    " AND state_change < now() - interval '10 s') AS stuck"
    " FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    " GROUP BY 1"
)


@dataclass(frozen=True, slots=True)
class Holding:
    """Memory in MB, and open files, of one process."""

    megabytes: float
    files: int


@dataclass(slots=True)
class Watch:
    """The most that a process of each kind held; `run` looks every two seconds."""

    stand: Stand
    most: dict[str, Holding] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for kind, found in holdings(self.stand).items():
                known = self.most.get(kind, Holding(0, 0))
                self.most[kind] = Holding(
                    max([known.megabytes, *(one.megabytes for one in found)]),
                    max([known.files, *(one.files for one in found)]),
                )
            await asyncio.sleep(_EVERY)


def holdings(stand: Stand) -> dict[str, list[Holding]]:
    """By kind, of those that live now."""
    found: dict[str, list[Holding]] = defaultdict(list)
    for kind in VICTIMS:
        for pid in stand.living(kind):
            try:
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                files = len(os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                continue
            found[kind].append(Holding(pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE, files))
    return found


@dataclass(frozen=True, slots=True)
class Quiet:
    """What is held while there is no load."""

    processes: dict[str, list[Holding]]
    sessions: dict[str, int]
    stuck: int
    partitions: int
    metric_files: int
    zombies: int

    def figures(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "processes": {
                kind: [{"megabytes": round(one.megabytes), "files": one.files} for one in found]
                for kind, found in self.processes.items()
            },
            "sessions": self.sessions,
            "partitions": self.partitions,
            "metric_files": self.metric_files,
        }


async def look(stand: Stand, admin_url: str) -> Quiet:
    """Look at the processes, the database's sessions and the files of the home.

    Scrapes once, as Prometheus does all the time: that folds the metrics of ended processes.
    """
    async with aiohttp.ClientSession() as session, session.get(f"{stand.url}/metrics") as answer:
        answer.raise_for_status()
    async with await psycopg.AsyncConnection.connect(
        admin_url, autocommit=True, row_factory=dict_row, application_name="chaos"
    ) as connection:
        sessions = await (await connection.execute(_SESSIONS)).fetchall()
        partitions = await (await connection.execute(_PARTITIONS)).fetchone()
    assert partitions is not None
    return Quiet(
        holdings(stand),
        {row["name"]: row["sessions"] for row in sessions if row["name"] != "chaos"},
        sum(row["stuck"] for row in sessions),
        partitions["n"],
        len(list((stand.home / "metrics").glob("*.db"))),
        sum(one.state == "Z" for one in stand.family()),
    )


def compare(before: Quiet, after: Quiet) -> list[str]:
    """What has grown although nothing is going on any more."""
    wrong = []
    for kind, found in after.processes.items():
        known = before.processes.get(kind)
        if not known:
            continue
        files = max(one.files for one in known)
        memory = max(one.megabytes for one in known)
        for one in found:
            if one.files > files + _MORE_FILES:
                wrong.append(f"{kind} holds {one.files} files, {files} before the load")
            if one.megabytes > memory + _MORE_MEMORY:
                wrong.append(f"{kind} holds {one.megabytes:.0f} MB, {memory:.0f} before the load")
    gone = before.processes.keys() - after.processes.keys()
    wrong += [f"no {kind} runs any more" for kind in sorted(gone)]
    for name, sessions in after.sessions.items():
        known_sessions = before.sessions.get(name, 0)
        if name.startswith("convex-") and sessions > max(10, known_sessions) * 2:
            wrong.append(f"{name} has {sessions} sessions, {known_sessions} before the load")
    if after.stuck:
        wrong.append(f"{after.stuck} sessions sit in a transaction")
    if after.partitions != before.partitions:
        wrong.append(f"{after.partitions} partitions, {before.partitions} before the load")
    if after.metric_files > before.metric_files + 3 * 16:
        wrong.append(f"{after.metric_files} files of metrics, {before.metric_files} before")
    if after.zombies:
        wrong.append(f"{after.zombies} processes have ended and nobody waits for them")
    return wrong
