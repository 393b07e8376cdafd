"""The websockets library's own broadcast(): a line on standard input broadcasts 500 bytes.

Run by bench.broadcast: `python -m bench.peers.websockets_broadcast PORT`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve


async def main() -> None:
    """Serve until standard input ends."""
    clients: set[ServerConnection] = set()

    async def hold(client: ServerConnection) -> None:
        clients.add(client)
        await client.wait_closed()
        clients.discard(client)

    async with serve(hold, "127.0.0.1", int(sys.argv[1]), compression=None, ping_interval=None):
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            began = time.monotonic_ns()
            broadcast(clients, json.dumps({"type": "alert", "padding": "x" * 470}))
            print(began, flush=True)


if __name__ == "__main__":
    uvloop.run(main())
