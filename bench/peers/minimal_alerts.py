"""The least that could be called an alert service: one insert, one update, one trigger, one frame.

No tenants, no row level security, no rules, no history: what FastAPI, psycopg and a WebSocket cost.
Run by bench.latency: `python -m bench.peers.minimal_alerts URL PORT`.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

SCHEMA = """
DROP SCHEMA IF EXISTS peer CASCADE;
CREATE SCHEMA peer;
CREATE TABLE peer.points (
    series text, at timestamptz DEFAULT now(), value float8 NOT NULL, id bigserial PRIMARY KEY
);
CREATE TABLE peer.states (series text PRIMARY KEY, value float8, at timestamptz);
CREATE TABLE peer.triggers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), series text, value float8,
    opened_at timestamptz DEFAULT now()
);
INSERT INTO peer.states SELECT 's' || n FROM generate_series(0, 63) AS n;
"""


class Point(BaseModel):
    """One value."""

    series: str
    value: float


def make_app(url: str) -> FastAPI:
    """The application."""
    clients: set[WebSocket] = set()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncConnectionPool(url, min_size=4, max_size=10) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/points")
    async def take(point: Point) -> dict[str, str]:
        pool: AsyncConnectionPool[AsyncConnection] = app.state.pool
        async with pool.connection() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO peer.points (series, value) VALUES (%s, %s)",
                (point.series, point.value),
            )
            await connection.execute(
                "UPDATE peer.states SET value = %s, at = now() WHERE series = %s",
                (point.value, point.series),
            )
            row = await (
                await connection.execute(
                    "INSERT INTO peer.triggers (series, value) VALUES (%s, %s) RETURNING id",
                    (point.series, point.value),
                )
            ).fetchone()
        assert row is not None
        frame = orjson.dumps({"id": str(row[0]), "series": point.series}).decode()
        for client in list(clients):
            await client.send_text(frame)
        return {"id": str(row[0])}

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        clients.add(socket)
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            clients.discard(socket)

    return app


if __name__ == "__main__":
    uvicorn.run(
        make_app(sys.argv[1]),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        access_log=False,
        log_level="warning",
        ws="websockets-sansio",
    )
