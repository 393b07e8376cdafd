"""Procrastinate doing nothing but its own work. Prints one JSON line, as bullmq.mjs does.

Run with the folder that it is installed in on PYTHONPATH: URL, jobs, paced jobs.
"""

import asyncio
import json
import sys
import time

import procrastinate


async def main(url: str, jobs: int, paced: int) -> None:
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))
    waits: list[float] = []
    left = [jobs]
    done = asyncio.Event()

    @app.task(name="work")
    async def work(at: float) -> None:
        if at:
            waits.append((time.monotonic() - at) * 1000)
        left[0] -= 1
        if not left[0]:
            done.set()

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for _ in range(0, jobs, 1000):
            await work.batch_defer_async(*({"at": 0.0} for _ in range(1000)))
        start = time.perf_counter()
        worker = asyncio.create_task(
            app.run_worker_async(concurrency=200, install_signal_handlers=False)
        )
        await done.wait()
        seconds = time.perf_counter() - start
        done.clear()
        left[0] = paced
        for _ in range(paced):
            await work.defer_async(at=time.monotonic())
            await asyncio.sleep(0.01)
        await done.wait()
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    waits.sort()
    print(json.dumps({"rate": jobs / seconds, "p95_ms": waits[int(len(waits) * 0.95)]}))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
