"""Asking a server on this machine whether it answers, without a library that takes long to load."""

from __future__ import annotations

import asyncio
import json
from typing import Any

_SECONDS = 5.0


async def ask(
    host: str, port: int, path: str, body: bytes | None = None
) -> tuple[int, bytes] | None:
    """Status and body of a GET, or of a POST of JSON; None when nobody answers within 5 s."""
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_connection(reachable_host(host), port)
            try:
                writer.write(_request(host, path, body))
                head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
        return int(head.split(b" ", 2)[1]), answer
    except (OSError, TimeoutError, ValueError, IndexError):
        return None


async def is_well(host: str, port: int, path: str) -> bool:
    """Whether the answer is 200."""
    answer = await ask(host, port, path)
    return answer is not None and answer[0] == 200


async def ask_json(host: str, port: int, path: str, body: bytes | None = None) -> Any:
    """The answer as JSON, or None when there is none that is."""
    answer = await ask(host, port, path, body)
    if answer is None:
        return None
    start = min((at for at in map(answer[1].find, (b"{", b"[")) if at >= 0), default=0)
    try:
        return json.JSONDecoder().raw_decode(answer[1][start:].decode())[0]
    except ValueError:
        return None


def reachable_host(host: str) -> str:
    """Where to reach on this machine what listens on `host`."""
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104


def _request(host: str, path: str, body: bytes | None) -> bytes:
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.0", f"Host: {host}"]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")
