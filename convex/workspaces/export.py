"""A workspace as files: one for each table, a manifest and checksums, in a zip.

Written from one snapshot as the workspace's own identity, so row level security decides what is in
it, a batch of rows at a time. Secrets, and what is of no use outside of this database, are left
out; the manifest says what and why.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import orjson
from psycopg import sql

from convex import __version__
from convex.db import Connection, Database, Identity, Role
from convex.errors import NotFound
from convex.workspaces import store
from convex.workspaces.holdings import Holding, list_holdings
from convex.workspaces.model import Workspace
from convex.workspaces.parquet import ParquetPart, Sink

Form = Literal["ndjson", "parquet"]
FORMAT = 1

LEFT_OUT = {
    "audit_heads": "only the newest link of audit_log",
    "detector_snapshots": "binary state, made again from the points",
    "idempotency_keys": "answers kept for a day, which may hold keys",
    "live_events": "kept for a day, told by alert_triggers and alert_notifications",
    "planning_queue": "empty but for moments",
    "refresh_tokens": "secrets of sessions",
}
HIDDEN = frozenset({"password_hash", "key_hash", "token_hash", "secret"})
_WITH_SETTINGS = frozenset({"channels", "sources", "audit_log"})
_MASK = "[left out]"
_MEMBERS = (
    "SELECT m.workspace_id, m.user_id, m.role, m.created_at, u.email, u.name, u.timezone,"
    " u.last_sign_in_at FROM convex.members AS m INNER JOIN convex.users AS u ON u.id = m.user_id"
    " ORDER BY m.created_at, m.user_id"
)
_WORKSPACE = (
    "SELECT id, slug, name, timezone, settings, created_at, updated_at FROM convex.workspaces"
)
_ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the archive."""

    table: str
    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Exported:
    """An archive that is there in full."""

    path: Path
    bytes: int
    rows: int
    sha256: str
    parts: tuple[Part, ...]


async def export_workspace(
    database: Database, workspace_id: UUID, target: Path, *, form: Form, now: datetime
) -> Exported:
    """Write the archive to `target`, which appears when it is complete.

    `database` is convex_worker's. Raises `NotFound`; `OSError` when the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    parts: list[Part] = []
    try:
        async with database.read(Identity(workspace_id, Role.SYSTEM)) as connection:
            await connection.execute("SET LOCAL TIME ZONE 'UTC'")
            workspace = await store.get_workspace(connection, workspace_id)
            if workspace is None:
                raise NotFound("There is no workspace with that id.")
            with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
                parts.append(await _write(connection, archive, "workspaces", _WORKSPACE, form))
                for table in await list_holdings(connection):
                    if table.name not in LEFT_OUT:
                        query = _query(table, workspace_id)
                        parts.append(await _write(connection, archive, table.name, query, form))
                manifest = orjson.dumps(
                    _manifest(workspace, parts, form, now), option=orjson.OPT_INDENT_2
                )
                archive.writestr("manifest.json", manifest)
                sums = [(one.sha256, one.file) for one in parts]
                sums.append((hashlib.sha256(manifest).hexdigest(), "manifest.json"))
                archive.writestr("SHA256SUMS", "".join(f"{h}  {name}\n" for h, name in sums))
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    size, checksum = await asyncio.to_thread(_measure, target)
    return Exported(target, size, sum(one.rows for one in parts), checksum, tuple(parts))


def _measure(file: Path) -> tuple[int, str]:
    with file.open("rb") as opened:
        checksum = hashlib.file_digest(opened, "sha256").hexdigest()
    return file.stat().st_size, checksum


def _query(table: Holding, workspace_id: UUID) -> str | sql.Composed:
    if table.name == "members":
        return _MEMBERS
    columns = [sql.Identifier(name) for name in table.columns if name not in HIDDEN]
    query = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(columns), sql.Identifier("convex", table.name)
    )
    if table.partitioned:  # by the key of its partitions, instead of reading everybody's
        within = sql.SQL(" WHERE series_id IN (SELECT id FROM convex.series)")
        return query + within
    return query + sql.SQL(" WHERE workspace_id = {}").format(sql.Literal(workspace_id))


async def _write(
    connection: Connection,
    archive: zipfile.ZipFile,
    table: str,
    query: str | sql.Composed,
    form: Form,
) -> Part:
    name = f"convex/{table}.{form}"
    with archive.open(name, "w", force_zip64=True) as file:
        sink = Sink(file)
        rows = 0
        if form == "ndjson":
            async for line in _lines(connection, table, query):
                sink.write(line)
                rows += 1
        else:
            async with connection.cursor(name="export_rows") as cursor:
                await cursor.execute(query)
                assert cursor.description is not None
                with ParquetPart(sink, cursor.description) as part:
                    while batch := await cursor.fetchmany(_ROWS_AT_ONCE):
                        part.write([_masked(table, row) for row in batch])
                        rows += len(batch)
    return Part(f"convex.{table}", name, rows, sink.size, sink.digest)


async def _lines(
    connection: Connection, table: str, query: str | sql.Composed
) -> AsyncIterator[bytes]:
    """Rows as PostgreSQL writes them in JSON: numbers with all their digits, times in UTC."""
    inner = sql.SQL(query) if isinstance(query, str) else query
    async with connection.cursor(name="export_lines") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        await cursor.execute(
            sql.SQL("SELECT row_to_json(r)::text AS line FROM ({}) AS r").format(inner)
        )
        async for row in cursor:
            line: str = row["line"]
            if table in _WITH_SETTINGS:
                yield orjson.dumps(hide_headers(orjson.loads(line))) + b"\n"
            else:
                yield line.encode() + b"\n"


def _masked(table: str, row: dict[str, Any]) -> dict[str, Any]:
    return hide_headers(row) if table in _WITH_SETTINGS else row


def hide_headers(value: Any) -> Any:
    """The same with the values of HTTP headers left out: people keep tokens in them."""
    if isinstance(value, dict):
        return {
            key: _hidden(inner) if key == "headers" else hide_headers(inner)
            for key, inner in value.items()
        }
    return [hide_headers(one) for one in value] if isinstance(value, list) else value


def _hidden(value: Any) -> Any:
    return dict.fromkeys(value, _MASK) if isinstance(value, dict) else _MASK


def _manifest(workspace: Workspace, parts: list[Part], form: Form, now: datetime) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "encoding": form,
        "convex_version": __version__,
        "made_at": now.astimezone(UTC),
        "workspace": {"id": workspace.id, "slug": workspace.slug, "name": workspace.name},
        "tables": [
            {
                "table": one.table,
                "file": one.file,
                "rows": one.rows,
                "bytes": one.bytes,
                "sha256": one.sha256,
            }
            for one in parts
        ],
        "left_out": {
            "tables": {f"convex.{name}": why for name, why in LEFT_OUT.items()},
            "columns": sorted(HIDDEN),
            "marts": "schema analytics is made from these tables by `dbt build`",
        },
    }
