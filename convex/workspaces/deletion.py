"""The end of a workspace: asked for by an owner, undone within the grace, then purged for good.

Until it is purged everything works as before: somebody who takes over an account must not be able
to silence alerts by it. What is left then is the entry in `platform_log`, which is the operator's.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import sql

from convex.db import SYSTEM, Connection, Database, Identity, Role
from convex.errors import Conflict, InvalidInput, NotFound, NotPermitted
from convex.workspaces import store
from convex.workspaces.holdings import Holding, list_holdings
from convex.workspaces.model import Account, Workspace
from convex.workspaces.passwords import verify_password

_BATCH = 5_000
_ALONE = frozenset({"audit_log", "audit_heads"})  # these go with `forget_audit`
_COLUMNS = "id AS workspace_id, deletion_requested_at, deletion_requested_by, purge_at"


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deletion that waits for its time."""

    workspace_id: UUID
    requested_at: datetime
    requested_by: UUID | None
    purge_at: datetime


@dataclass(frozen=True, slots=True)
class Purged:
    """What went with a workspace: rows by table, and accounts that were in no other."""

    workspace_id: UUID
    rows: dict[str, int]
    accounts: int


# -- asking, undoing


async def confirm(workspace: Workspace, account: Account | None, slug: str, password: str) -> None:
    """Whether somebody means it, and is who they are. Call it outside a transaction.

    An account without a password (single sign-on) confirms by the slug alone. Raises
    `InvalidInput` for another slug, `NotPermitted` for a wrong password.
    """
    if not secrets.compare_digest(slug.encode(), workspace.slug.encode()):
        raise InvalidInput(f"Type the slug of the workspace, {workspace.slug!r}.", field="slug")
    stored = None if account is None else account.password_hash
    if stored is not None and not await verify_password(stored, password):
        raise NotPermitted("The password is wrong.")


async def request_deletion(
    connection: Connection,
    workspace_id: UUID,
    *,
    user_id: UUID | None,
    now: datetime,
    grace: timedelta,
) -> Deletion:
    """Schedule it. Raises `Conflict` when it is scheduled already, `NotFound` without such one."""
    done = await connection.execute(
        "UPDATE convex.workspaces SET deletion_requested_at = %s, deletion_requested_by = %s,"
        f" purge_at = %s WHERE id = %s AND purge_at IS NULL RETURNING {_COLUMNS}",
        (now, user_id, now + grace, workspace_id),
    )
    row = await done.fetchone()
    if row is None:
        if await store.get_workspace(connection, workspace_id) is None:
            raise NotFound("There is no workspace with that id.")
        raise Conflict("The workspace's deletion is scheduled already.")
    await _note(connection, workspace_id, "deletion_requested")
    return Deletion(*row.values())


async def cancel_deletion(connection: Connection, workspace_id: UUID, now: datetime) -> bool:
    """Undo it, while the grace lasts; whether there was anything to undo."""
    done = await connection.execute(
        "UPDATE convex.workspaces SET deletion_requested_at = NULL, deletion_requested_by = NULL,"
        " purge_at = NULL WHERE id = %s AND purge_at > %s",
        (workspace_id, now),
    )
    if done.rowcount:
        await _note(connection, workspace_id, "deletion_cancelled")
    return done.rowcount > 0


async def find_deletion(connection: Connection, workspace_id: UUID) -> Deletion | None:
    """What is scheduled for this workspace."""
    rows = await connection.execute(
        f"SELECT {_COLUMNS} FROM convex.workspaces WHERE id = %s AND purge_at IS NOT NULL",
        (workspace_id,),
    )
    row = await rows.fetchone()
    return None if row is None else Deletion(*row.values())


async def list_due(connection: Connection, now: datetime) -> list[UUID]:
    """The workspaces whose grace is over."""
    rows = await connection.execute(
        "SELECT id FROM convex.workspaces WHERE purge_at <= %s ORDER BY purge_at", (now,)
    )
    return [row["id"] for row in await rows.fetchall()]


async def _note(connection: Connection, workspace_id: UUID, action: str) -> None:
    await connection.execute("SELECT convex.note_on_platform(%s, %s, '{}')", (workspace_id, action))


# -- purging


async def purge(
    worker: Database, builder: Database, home: Path, workspace_id: UUID, now: datetime
) -> Purged | None:
    """Remove everything of a workspace whose grace is over; None when it is not, or it is gone.

    `worker` is the database as convex_worker, `builder` as convex_dbt, which owns the marts. Rows
    go in batches, each in a transaction of its own, then the workspace with its audit trail in one.
    It may be called again when it was interrupted.
    """
    if not await _is_due(worker, workspace_id, now):
        return None
    rows: dict[str, int] = {}
    identity = Identity(workspace_id, Role.SYSTEM)
    async with worker.read(identity) as connection:
        holdings = await list_holdings(connection)
    points = [one for one in holdings if one.partitioned]  # found by the series that they are of
    for one in [*points, *reversed(holdings)]:
        if one.name not in _ALONE and one.name not in rows:
            rows[one.name] = await _empty(worker, identity, one)
    for folder in (home / "exports", home / "docs" / "quality"):
        shutil.rmtree(folder / str(workspace_id), ignore_errors=True)
    rows |= await _empty_marts(builder, workspace_id)
    async with worker.transaction(SYSTEM) as connection:
        # Nobody can undo it once the grace is over; another run may have been faster.
        found = await connection.execute(
            "SELECT id FROM convex.workspaces WHERE id = %s AND purge_at <= %s FOR UPDATE",
            (workspace_id, now),
        )
        if await found.fetchone() is None:
            return None
        await _note(connection, workspace_id, "workspace_purged")
        accounts = await connection.execute(
            "DELETE FROM convex.users AS u USING convex.members AS m"
            " WHERE m.workspace_id = %s AND m.user_id = u.id AND NOT EXISTS (SELECT 1"
            "  FROM convex.members AS o WHERE o.user_id = u.id AND o.workspace_id <> %s)",
            (workspace_id, workspace_id),
        )
        await store.delete_workspace(connection, workspace_id)
        await connection.execute("SELECT convex.forget_audit(%s)", (workspace_id,))
    await _empty_marts(builder, workspace_id)  # a build may have been at work meanwhile
    return Purged(workspace_id, rows, accounts.rowcount)


async def _is_due(worker: Database, workspace_id: UUID, now: datetime) -> bool:
    async with worker.read(SYSTEM) as connection:
        return workspace_id in await list_due(connection, now)


async def _empty(worker: Database, identity: Identity, table: Holding) -> int:
    """Delete the workspace's rows of one table. Members go last, with the workspace."""
    if table.name == "members":
        return 0
    if table.partitioned:  # a ctid is no address there; points go series by series
        async with worker.read(identity) as connection:
            found = await connection.execute("SELECT id FROM convex.series ORDER BY id")
            series = [row["id"] for row in await found.fetchall()]
        return sum([await _delete_series(worker, identity, table, one) for one in series])
    statement = sql.SQL(
        "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table}"
        " WHERE workspace_id = %s LIMIT %s))"
    ).format(table=sql.Identifier("convex", table.name))
    gone = 0
    while True:
        async with worker.transaction(identity) as connection:
            done = await connection.execute(statement, (identity.workspace_id, _BATCH))
        gone += done.rowcount
        if done.rowcount < _BATCH:
            return gone


async def _delete_series(
    worker: Database, identity: Identity, table: Holding, series_id: int
) -> int:
    statement = sql.SQL("DELETE FROM {} WHERE series_id = %s").format(
        sql.Identifier("convex", table.name)
    )
    async with worker.transaction(identity) as connection:
        return (await connection.execute(statement, (series_id,))).rowcount


async def _empty_marts(builder: Database, workspace_id: UUID) -> dict[str, int]:
    rows: dict[str, int] = {}
    async with builder.transaction(SYSTEM) as connection:
        for mart in await list_holdings(connection, "analytics"):
            statement = sql.SQL("DELETE FROM {} WHERE workspace_id = %s").format(
                sql.Identifier("analytics", mart.name)
            )
            done = await connection.execute(statement, (workspace_id,))
            rows[f"analytics.{mart.name}"] = done.rowcount
    return rows


async def read_log(connection: Connection) -> list[dict[str, Any]]:
    """What happened to whole workspaces, oldest first; as `SYSTEM`, for the operator."""
    rows = await connection.execute(
        "SELECT at, action, former_id, slug, actor FROM convex.platform_log ORDER BY id"
    )
    return await rows.fetchall()
