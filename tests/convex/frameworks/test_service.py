"""Frameworks on real PostgreSQL, as convex_api."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from convex.db import Database, Role
from convex.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from convex.frameworks import (
    Kind,
    create_framework,
    delete_framework,
    get_framework,
    list_frameworks,
    update_framework,
)
from tests.conftest import Tenant


async def test_a_framework_is_found_by_id_and_by_slug(api: Database, tenant: Tenant) -> None:
    async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
        made = await create_framework(
            connection, tenant.workspace_id, slug="ewr", name="Newark", kind=Kind.FUNNEL_DESIGN
        )
        by_id = await get_framework(connection, tenant.workspace_id, made.id)
        by_slug = await get_framework(connection, tenant.workspace_id, "ewr")
    assert by_id == by_slug
    assert by_id.framework == made
    assert (by_id.metrics, by_id.series, by_id.last_point_at) == (0, 0, None)


async def test_a_slug_is_taken_once_and_the_transaction_goes_on(
    api: Database, tenant: Tenant
) -> None:
    async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
        await create_framework(connection, tenant.workspace_id, slug="a", name="A")
        with pytest.raises(Conflict, match="'a'"):
            await create_framework(connection, tenant.workspace_id, slug="a", name="B")
        await create_framework(connection, tenant.workspace_id, slug="b", name="B")


@pytest.mark.parametrize("slug", ["", "A", "-a", "a b", "ä", "a" * 101])
async def test_a_bad_slug_is_refused_in_words(api: Database, tenant: Tenant, slug: str) -> None:
    async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
        with pytest.raises(InvalidInput, match="begin with a small letter"):
            await create_framework(connection, tenant.workspace_id, slug=slug, name="A")


async def test_pages_hold_every_framework_once(api: Database, tenant: Tenant) -> None:
    slugs = [f"f{number}" for number in range(5)]
    async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
        for slug in slugs:
            await create_framework(connection, tenant.workspace_id, slug=slug, name=slug)
        found, cursor = [], None
        while True:
            page = await list_frameworks(connection, tenant.workspace_id, cursor=cursor, limit=2)
            found += [item.framework.slug for item in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert found == slugs


async def test_a_change_at_an_old_version_is_refused(api: Database, tenant: Tenant) -> None:
    async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
        made = await create_framework(connection, tenant.workspace_id, slug="a", name="A")
        changed = await update_framework(connection, made.id, name="B", expected_version=1)
        with pytest.raises(PreconditionFailed, match="version 2, not 1"):
            await update_framework(connection, made.id, name="C", expected_version=1)
    assert (changed.name, changed.slug, changed.version) == ("B", "a", 2)


async def test_only_owners_delete(api: Database, tenant: Tenant) -> None:
    async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
        made = await create_framework(connection, tenant.workspace_id, slug="a", name="A")
    async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
        with pytest.raises(NotFound):
            await delete_framework(connection, tenant.workspace_id, made.id)
    async with api.transaction(tenant.identity(Role.OWNER)) as connection:
        await delete_framework(connection, tenant.workspace_id, made.id)
        with pytest.raises(NotFound):
            await get_framework(connection, tenant.workspace_id, "a")


async def test_another_workspace_has_it_not(
    api: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    async with api.transaction(tenant.identity(Role.EDITOR)) as connection:
        made = await create_framework(connection, tenant.workspace_id, slug="a", name="A")
    async with api.transaction(other_tenant.identity()) as connection:
        with pytest.raises(NotFound):
            await get_framework(connection, other_tenant.workspace_id, made.id)
        with pytest.raises(NotFound):
            await update_framework(connection, made.id, name="stolen")
        with pytest.raises(NotFound):
            await update_framework(connection, uuid4(), name="x", expected_version=1)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with api.transaction(tenant.identity(Role.VIEWER)) as connection:
            await create_framework(connection, tenant.workspace_id, slug="b", name="B")
