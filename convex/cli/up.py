"""`convex up` and `convex down`."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from signal import Signals
from typing import Annotated, Any

import typer

from convex.cli.say import Json, say
from convex.errors import Conflict, Unavailable
from convex.settings import Settings, load_settings

_DOWN_SECONDS = 90.0
_UP_SECONDS = 660.0


def up(
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Return when everything is ready, printing one JSON line."),
    ] = False,
    as_json: Json = False,
) -> int:
    """Start everything and keep it running until Ctrl-C.

    Example: CONVEX_API_PORT=8080 convex up --detach
    """
    settings = load_settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    if detach:
        print(json.dumps(_start_detached(settings)), flush=True)
        return 0
    return asyncio.run(_run(settings, as_json=as_json))


def down(as_json: Json = False) -> None:
    """Stop what `convex up` started on this home.

    Example: CONVEX_HOME=/srv/convex convex down
    """
    settings = load_settings()
    pid = running_pid(settings.home)
    if pid is not None:
        os.kill(pid, Signals.SIGTERM)
        deadline = time.monotonic() + _DOWN_SECONDS
        while running_pid(settings.home) == pid:
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"Process {pid} has not ended after {_DOWN_SECONDS:.0f} s; `kill -9 {pid}` ends"
                    " it and everything that it started."
                )
            time.sleep(0.05)
    text = "Stopped." if pid else f"Nothing runs on {settings.home}."
    say(text, {"stopped": pid is not None, "pid": pid}, as_json=as_json)


def running_pid(home: Path) -> int | None:
    """The process that runs Convex on this home (`up` or `demo`), None when there is none."""
    from convex.embedded.process import holder

    return holder(home / "up.lock")


def read_state(home: Path) -> dict[str, Any] | None:
    """What the last `convex up` of this home wrote about itself."""
    try:
        state = json.loads((home / "up.json").read_text())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None


def describe(settings: Settings, pid: int) -> dict[str, Any]:
    """What somebody needs to use a running Convex: the line that `up --detach` prints."""
    from convex.cli.processes import prefect_api_url
    from convex.cli.sign_in import read_sign_in

    signed = read_sign_in(settings.home)
    return {
        "url": settings.base_url,
        "prefect_url": prefect_api_url(settings).removesuffix("/api"),
        "pid": pid,
        **signed,
    }


async def _run(settings: Settings, *, as_json: bool) -> int:
    from rich.console import Console

    from convex.cli.stack import Stack
    from convex.embedded.process import exclusive

    console = Console(stderr=True, highlight=False)
    stop = asyncio.Event()
    for signal in (Signals.SIGINT, Signals.SIGTERM, Signals.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signal, _ask_to_stop, stop)
    message = f"Convex is running on {settings.home} already; stop it with `convex down`."
    with exclusive(settings.home / "up.lock", message):
        _write_state(settings, "starting")
        stack = Stack(settings, lambda line: console.print(f"[dim]·[/dim] {line}"))
        try:
            starting = asyncio.create_task(stack.start())
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                _write_state(settings, "ready")
                _announce(console, settings, as_json=as_json)
                await stopping
            else:
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
        finally:
            await stack.stop()
            (settings.home / "up.json").unlink(missing_ok=True)
    return 0


def _ask_to_stop(stop: asyncio.Event) -> None:
    """The second time at once: whatever still runs is ended by the kernel as its parent dies."""
    if stop.is_set():
        os._exit(130)
    stop.set()


def _write_state(settings: Settings, state: str) -> None:
    from convex.embedded.process import write_private

    values = {"state": state, **describe(settings, os.getpid())}
    values = {name: value for name, value in values.items() if name not in ("password", "api_key")}
    write_private(settings.home / "up.json", json.dumps(values))


def _announce(console: Any, settings: Settings, *, as_json: bool) -> None:
    values = describe(settings, os.getpid())
    if as_json:
        print(json.dumps(values), flush=True)
        return
    console.print(f"\n[bold]Convex[/bold]   {values['url']}")
    console.print(f"[bold]Prefect[/bold]  {values['prefect_url']}")
    if values["email"]:
        console.print(
            f"[bold]Sign in[/bold]  {values['email']} (password in {values['password_file']})"
        )
    else:
        console.print("Make the first member with: convex user create you@example.com")
    console.print("[dim]Ctrl-C stops everything.[/dim]\n")


def _start_detached(settings: Settings) -> dict[str, Any]:
    if pid := running_pid(settings.home):
        raise Conflict(
            f"Convex is running on {settings.home} already (process {pid}); stop it with"
            " `convex down`."
        )
    log = settings.home / "logs" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "convex.cli", "up"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "CONVEX_HOME": str(settings.home)},
            start_new_session=True,
        )
    deadline = time.monotonic() + _UP_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            from convex.cli.stack import last_line

            raise Unavailable(last_line(log).removeprefix("convex: "))
        state = read_state(settings.home)
        if state and state["pid"] == process.pid and state["state"] == "ready":
            process.returncode = 0  # it is meant to outlive this command
            return describe(settings, process.pid)
        time.sleep(0.05)
    process.terminate()
    process.wait()
    raise Unavailable(f"Convex did not start within {_UP_SECONDS:.0f} s; see {log}.")
