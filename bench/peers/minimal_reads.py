"""The peer of bench.reads: bare FastAPI routes on a psycopg pool, with the same statements.

No sign-in, no limits, no ETag, no cache, no schema: what is left is the query and its JSON. Row
level security is on, as without it the statements would be others.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import uvicorn
from fastapi import FastAPI, Response
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from convex.alerts import trigger_store
from convex.alerts.model import TriggerFilters
from convex.alerts.present import trigger_json
from convex.analytics import read
from convex.scoring.service import read_health

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]
_IDENTITY = (
    "SELECT set_config('convex.workspace_id', %s, true), set_config('convex.role', 'viewer', true)"
)


def make_app(url: str, workspace_id: UUID, framework_id: UUID) -> FastAPI:
    """The application of one workspace."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        kwargs = {"row_factory": dict_row, "prepare_threshold": 2}
        async with AsyncConnectionPool(url, min_size=4, max_size=10, kwargs=kwargs) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)

    @asynccontextmanager
    async def reading() -> AsyncIterator[AsyncConnection[DictRow]]:
        pool: Pool = app.state.pool
        async with pool.connection() as connection, connection.transaction():
            await connection.execute(_IDENTITY, (str(workspace_id),))
            yield connection

    def answer(data: Any) -> Response:
        body = orjson.dumps(data, default=_plain, option=orjson.OPT_UTC_Z)
        return Response(body, media_type="application/json")

    @app.get("/triggers")
    async def triggers() -> Response:
        async with reading() as connection:
            page = await trigger_store.list_triggers(connection, workspace_id, TriggerFilters())
        return answer({"items": [trigger_json(one) for one in page.items]})

    @app.get("/summary")
    async def summary() -> Response:
        async with reading() as connection:
            return answer(await read.summary(connection, today=datetime.now(UTC).date(), days=365))

    @app.get("/trends")
    async def trends() -> Response:
        async with reading() as connection:
            return answer(await read.trends(connection, today=datetime.now(UTC).date(), days=365))

    @app.get("/health")
    async def health() -> Response:
        now = datetime.now(UTC)
        async with reading() as connection:
            return answer(await read_health(connection, workspace_id, framework_id, now, 30))

    return app


def _plain(value: object) -> object:
    return dict(value) if hasattr(value, "keys") else str(value)  # type: ignore[call-overload]


if __name__ == "__main__":
    uvicorn.run(
        make_app(sys.argv[1], UUID(sys.argv[3]), UUID(sys.argv[4])),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        access_log=False,
        log_level="warning",
    )
