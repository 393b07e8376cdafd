"""A first import: `convex ingest` of a CSV, and one endless body by HTTP, with the memory of both.

    python -m bench.import_points [--rows 1000000] [--streamed 10000000]

The first row is a million points of 100 series by the command, as history, everything from start to
exit. The second is ten million points in one chunked NDJSON body to the real API: its memory once
the first million has been taken, and the most it ever had.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import orjson
from rich.console import Console
from rich.table import Table

from bench.ingest import make_workspace
from bench.served import Served, served

_SERIES = 100


async def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--streamed", type=int, default=10_000_000)
    asked = parser.parse_args()
    table = Table(title="First import, points a second")
    for column in ("what", "points", "a second", "memory after a tenth", "most memory"):
        table.add_column(column)
    async with served() as here:
        workspace = await make_workspace(here.settings)
        await asyncio.to_thread(_by_command, here, asked.rows, table)
        await _by_http(here, workspace.key, asked.streamed, table)
    Console().print(table)


def _by_command(here: Served, rows: int, table: Table) -> None:
    file = here.settings.home / "points.csv"
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(days=60)
    instants = [
        (begin + timedelta(minutes=n)).isoformat().replace("+00:00", "Z")
        for n in range(rows // _SERIES)
    ]
    with file.open("w") as written:
        written.write("framework,metric,timestamp,value,host\n")
        for instant in instants:
            for series in range(_SERIES):
                written.write(f"bench,load,{instant},{series}.5,host-{series}\n")
    command = [sys.executable, "-m", "convex.cli", "ingest", str(file), "--framework", "bench"]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "--json"],
        env={**os.environ, **here.environment},
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds = time.perf_counter() - started
    counts = orjson.loads(done.stdout.splitlines()[-1])
    if counts["accepted"] != rows:
        raise RuntimeError(f"not taken: {counts}")
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    table.add_row("convex ingest", f"{rows:,}", f"{rows / seconds:,.0f}", "", f"{most:,.0f} MB")


async def _by_http(here: Served, key: str, rows: int, table: Table) -> None:
    begin = int(datetime.now(UTC).timestamp()) - 30 * 86_400
    early = 0.0

    async def lines() -> AsyncIterator[bytes]:
        nonlocal early
        for first in range(0, rows, 10_000):
            yield b"".join(
                b'{"framework":"bench","metric":"streamed","labels":{"host":"h%d"},'
                b'"timestamp":%d,"value":%d.5}\n' % (n % _SERIES, begin + n // _SERIES, n % 977)
                for n in range(first, first + 10_000)
            )
            if first + 10_000 == rows // 10:
                early = _memory(here.pid)

    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    started = time.perf_counter()
    timeout = aiohttp.ClientTimeout(total=None)
    async with here.session.post(
        "/api/v1/points", data=lines(), headers=headers, timeout=timeout
    ) as answer:
        counts = await answer.json()
    if counts.get("accepted") != rows:
        raise RuntimeError(f"not taken: {counts}")
    seconds = time.perf_counter() - started
    table.add_row(
        "one NDJSON body",
        f"{rows:,}",
        f"{rows / seconds:,.0f}",
        f"{early:,.0f} MB",
        f"{_memory(here.pid, most=True):,.0f} MB",
    )


def _memory(pid: int, *, most: bool = False) -> float:
    name = "VmHWM:" if most else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the process {pid} is gone")


if __name__ == "__main__":
    asyncio.run(main())
