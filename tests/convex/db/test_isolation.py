"""Row level security, table by table, as the logins that Convex really uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from convex.db import SYSTEM, Database, Identity, Role
from convex.db.schema import metadata
from convex.settings import Settings
from tests.conftest import Tenant, make_tenant
from tests.convex.db.rows import FILLED_ALONG, STATEMENTS, fill_workspace

TENANT_TABLES = sorted(t.name for t in metadata.tables.values() if "workspace_id" in t.columns)
# Not reachable for the API at all: only functions touch it.
UNREADABLE = {"audit_heads"}
ROLES = [Role.VIEWER, Role.INGEST, Role.EDITOR, Role.OWNER, Role.SYSTEM]


@pytest_asyncio.fixture(scope="module")
async def pair(settings: Settings, worker: Database) -> AsyncIterator[tuple[Tenant, Tenant]]:
    """Two workspaces with a row in every table."""
    mine, theirs = await make_tenant(worker), await make_tenant(worker)

    def fill() -> None:
        with psycopg.connect(settings.database_url) as admin:
            for tenant in (mine, theirs):
                fill_workspace(admin, tenant.workspace_id, tenant.user_id)

    await asyncio.to_thread(fill)
    yield mine, theirs


def _statement(text: str, table: str) -> sql.Composed:
    return sql.SQL(text).format(sql.Identifier(table))


def test_every_tenant_table_is_covered() -> None:
    assert set(TENANT_TABLES) == set(STATEMENTS) | FILLED_ALONG


def test_every_table_has_row_level_security_forced(settings: Settings) -> None:
    with psycopg.connect(settings.database_url) as admin:
        rows = admin.execute(
            "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class"
            " WHERE relnamespace = 'convex'::regnamespace AND relkind IN ('r', 'p')"
            " AND relname <> 'alembic_version'"
        ).fetchall()
    assert len(rows) > len(TENANT_TABLES)
    assert [name for name, forced in rows if not forced] == []


def test_every_tenant_table_has_an_audit_trigger(settings: Settings) -> None:
    with psycopg.connect(settings.database_url) as admin:
        rows = admin.execute(
            "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgname ~ '^audit'"
        ).fetchall()
    audited = {name.removeprefix("convex.") for (name,) in rows}
    assert set(TENANT_TABLES) - audited == {"audit_log", "audit_heads"}


def test_no_login_owns_a_table_or_bypasses_row_level_security(settings: Settings) -> None:
    logins = ["convex_api", "convex_worker", "convex_dbt"]
    with psycopg.connect(settings.database_url) as admin:
        owned = admin.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'convex'::regnamespace"
            " AND pg_get_userbyid(relowner) = ANY (%s)",
            (logins,),
        ).fetchone()
        powers = admin.execute(
            "SELECT count(*) FROM pg_roles WHERE rolname = ANY (%s)"
            " AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)",
            (logins,),
        ).fetchone()
    assert owned == (0,)
    assert powers == (0,)


@pytest.mark.parametrize("table", TENANT_TABLES)
@pytest.mark.parametrize("role", ROLES)
async def test_the_api_reads_only_the_acting_workspace(
    api: Database, pair: tuple[Tenant, Tenant], table: str, role: Role
) -> None:
    mine, theirs = pair
    if table in UNREADABLE:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with api.transaction(mine.identity(role)) as connection:
                await connection.execute(_statement("SELECT FROM convex.{}", table))
        return
    async with api.read(mine.identity(role)) as connection:
        seen = await (
            await connection.execute(
                _statement("SELECT DISTINCT workspace_id FROM convex.{}", table)
            )
        ).fetchall()
    workspaces = {row["workspace_id"] for row in seen}
    assert theirs.workspace_id not in workspaces
    # what only owners see is not expected here (audit_log), the rest is
    if table != "audit_log" or role is Role.OWNER:
        assert workspaces == {mine.workspace_id}


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_the_api_sees_nothing_without_an_identity(
    api: Database, pair: tuple[Tenant, Tenant], table: str
) -> None:
    if table in UNREADABLE:
        pytest.skip("not readable for the API at all")
    for identity in (SYSTEM, Identity(None, Role.OWNER)):
        async with api.read(identity) as connection:
            rows = await connection.execute(_statement("SELECT FROM convex.{}", table))
            assert rows.rowcount == 0


@pytest.mark.parametrize("table", [*TENANT_TABLES, "users", "workspaces"])
@pytest.mark.parametrize("login", ["convex_api", "convex_worker"])
async def test_a_bare_connection_sees_nothing(
    api: Database, worker: Database, pair: tuple[Tenant, Tenant], table: str, login: str
) -> None:
    database = api if login == "convex_api" else worker
    async with database._pool.connection() as connection:
        try:
            rows = await connection.execute(_statement("SELECT 1 FROM convex.{}", table))
        except psycopg.errors.InsufficientPrivilege:
            await connection.rollback()
            return
        assert rows.rowcount == 0


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_the_api_cannot_change_another_workspace(
    api: Database, pair: tuple[Tenant, Tenant], table: str
) -> None:
    mine, theirs = pair
    columns = [c.name for c in metadata.tables[f"convex.{table}"].columns]
    for text in (
        "UPDATE convex.{} SET workspace_id = workspace_id WHERE workspace_id = %s",
        "DELETE FROM convex.{} WHERE workspace_id = %s",
    ):
        try:
            async with api.transaction(mine.identity()) as connection:
                changed = await connection.execute(_statement(text, table), (theirs.workspace_id,))
                assert changed.rowcount == 0
        except psycopg.errors.InsufficientPrivilege:
            continue
    assert "workspace_id" in columns


@pytest.mark.parametrize("table", sorted(STATEMENTS))
async def test_the_api_cannot_insert_into_another_workspace(
    api: Database, pair: tuple[Tenant, Tenant], table: str
) -> None:
    mine, theirs = pair
    columns = [
        c.name
        for c in metadata.tables[f"convex.{table}"].columns
        if c.name != "workspace_id" and c.identity is None
    ]
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    copied = sql.SQL(
        "INSERT INTO convex.{table} (workspace_id, {columns}) SELECT %s, {columns}"
        " FROM convex.{table} LIMIT 1"
    ).format(table=sql.Identifier(table), columns=names)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with api.transaction(mine.identity()) as connection:
            await connection.execute(copied, (theirs.workspace_id,))


@pytest.mark.parametrize("table", sorted(set(TENANT_TABLES) - {"idempotency_keys"}))
async def test_a_viewer_changes_nothing(
    api: Database, pair: tuple[Tenant, Tenant], table: str
) -> None:
    own = {"notification_preferences", "refresh_tokens"}
    if table in own:
        pytest.skip("a viewer's own rows")
    mine, _ = pair
    for text in (
        "UPDATE convex.{} SET workspace_id = workspace_id",
        "DELETE FROM convex.{}",
    ):
        try:
            async with api.transaction(mine.identity(Role.VIEWER)) as connection:
                changed = await connection.execute(_statement(text, table))
                assert changed.rowcount == 0
        except psycopg.errors.InsufficientPrivilege:
            continue


async def test_rows_cannot_refer_to_another_workspace(
    api: Database, pair: tuple[Tenant, Tenant], settings: Settings
) -> None:
    mine, theirs = pair
    with psycopg.connect(settings.database_url) as admin:
        row = admin.execute(
            "SELECT id FROM convex.frameworks WHERE workspace_id = %s", (theirs.workspace_id,)
        ).fetchone()
    assert row is not None
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        async with api.transaction(mine.identity()) as connection:
            await connection.execute(
                "INSERT INTO convex.metrics (workspace_id, framework_id, name)"
                " VALUES (%s, %s, 'stolen')",
                (mine.workspace_id, row[0]),
            )


async def test_the_system_role_is_honoured_for_the_flows_alone(
    api: Database, worker: Database, pair: tuple[Tenant, Tenant]
) -> None:
    statement = "SELECT count(DISTINCT workspace_id) AS seen FROM convex.frameworks"
    async with worker.read(SYSTEM) as connection:
        row = await (await connection.execute(statement)).fetchone()
        assert row is not None
        assert row["seen"] >= 2
    async with worker.read(pair[0].flow) as connection:
        row = await (await connection.execute(statement)).fetchone()
        assert row == {"seen": 1}
    async with api.read(SYSTEM) as connection:
        row = await (await connection.execute(statement)).fetchone()
        assert row == {"seen": 0}


async def test_nobody_reads_another_members_inbox(
    api: Database, worker: Database, pair: tuple[Tenant, Tenant]
) -> None:
    mine, theirs = pair
    stranger = mine.identity(Role.OWNER, theirs.user_id)
    async with api.read(stranger) as connection:
        rows = await connection.execute(
            "SELECT FROM convex.alert_notifications WHERE channel_kind = 'in_app'"
        )
        assert rows.rowcount == 0


async def test_functions_do_not_lend_their_powers(
    api: Database, pair: tuple[Tenant, Tenant]
) -> None:
    mine, theirs = pair
    refused = [
        ("SELECT convex.append_live_events(%s, '{}', '{}', '{}')", theirs.workspace_id),
        ("SELECT convex.create_workspace('stolen', 'x', %s)", theirs.user_id),
        ("SELECT convex.append_audit(%s, 'INSERT', 'x', 'x', '{}')", mine.workspace_id),
    ]
    for statement, argument in refused:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with api.transaction(mine.identity()) as connection:
                await connection.execute(statement, (argument,))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with api.transaction(mine.identity(Role.EDITOR)) as connection:
            await connection.execute("SELECT convex.create_user('a@b.c', 'x', NULL)")
    async with api.read(mine.identity()) as connection:
        rows = await connection.execute(
            "SELECT * FROM convex.read_live_events(%s, 0, 10)", (theirs.workspace_id,)
        )
        assert rows.rowcount == 0
