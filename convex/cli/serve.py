"""`convex serve`: one part of Convex as this very process, for images and service managers."""

from __future__ import annotations

import os
import socket
from enum import StrEnum
from typing import Annotated

import typer

from convex.cli.say import Json, say
from convex.embedded.supervisor import ProcessService
from convex.settings import Settings, load_settings

_QUEUES = ("notifications", "alerts", "analytics", "predictions")


class Part(StrEnum):
    """What can be served by itself."""

    API = "api"
    PREFECT = "prefect"
    SETUP = "setup"
    WORKER = "worker"


def serve(
    part: Annotated[Part, typer.Argument(help="api, prefect, setup (once, then it ends), worker.")],
    queue: Annotated[
        list[str] | None, typer.Option(help="A queue of the worker; again for more. Default: all.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Runs of the worker at once.")] = 4,
    as_json: Json = False,
) -> None:
    """Become one part of Convex, on servers that somebody else runs. --json only says how.

    Example: convex serve worker --queue notifications
    """
    from convex.cli import processes

    settings = load_settings()
    service = {
        Part.API: lambda: processes.api(settings),
        Part.PREFECT: lambda: _prefect(settings),
        Part.SETUP: lambda: processes.set_up(settings),
        Part.WORKER: lambda: processes.worker(
            settings, f"convex-{socket.gethostname()}", queue or _QUEUES, limit
        ),
    }[part]()
    command = service.command
    environment = dict(command.environment)
    if given := os.environ.get("PREFECT_API_URL"):
        environment["PREFECT_API_URL"] = given  # the server is elsewhere
    if as_json:
        names = sorted(set(environment) - set(os.environ))
        say("", {"arguments": list(command.arguments), "environment": names}, as_json=True)
        return
    processes.metrics_folder(settings).mkdir(parents=True, exist_ok=True)
    ready = processes.gate(settings)
    ready.parent.mkdir(parents=True, exist_ok=True)
    ready.touch()  # whoever starts parts by themselves sees to their order
    os.chdir(processes.CODE)
    os.execvpe(command.arguments[0], list(command.arguments), environment)  # noqa: S606


def _prefect(settings: Settings) -> ProcessService:
    from convex.cli import processes
    from convex.db.roles import prefect_url

    return processes.prefect_server(settings, prefect_url(settings))
