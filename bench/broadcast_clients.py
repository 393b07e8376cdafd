"""Many WebSocket clients in one process: they connect, say what they are told, and wait.

Run by bench.broadcast: `python -m bench.broadcast_clients PORT PATH COUNT [token]`. Prints "ready",
then for each broadcast the monotonic nanosecond at which the last client had all of its frame.
"""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import sys
import time

_OF_ADDRESS = 5000
_PING_SECONDS = 20.0
_PONG = 200  # bytes; several pongs are still shorter than one event


def main() -> None:
    """Connect, then report rounds until the server closes."""
    port, path, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    token = sys.argv[4] if len(sys.argv) > 4 else ""
    raise_limit()
    poll = select.epoll()
    sockets: dict[int, socket.socket] = {}
    pinged = time.monotonic()
    for number in range(count):
        client = _connect(port, path, number)
        if token:
            _say(client, {"type": "auth", "token": token})
            _hear(client, b"auth_success")
            _say(client, {"type": "subscribe", "framework_id": None})
            _hear(client, b"subscribed")
        client.setblocking(False)
        sockets[client.fileno()] = client
        poll.register(client.fileno(), select.EPOLLIN)
        if token and time.monotonic() - pinged > _PING_SECONDS:
            pinged = time.monotonic()
            _ping(sockets)
    print("ready", flush=True)
    waiting = set(sockets)
    while True:
        for fd, _ in poll.poll(5):
            # A frame of 500 bytes arrives whole on the loopback device.
            block = os.read(fd, 65536)
            if not block:
                return
            if len(block) > _PONG:
                waiting.discard(fd)
        if not waiting:
            print(time.monotonic_ns(), flush=True)
            waiting = set(sockets)
        if token and len(waiting) == count and time.monotonic() - pinged > _PING_SECONDS:
            pinged = time.monotonic()
            _ping(sockets)


def _ping(sockets: dict[int, socket.socket]) -> None:
    """A client that says nothing for a minute is closed."""
    for client in sockets.values():
        _say(client, {"type": "ping"})


def raise_limit() -> None:
    """As many open files as this process may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _connect(port: int, path: str, number: int) -> socket.socket:
    # An address has some 28,000 ports to connect from; the next clients come from the next one.
    source = f"127.0.0.{1 + number // _OF_ADDRESS}"
    client = socket.create_connection(("127.0.0.1", port), source_address=(source, 0))
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    _hear(client, b"\r\n\r\n")
    return client


def _hear(client: socket.socket, word: bytes) -> None:
    heard = b""
    while word not in heard:
        block = client.recv(4096)
        if not block:
            raise ConnectionError(heard.decode(errors="replace"))
        heard += block


def _say(client: socket.socket, message: dict[str, object]) -> None:
    payload = json.dumps(message).encode()
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2)
    client.sendall(head + b"\0\0\0\0" + payload)  # masked with zeros


if __name__ == "__main__":
    main()
