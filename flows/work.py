"""A worker of the pool: `python -m flows.work NAME LIMIT FILE QUEUE…`, as `convex up` starts it.

It does what `prefect worker start` does, and two things more. It may be started long before there
is work: its modules are loaded by the time that FILE appears, which says that Prefect's server is
set up. And it notes which runs it has in hand, beside FILE: when it is killed its runs die with it,
and the next one of its name calls them crashed at once, where Prefect would miss their heartbeats
only after a while.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from signal import Signals
from uuid import UUID

import anyio.abc
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult

from convex.settings import load_settings
from flows.scrape import shown
from flows.setup.pool import POOL


class NotingWorker(ProcessWorker):
    """A process worker that keeps a file for each run while it lasts."""

    notes: Path

    @classmethod
    def __dispatch_key__(cls) -> str:
        """Its place in Prefect's registry; looking for `process` still finds Prefect's class."""
        return "process-noting"

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ProcessJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> ProcessWorkerResult:
        """Run it as Prefect does. The note stays when we do not get to the end."""
        note = self.notes / str(flow_run.id)
        note.touch()
        result = await super().run(flow_run, configuration, task_status)
        note.unlink(missing_ok=True)
        return result


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
    worker = NotingWorker(
        work_pool_name=POOL,
        work_queues=queues,
        name=name,
        limit=limit,
        prefetch_seconds=settings.prefetch_seconds,
        heartbeat_interval_seconds=int(settings.heartbeat_seconds),
        create_pool_if_not_found=False,
    )
    worker.notes = gate.parent / "runs" / name
    chosen = load_settings()
    try:
        async with shown(chosen.host, chosen.flows.metrics_port):
            async with get_client() as client:
                await crash_noted_runs(client, worker.notes)
            await worker.start(printer=_print)
    except asyncio.CancelledError:
        _print(f"Worker {name} stopped.")


async def crash_noted_runs(client: PrefectClient, notes: Path) -> int:
    """Call crashed what an earlier worker of this name had in hand and did not end; how many."""
    notes.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - once, before any work
    left = [UUID(note.name) for note in notes.iterdir()]  # noqa: ASYNC240
    crashed = 0
    for run_id in left:
        with suppress(ObjectNotFound):
            run = await client.read_flow_run(run_id)
            if run.state is not None and not run.state.is_final():
                await client.set_flow_run_state(run_id, _lost(), force=True)
                crashed += 1
        (notes / str(run_id)).unlink(missing_ok=True)
    return crashed


def _lost() -> State[None]:
    return State(
        type=StateType.CRASHED,
        name="Crashed",
        message="The worker that ran this was killed, and this with it.",
    )


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    _, own_name, most, file, *names = sys.argv
    asyncio.run(work(own_name, int(most), Path(file), names))
