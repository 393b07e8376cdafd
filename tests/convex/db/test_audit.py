"""The audit trail: append-only, chained, and any tampering found."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from convex.db import Database, Role
from convex.settings import Settings
from tests.conftest import Tenant


async def _create_frameworks(api: Database, tenant: Tenant, count: int) -> None:
    async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
        for number in range(count):
            await connection.execute(
                "INSERT INTO convex.frameworks (workspace_id, slug, name) VALUES (%s, %s, 'F')",
                (tenant.workspace_id, f"f{number}"),
            )


async def _problems(api: Database, tenant: Tenant) -> list[tuple[int, str]]:
    async with api.read(tenant.identity()) as connection:
        rows = await connection.execute(
            "SELECT sequence, problem FROM convex.verify_audit(%s)", (tenant.workspace_id,)
        )
        return [(row["sequence"], row["problem"]) for row in await rows.fetchall()]


def _tamper(settings: Settings, statement: str, workspace_id: UUID) -> None:
    """As somebody who holds the server itself: the trigger is switched off for the crime."""
    with psycopg.connect(settings.database_url) as admin:
        admin.execute("SET LOCAL session_replication_role = replica")
        assert admin.execute(statement, (workspace_id,)).rowcount == 1


async def test_a_change_is_recorded_with_who_and_what(api: Database, tenant: Tenant) -> None:
    await _create_frameworks(api, tenant, 1)
    async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
        await connection.execute("UPDATE convex.frameworks SET name = 'G'")
    async with api.read(tenant.identity()) as connection:
        rows = await connection.execute("SELECT * FROM convex.audit_log ORDER BY sequence DESC")
        newest = await rows.fetchone()
    assert newest is not None
    assert newest["action"] == "UPDATE"
    assert newest["table_name"] == "frameworks"
    assert newest["user_id"] == tenant.user_id
    assert newest["role"] == "editor"
    assert newest["database_role"] == "convex_api"
    assert newest["change"] == {"name": ["F", "G"]}


async def test_secrets_are_named_and_never_shown(api: Database, tenant: Tenant) -> None:
    async with api.transaction(tenant.identity()) as connection:
        await connection.execute(
            "INSERT INTO convex.channels (workspace_id, name, kind, secret)"
            " VALUES (%s, 'c', 'slack', 'hunter2')",
            (tenant.workspace_id,),
        )
    async with api.read(tenant.identity()) as connection:
        rows = await connection.execute(
            "SELECT change FROM convex.audit_log WHERE table_name = 'channels'"
        )
        row = await rows.fetchone()
    assert row is not None
    assert row["change"]["secret"] == "changed"


async def test_an_untouched_chain_verifies(api: Database, tenant: Tenant) -> None:
    await _create_frameworks(api, tenant, 5)
    assert await _problems(api, tenant) == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "UPDATE convex.audit_log SET change = '{}' WHERE workspace_id = %s AND sequence = 3",
            [(3, "was edited")],
        ),
        (
            "DELETE FROM convex.audit_log WHERE workspace_id = %s AND sequence = 3",
            [(4, "rows before it are missing")],
        ),
        (
            (
                "DELETE FROM convex.audit_log AS a WHERE workspace_id = %s AND sequence = (SELECT"
                " max(sequence) FROM convex.audit_log b WHERE b.workspace_id = a.workspace_id)"
            ),
            [(7, "rows at the end are missing")],
        ),
    ],
)
async def test_tampering_is_found_where_it_happened(
    api: Database,
    tenant: Tenant,
    settings: Settings,
    statement: str,
    expected: list[tuple[int, str]],
) -> None:
    await _create_frameworks(api, tenant, 5)  # after the workspace's own two rows
    _tamper(settings, statement, tenant.workspace_id)
    assert await _problems(api, tenant) == expected


@pytest.mark.parametrize(
    "verb", ["UPDATE convex.audit_log SET role = 'x'", "DELETE FROM convex.audit_log"]
)
async def test_the_trail_is_append_only_for_every_login(
    api: Database, worker: Database, tenant: Tenant, settings: Settings, verb: str
) -> None:
    for database, identity in ((api, tenant.identity()), (worker, tenant.flow)):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.transaction(identity) as connection:
                await connection.execute(verb)
    with (
        psycopg.connect(settings.database_url) as admin,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"),
    ):
        admin.execute(verb)


async def test_a_corrected_point_is_recorded_with_both_values(
    api: Database, tenant: Tenant
) -> None:
    async with api.transaction(tenant.identity()) as connection:
        await connection.execute("SELECT convex.ensure_point_partitions(now(), now())")
        await connection.execute(
            "INSERT INTO convex.points VALUES (%s, 7, date_trunc('day', now()), 1)",
            (tenant.workspace_id,),
        )
    async with api.transaction(tenant.identity(Role.INGEST)) as connection:
        await connection.execute("UPDATE convex.points SET value = 2")
    async with api.read(tenant.identity()) as connection:
        rows = await connection.execute(
            "SELECT change FROM convex.audit_log WHERE table_name = 'points'"
        )
        found = await rows.fetchall()
    assert len(found) == 1
    change = found[0]["change"]
    assert change["rows"] == 1
    assert change["first"][0][2:] == [1, 2]
