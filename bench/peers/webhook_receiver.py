"""Takes webhooks and says 204, as fast as Python can; run by bench.webhook in a process of its own.

Prints its port. A line on standard input: "count" is answered with how many arrived, "arrivals"
with their monotonic instants in ns as JSON, "reset" forgets them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

_ANSWER = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
_arrivals: list[int] = []


class Receiver(asyncio.Protocol):
    """Requests with a Content-Length, one after the other on a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._seen = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._seen += data
        while True:
            head, found, rest = self._seen.partition(b"\r\n\r\n")
            if not found:
                return
            length = 0
            for line in head.split(b"\r\n"):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if len(rest) < length:
                return
            self._seen = rest[length:]
            _arrivals.append(time.monotonic_ns())
            self._transport.write(_ANSWER)


def _answer(line: str) -> str:
    if line == "arrivals":
        return json.dumps(_arrivals)
    if line == "reset":
        _arrivals.clear()
    return str(len(_arrivals))


async def main() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Receiver, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(_answer(line.decode().strip()), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
