"""Start deployments and follow their runs, through Prefect's own API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from convex.errors import Unavailable

_POLL_SECONDS = 0.3


async def run_deployment(
    session: aiohttp.ClientSession,
    api_url: str,
    deployment: str,
    parameters: dict[str, Any] | None = None,
    *,
    within: float,
    watch: Callable[[], Awaitable[None]] | None = None,
) -> str:
    """Run `flow/deployment`, calling `watch` while it lasts; the id of the flow run.

    Raises `Unavailable` when the run ends otherwise than completed, or not within the seconds.
    """
    found = await _request(session, "GET", f"{api_url}/deployments/name/{deployment}")
    created = await _request(
        session,
        "POST",
        f"{api_url}/deployments/{found['id']}/create_flow_run",
        json={"parameters": {**found["parameters"], **(parameters or {})}},
    )
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        run = await _request(session, "GET", f"{api_url}/flow_runs/{created['id']}")
        if watch is not None:
            await watch()
        if run["state_type"] == "COMPLETED":
            return str(run["id"])
        said = (run.get("state") or {}).get("message") or "no reason given"
        if run["state_type"] in ("FAILED", "CRASHED", "CANCELLED"):
            raise Unavailable(f"The run of {deployment} {run['state_name'].lower()}: {said}")
        if loop.time() > deadline:
            raise Unavailable(
                f"The run of {deployment} is still {run['state_name']} after {within:.0f} s."
            )
        await asyncio.sleep(_POLL_SECONDS)


async def _request(session: aiohttp.ClientSession, method: str, url: str, **options: Any) -> Any:
    async with session.request(method, url, **options) as response:
        if response.status >= 400:
            raise Unavailable(f"Prefect: {method} {url} answered {response.status}.")
        return await response.json()
