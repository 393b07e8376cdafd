"""The processes of `convex up` besides the servers of convex.embedded, as commands."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import Signals

from convex.cli.probe import reachable_host
from convex.embedded.process import Command
from convex.embedded.supervisor import ProcessService
from convex.settings import Settings

CODE = Path(__file__).parents[2]
POOL = "convex"
OTHER_QUEUES = ("alerts", "analytics", "predictions")
_LIMIT = 4  # runs of one worker at once: each is a process of about 150 MB

# A worker hands its runs the same request to stop, and waits for them.
_STOP_WORKER = ((Signals.SIGTERM, 10.0),)
_STOP_SERVER = ((Signals.SIGTERM, 10.0),)


def environment(settings: Settings) -> dict[str, str]:
    """What every process gets: ours, the settings that are relative made absolute, and the rules
    for Prefect and the libraries beneath.
    """
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        **os.environ,
        **dict.fromkeys(threads, "1"),
        "CONVEX_HOME": str(settings.home),
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
        "PREFECT_HOME": str(settings.home / "prefect"),
        "PREFECT_PROFILES_PATH": str(settings.home / "prefect" / "profiles.toml"),
        "PREFECT_API_URL": prefect_api_url(settings),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics_folder(settings)),
    }


def prefect_api_url(settings: Settings) -> str:
    """Prefect's API as the processes on this machine reach it."""
    return f"http://{reachable_host(settings.host)}:{settings.prefect_port}/api"


def metrics_folder(settings: Settings) -> Path:
    """Where the processes share their metrics."""
    return settings.home / "metrics"


def clear_metrics(settings: Settings) -> None:
    """Counters begin at nothing with each start."""
    folder = metrics_folder(settings)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def prefect_server(settings: Settings, database_url: str) -> ProcessService:
    """Prefect's server; `database_url` is its own database's, for asyncpg."""
    batch = {
        f"PREFECT_SERVER_SERVICES_{service}_{name}": value
        for service in ("TASK_RUN_RECORDER", "EVENT_PERSISTER")
        for name, value in (
            ("BATCH_SIZE", "200"),
            ("READ_BATCH_SIZE", "200"),
            ("FLUSH_INTERVAL", "1"),
        )
    }
    own = {
        **batch,
        "PREFECT_API_DATABASE_CONNECTION_URL": database_url,
        "PREFECT_SERVER_API_HOST": settings.host,
        "PREFECT_SERVER_API_PORT": str(settings.prefect_port),
        # In memory, a restart of the server would take the slots of healthy runs away.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
    }
    arguments = [sys.executable, "-m", "prefect", "server", "start"]
    return _service(settings, "prefect", arguments, own, _STOP_SERVER)


def bootstrap(settings: Settings) -> ProcessService:
    """Brings Prefect's server to today's flows, once, and ends."""
    arguments = [sys.executable, "-m", "flows.bootstrap", "--start"]
    return _service(settings, "bootstrap", arguments, {}, ())


def set_up(settings: Settings) -> ProcessService:
    """The same where workers run already, on this machine or on others: it ends no run."""
    arguments = [sys.executable, "-m", "flows.bootstrap", "--begin"]
    return _service(settings, "set-up", arguments, {}, ())


def gate(settings: Settings) -> Path:
    """The file whose existence says that Prefect's server is set up."""
    return settings.home / "prefect" / "set-up"


def workers(settings: Settings) -> list[ProcessService]:
    """One worker for the standing flow alone, so that nothing can take its place, and one more.

    They may be started at any time, and work once `gate` exists.
    """

    def one(name: str, queues: tuple[str, ...], limit: int, nice: int = 0) -> ProcessService:
        arguments = [sys.executable, "-m", "flows.work", f"convex-{name}", str(limit)]
        arguments += [str(gate(settings)), *queues]
        return _service(settings, f"worker-{name}", arguments, {}, _STOP_WORKER, nice)

    return [
        one("notifications", ("notifications",), 2 * _LIMIT),
        # Analyses stand back for alerts, and this worker's start for that of the first shift.
        one("others", OTHER_QUEUES, _LIMIT, nice=5),
    ]


def worker(settings: Settings, name: str, queues: Sequence[str], limit: int) -> ProcessService:
    """One worker for these queues: of processes, or one that makes a Kubernetes job of each run."""
    if settings.flows.pool == "kubernetes":
        arguments = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL]
        arguments += ["--type", "kubernetes", "--name", name, "--limit", str(limit)]
        arguments += ["--with-healthcheck", "--install-policy", "never"]
        arguments += [part for queue in queues for part in ("--work-queue", queue)]
    else:
        arguments = [sys.executable, "-m", "flows.work", name, str(limit)]
        arguments += [str(gate(settings)), *queues]
    return _service(settings, "worker", arguments, {}, _STOP_WORKER)


def api(settings: Settings) -> ProcessService:
    """The API with the web page, under uvicorn with the options of `api.__main__`."""
    arguments = [sys.executable, "-m", "api"]
    return _service(settings, "api", arguments, {}, _STOP_SERVER)


def _service(
    settings: Settings,
    name: str,
    arguments: list[str],
    own: dict[str, str],
    stop: tuple[tuple[Signals, float], ...],
    nice: int = 0,
) -> ProcessService:
    command = Command(name, arguments, {**environment(settings), **own}, folder=CODE, nice=nice)
    return ProcessService(command, settings.home / "logs" / f"{name}.log", stop)
