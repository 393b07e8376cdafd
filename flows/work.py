"""A worker of the pool: `python -m flows.work NAME LIMIT FILE QUEUE…`, as `convex up` starts it.

It does what `prefect worker start` does, but may be started long before there is work: its modules
are loaded by the time that FILE appears, which says that Prefect's server is set up.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from signal import Signals

from prefect.settings import get_current_settings
from prefect.workers.process import ProcessWorker

from flows.setup.pool import POOL


async def work(name: str, limit: int, gate: Path, queues: list[str]) -> None:
    """Take runs from the queues until SIGTERM or SIGINT, which end the runs at work as well."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    for signal in (Signals.SIGTERM, Signals.SIGINT):
        loop.add_signal_handler(signal, task.cancel)
    while not await asyncio.to_thread(gate.exists):  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.05)
    settings = get_current_settings().worker
    worker = ProcessWorker(
        work_pool_name=POOL,
        work_queues=queues,
        name=name,
        limit=limit,
        prefetch_seconds=settings.prefetch_seconds,
        heartbeat_interval_seconds=int(settings.heartbeat_seconds),
        create_pool_if_not_found=False,
    )
    try:
        await worker.start(printer=_print)
    except asyncio.CancelledError:
        _print(f"Worker {name} stopped.")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    _, own_name, most, file, *names = sys.argv
    asyncio.run(work(own_name, int(most), Path(file), names))
