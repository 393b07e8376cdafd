"""The end of a workspace: undone in time, or nothing of it left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg import errors, sql

from convex.db import SYSTEM, Database, Role
from convex.db.roles import role_url
from convex.errors import Conflict, InvalidInput, NotFound, NotPermitted
from convex.settings import Settings
from convex.workspaces import deletion, exports, store
from convex.workspaces.audit import verify
from convex.workspaces.model import Account, User
from convex.workspaces.passwords import hash_password
from tests.conftest import Tenant, make_tenant
from tests.convex.workspaces.test_export import furnish

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


async def schedule(worker: Database, tenant: Tenant, grace: timedelta = WEEK) -> None:
    async with worker.transaction(SYSTEM) as connection:
        await deletion.request_deletion(
            connection, tenant.workspace_id, user_id=tenant.user_id, now=NOW, grace=grace
        )


def rows_with(settings: Settings, *ids: UUID) -> dict[str, int]:
    """Rows that name one of the ids, in every table of every schema that has a workspace_id."""
    found: dict[str, int] = {}
    with psycopg.connect(settings.database_url) as admin:
        tables = admin.execute(
            "SELECT n.nspname, c.relname, a.attname FROM pg_attribute AS a"
            " JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n"
            " ON n.oid = c.relnamespace WHERE n.nspname IN ('convex', 'analytics')"
            " AND c.relkind IN ('r', 'p') AND (a.attname = 'workspace_id'"
            " OR (c.relname IN ('workspaces', 'users') AND a.attname = 'id'))"
        ).fetchall()
        assert len(tables) > 35
        for schema, table, column in tables:
            count = admin.execute(
                sql.SQL("SELECT count(*) FROM {} WHERE {} = ANY (%s)").format(
                    sql.Identifier(schema, table), sql.Identifier(column)
                ),
                (list(ids),),
            ).fetchone()
            assert count is not None
            if count[0]:
                found[f"{schema}.{table}"] = count[0]
    return found


async def test_nothing_is_left_of_it_and_the_others_have_lost_nothing(
    fresh_settings: Settings, fresh_worker: Database, tmp_path: Path
) -> None:
    gone, stays = await make_tenant(fresh_worker), await make_tenant(fresh_worker)
    await furnish(fresh_settings, gone, stays)
    async with fresh_worker.transaction(SYSTEM) as connection:  # somebody who is in both
        await store.set_member(connection, gone.workspace_id, stays.user_id, Role.EDITOR)
    archive = exports.file_of(tmp_path, gone.workspace_id, gone.user_id)
    archive.parent.mkdir(parents=True)
    archive.touch()
    async with Database.open(role_url(fresh_settings, "convex_dbt")) as builder:
        async with builder.transaction(SYSTEM) as connection:
            await connection.execute("CREATE SCHEMA IF NOT EXISTS analytics")
            await connection.execute(
                "CREATE TABLE analytics.dim_things AS"
                " SELECT id AS workspace_id FROM convex.workspaces"
            )
        before = rows_with(fresh_settings, stays.workspace_id, stays.user_id)
        await schedule(fresh_worker, gone)
        too_early = await deletion.purge(
            fresh_worker, builder, tmp_path, gone.workspace_id, NOW + timedelta(days=6)
        )
        assert too_early is None
        assert rows_with(fresh_settings, gone.workspace_id)["convex.points"] == 1
        done = await deletion.purge(fresh_worker, builder, tmp_path, gone.workspace_id, NOW + WEEK)
    assert done is not None
    assert (done.accounts, done.rows["points"], done.rows["analytics.dim_things"]) == (1, 1, 1)
    assert rows_with(fresh_settings, gone.workspace_id, gone.user_id) == {}
    after = rows_with(fresh_settings, stays.workspace_id, stays.user_id)
    assert after == before
    assert not archive.parent.exists()
    async with fresh_worker.read(SYSTEM) as connection:
        log = await deletion.read_log(connection)
        assert await verify(connection, stays.workspace_id) == []
    assert [(one["action"], one["slug"]) for one in log] == [
        ("deletion_requested", gone.slug),
        ("workspace_purged", gone.slug),
    ]


async def test_it_is_undone_while_the_grace_lasts_and_no_longer(
    worker: Database, tenant: Tenant
) -> None:
    await schedule(worker, tenant)
    with pytest.raises(Conflict):
        await schedule(worker, tenant)
    async with worker.transaction(SYSTEM) as connection:
        found = await deletion.find_deletion(connection, tenant.workspace_id)
        assert found is not None
        assert (found.purge_at, found.requested_by) == (NOW + WEEK, tenant.user_id)
        assert tenant.workspace_id in await deletion.list_due(connection, NOW + WEEK)
        late = NOW + WEEK
        assert not await deletion.cancel_deletion(connection, tenant.workspace_id, late)
        assert await deletion.cancel_deletion(connection, tenant.workspace_id, NOW)
        assert not await deletion.cancel_deletion(connection, tenant.workspace_id, NOW)
        assert await deletion.find_deletion(connection, tenant.workspace_id) is None
        with pytest.raises(NotFound):
            await deletion.request_deletion(
                connection, tenant.user_id, user_id=None, now=NOW, grace=WEEK
            )


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR, Role.INGEST])
async def test_only_an_owner_may_schedule_it(api: Database, tenant: Tenant, role: Role) -> None:
    with pytest.raises((NotFound, Conflict, errors.InsufficientPrivilege)):
        async with api.transaction(tenant.identity(role)) as connection:
            await deletion.request_deletion(
                connection, tenant.workspace_id, user_id=tenant.user_id, now=NOW, grace=WEEK
            )


async def test_the_trail_cannot_be_removed_while_the_workspace_is_there(
    worker: Database, api: Database, tenant: Tenant
) -> None:
    for database, identity in ((worker, SYSTEM), (api, tenant.identity())):
        with pytest.raises(errors.InsufficientPrivilege):
            async with database.transaction(identity) as connection:
                await connection.execute("SELECT set_config('convex.purging', 'x', true)")
                await connection.execute("SELECT convex.forget_audit(%s)", (tenant.workspace_id,))


async def test_the_platform_log_is_the_operators_alone(
    worker: Database, api: Database, tenant: Tenant
) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        async with api.transaction(tenant.identity()) as connection:
            await connection.execute("SELECT 1 FROM convex.platform_log")
    async with worker.read(tenant.flow) as connection:
        assert await deletion.read_log(connection) == []


async def test_it_is_confirmed_by_the_slug_and_the_password(
    worker: Database, tenant: Tenant
) -> None:
    async with worker.read(SYSTEM) as connection:
        workspace = await store.get_workspace(connection, tenant.workspace_id)
    assert workspace is not None
    user = User(tenant.user_id, tenant.email, "O", "UTC")
    account = Account(user, await hash_password("right password"), disabled=False)
    with pytest.raises(InvalidInput):
        await deletion.confirm(workspace, account, "another", "right password")
    with pytest.raises(NotPermitted):
        await deletion.confirm(workspace, account, tenant.slug, "wrong password")
    await deletion.confirm(workspace, account, tenant.slug, "right password")
    await deletion.confirm(workspace, Account(user, None, disabled=False), tenant.slug, "")
