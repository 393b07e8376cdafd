"""People and keys from the command line, proven by using them."""

from __future__ import annotations

import pytest

from convex.db import SYSTEM, Database
from convex.workspaces import keys, store
from convex.workspaces.passwords import verify_password
from tests.convex.cli.conftest import Convex


async def test_the_first_person_gets_a_workspace_and_a_password(
    convex: Convex, fresh_worker: Database
) -> None:
    made = convex("user", "create", "ada@example.com", "--json").json
    assert made["role"] == "owner"
    async with fresh_worker.read(SYSTEM) as connection:
        account = await store.find_account(connection, "ada@example.com")
        assert account is not None
        (membership,) = await store.memberships(connection, account.user.id)
    assert membership.slug == made["workspace"]
    assert await verify_password(account.password_hash, made["password"])


async def test_a_given_password_is_used_and_never_shown(
    convex: Convex, fresh_worker: Database
) -> None:
    ended = convex(
        "user", "create", "ada@example.com", CONVEX_USER_PASSWORD="correct horse battery"
    )
    assert ended.status == 0
    assert "correct horse" not in ended.out
    async with fresh_worker.read(SYSTEM) as connection:
        account = await store.find_account(connection, "ada@example.com")
    assert account is not None
    assert await verify_password(account.password_hash, "correct horse battery")


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_others_join_with_the_role_given(convex: Convex, role: str) -> None:
    convex("user", "create", "ada@example.com", "--workspace", "acme")
    made = convex(
        "user", "create", "bob@example.com", "--workspace", "acme", "--role", role, "--json"
    ).json
    assert (made["workspace"], made["role"]) == ("acme", role)


def test_an_address_is_taken_once(convex: Convex) -> None:
    convex("user", "create", "ada@example.com")
    ended = convex("user", "create", "ADA@example.com")
    assert ended.status == 1
    assert ended.err.startswith("convex: ")
    assert ended.err.count("\n") == 1


def test_with_several_workspaces_one_must_be_named(convex: Convex) -> None:
    convex("user", "create", "ada@example.com", "--workspace", "acme")
    convex("user", "create", "bob@example.com", "--workspace", "other")
    ended = convex("key", "create", "collector")
    assert ended.status == 1
    assert "acme, other" in ended.err
    ended = convex("user", "create", "eve@example.com")
    assert ended.status == 1
    assert "--workspace" in ended.err


async def test_a_key_is_shown_once_and_works(convex: Convex, fresh_worker: Database) -> None:
    from datetime import UTC, datetime

    from convex.workspaces.tokens import digest

    convex("user", "create", "ada@example.com")
    made = convex("key", "create", "collector", "--scope", "ingest", "--json").json
    assert made["key"].startswith("cvx_")
    async with fresh_worker.read(SYSTEM) as connection:
        holder = await keys.find_key(connection, digest(made["key"]), datetime.now(UTC))
    assert holder is not None
    assert holder.scopes == {"ingest"}


def test_an_unknown_workspace_is_refused_with_those_that_there_are(convex: Convex) -> None:
    convex("user", "create", "ada@example.com", "--workspace", "acme")
    ended = convex("key", "create", "collector", "--workspace", "acne")
    assert ended.status == 1
    assert "there are: acme" in ended.err
