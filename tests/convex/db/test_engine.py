"""Transactions: committed once, rolled back on any error, and deaf to servers that were away."""

from __future__ import annotations

import psycopg
import pytest

from convex.db import Database, Role, connection_string, say_last
from convex.settings import Settings
from tests.conftest import Tenant, make_tenant

_COUNT = "SELECT count(*) AS frameworks FROM convex.frameworks"


async def _insert(database: Database, tenant: Tenant, slug: str) -> None:
    async with database.transaction(tenant.identity(Role.EDITOR)) as connection:
        await connection.execute(
            "INSERT INTO convex.frameworks (workspace_id, slug, name) VALUES (%s, %s, 'F')",
            (tenant.workspace_id, slug),
        )


async def _count(database: Database, tenant: Tenant) -> int:
    async with database.read(tenant.identity(Role.VIEWER)) as connection:
        row = await (await connection.execute(_COUNT)).fetchone()
    assert row is not None
    return int(row["frameworks"])


async def test_a_transaction_commits_at_its_end(api: Database, tenant: Tenant) -> None:
    await _insert(api, tenant, "a")
    assert await _count(api, tenant) == 1


async def test_an_exception_rolls_back(api: Database, tenant: Tenant) -> None:
    with pytest.raises(ZeroDivisionError):
        async with api.transaction(tenant.identity()) as connection:
            await connection.execute(
                "INSERT INTO convex.frameworks (workspace_id, slug, name) VALUES (%s, 'a', 'F')",
                (tenant.workspace_id,),
            )
            raise ZeroDivisionError
    assert await _count(api, tenant) == 0


async def test_a_swallowed_database_error_is_not_taken_for_success(
    api: Database, tenant: Tenant
) -> None:
    with pytest.raises(psycopg.InternalError, match="swallowed"):
        async with api.transaction(tenant.identity()) as connection:
            with pytest.raises(psycopg.errors.DivisionByZero):
                await connection.execute("SELECT 1 / 0")


async def test_what_is_said_last_is_part_of_the_transaction(api: Database, tenant: Tenant) -> None:
    insert = (
        "INSERT INTO convex.frameworks (workspace_id, slug, name) VALUES (%s, %s, 'F')"
        " RETURNING slug"
    )
    taken: list[str] = []
    async with api.transaction(tenant.identity()) as connection:
        for slug in ("a", "b"):
            say_last(
                connection,
                insert,
                (tenant.workspace_id, slug),
                lambda row: taken.append(row["slug"]),
            )
        assert taken == []
    assert taken == ["a", "b"]
    assert await _count(api, tenant) == 2
    for slug, error in (("c", ZeroDivisionError), ("a", psycopg.errors.UniqueViolation)):
        with pytest.raises(error):
            async with api.transaction(tenant.identity()) as connection:
                await connection.execute(insert, (tenant.workspace_id, "d"))
                say_last(connection, insert, (tenant.workspace_id, slug), lambda row: taken.clear())
                if slug == "c":
                    raise ZeroDivisionError
    for _ in range(3):  # on whichever connection: nothing is left over
        async with api.transaction(tenant.identity()):
            pass
    assert taken == ["a", "b"]
    assert await _count(api, tenant) == 2


async def test_reading_cannot_write(api: Database, tenant: Tenant) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        async with api.read(tenant.identity()) as connection:
            await connection.execute("DELETE FROM convex.frameworks")


async def test_the_identity_ends_with_the_transaction(api: Database, tenant: Tenant) -> None:
    await _insert(api, tenant, "a")
    async with api._pool.connection() as connection:
        row = await (await connection.execute(_COUNT)).fetchone()
    assert row == {"frameworks": 0}


async def test_connections_that_the_server_dropped_are_passed_over(
    fresh_settings: Settings, fresh_api: Database, fresh_worker: Database
) -> None:
    tenant = await make_tenant(fresh_worker)
    await _insert(fresh_api, tenant, "a")
    with psycopg.connect(fresh_settings.database_url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'convex_api'"
            " AND datname = current_database()"
        )
    await _insert(fresh_api, tenant, "b")
    assert await _count(fresh_api, tenant) == 2


def test_another_role_reaches_the_same_database() -> None:
    url = connection_string("postgresql://a:b@h:5/d?sslmode=disable", user="c", password="p@:/")
    assert url == "postgresql://c:p%40%3A%2F@h:5/d?sslmode=disable"
