"""What a worker shows on a port of its own: that it lives, and what its runs have counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from convex.telemetry import exposition


@asynccontextmanager
async def shown(host: str, port: int) -> AsyncIterator[None]:
    """Answer /livez and /metrics on `port` while the block lasts; with 0 nothing is opened."""
    if not port:
        yield
        return
    application = web.Application()
    application.router.add_get("/livez", _livez)
    application.router.add_get("/metrics", _metrics)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()


async def _livez(_: web.Request) -> web.Response:
    return web.json_response({"status": "alive"})


async def _metrics(request: web.Request) -> web.Response:
    accept = request.headers.get("Accept", "")
    body, content_type = await asyncio.to_thread(exposition, accept)
    return web.Response(body=body, headers={"Content-Type": content_type})
