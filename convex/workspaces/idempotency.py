"""Requests that are sent again: the first answer is kept and given again, in one transaction.

The advisory lock lasts as long as the transaction that does the work, and the answer is stored in
that same transaction, so that neither a crash nor a race can do the work twice or keep a key for
ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.db import Connection
from convex.errors import Conflict, InvalidInput

RETENTION = timedelta(hours=24)


class RequestInFlight(Conflict):
    """The first request with this key is still at work."""

    code = "request_in_flight"


class KeyReused(InvalidInput):
    """The key was used for another request."""

    code = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer of the first request."""

    status: int
    response: Mapping[str, Any]


async def begin(
    connection: Connection,
    workspace_id: UUID,
    route: str,
    key: str,
    request_hash: bytes,
    now: datetime,
) -> StoredAnswer | None:
    """None: do the work and call `finish`. Else the answer to give again.

    Raises `RequestInFlight`, and `KeyReused` when the request was another one.
    """
    lock = hashlib.blake2b(f"{workspace_id} {route} {key}".encode(), digest_size=8).digest()
    row = await (
        await connection.execute(
            "SELECT pg_try_advisory_xact_lock(%s) AS locked",
            (int.from_bytes(lock, signed=True),),
        )
    ).fetchone()
    if row is None or not row["locked"]:
        raise RequestInFlight(
            "A request with this Idempotency-Key is still being answered; send it again later."
        )
    stored = await (
        await connection.execute(
            "SELECT request_hash, status, response FROM convex.idempotency_keys"
            " WHERE workspace_id = %s AND route = %s AND key = %s AND expires_at > %s",
            (workspace_id, route, key, now),
        )
    ).fetchone()
    if stored is None:
        return None
    if bytes(stored["request_hash"]) != request_hash:
        raise KeyReused(
            "This Idempotency-Key was sent with another request; use a new key for a new request."
        )
    return StoredAnswer(stored["status"], stored["response"])


async def finish(
    connection: Connection,
    workspace_id: UUID,
    route: str,
    key: str,
    request_hash: bytes,
    now: datetime,
    answer: StoredAnswer,
) -> None:
    """Keep the answer for `RETENTION`."""
    await connection.execute(
        "INSERT INTO convex.idempotency_keys (workspace_id, route, key, request_hash, status,"
        " response, created_at, completed_at, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (workspace_id, route, key) DO UPDATE SET"
        " request_hash = excluded.request_hash, status = excluded.status,"
        " response = excluded.response, created_at = excluded.created_at,"
        " completed_at = excluded.completed_at, expires_at = excluded.expires_at",
        (
            workspace_id,
            route,
            key,
            request_hash,
            answer.status,
            Jsonb(dict(answer.response)),
            now,
            now,
            now + RETENTION,
        ),
    )
