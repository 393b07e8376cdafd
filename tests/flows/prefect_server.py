"""A Prefect server of a test's own, as a child process."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from pydantic import BaseModel

from convex.settings import Settings


@asynccontextmanager
async def prefect_server(home: Path) -> AsyncIterator[str]:
    """Start one with its data in `home`; its API URL. Stopped at the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "prefect",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        env={
            **_clean_environment(),
            "PREFECT_HOME": str(home),
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "ERROR",
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(120), httpx.AsyncClient() as client:
            while True:
                try:
                    if (await client.get(f"{url}/health")).is_success:
                        break
                except httpx.TransportError:
                    assert child.returncode is None, "the Prefect server ended"
                await asyncio.sleep(0.2)
        yield url
    finally:
        if child.returncode is None:
            child.terminate()
            try:
                async with asyncio.timeout(15):
                    await child.wait()
            except TimeoutError:
                child.kill()
        await child.wait()


def flow_environment(settings: Settings, prefect_url: str, home: Path) -> dict[str, str]:
    """What a worker hands on to a flow run's process."""
    return {
        **_clean_environment(),
        **_variables(settings, "CONVEX_"),
        "PREFECT_API_URL": prefect_url,
        "PREFECT_HOME": str(home),
        "PYTHONWARNINGS": "ignore",
    }


def _variables(area: BaseModel, prefix: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in area:
        if isinstance(value, BaseModel):
            found |= _variables(value, f"{prefix}{name.upper()}__")
        elif isinstance(value, frozenset):
            found[prefix + name.upper()] = "[" + ",".join(f'"{one}"' for one in value) + "]"
        elif hasattr(value, "total_seconds"):
            found[prefix + name.upper()] = str(value.total_seconds())
        else:
            found[prefix + name.upper()] = str(value)
    return found


def _clean_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "CONVEX_"))
    }
