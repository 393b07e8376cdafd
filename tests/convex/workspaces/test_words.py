"""What people choose, and what tokens say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from convex.db import Role
from convex.errors import InvalidInput, NotAuthenticated
from convex.workspaces import service
from convex.workspaces.passwords import hash_password, verify_password
from convex.workspaces.tokens import (
    digest,
    new_api_key,
    new_refresh_token,
    read_access_token,
    sign_access_token,
)


@pytest.mark.parametrize("slug", ["", "A", "-a", "a" * 64, "a_b", "ä", "a\n"])
def test_slugs_that_cannot_be(slug: str) -> None:
    with pytest.raises(InvalidInput):
        service.check_slug(slug)


@pytest.mark.parametrize("email", ["", "a", "@b", "a@", "a b@c", "a@b@c", "a\0@b"])
def test_addresses_that_cannot_be(email: str) -> None:
    with pytest.raises(InvalidInput):
        service.check_email(email)


def test_addresses_are_kept_in_lower_case() -> None:
    assert service.check_email(" Ada@Example.COM ") == "ada@example.com"


@pytest.mark.parametrize("zone", ["", "Berlin", "Europe/Nowhere", "../etc/passwd"])
def test_zones_that_cannot_be(zone: str) -> None:
    with pytest.raises(InvalidInput):
        service.check_timezone(zone)


@pytest.mark.parametrize("name", ["", "  ", "a" * 201, "a\x00b", "a\nb"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(InvalidInput):
        service.check_name(name)


async def test_passwords_are_argon2id_and_nobody_has_none() -> None:
    hashed = await hash_password("correct horse battery")
    assert hashed.startswith("$argon2id$")
    assert await verify_password(hashed, "correct horse battery")
    assert not await verify_password(hashed, "correct horse batterz")
    assert not await verify_password(None, "a password that nobody has")
    assert not await verify_password("not a hash", "x")
    with pytest.raises(InvalidInput):
        await hash_password("short")


def test_an_access_token_says_what_was_signed_and_no_longer_than_an_hour() -> None:
    key, now = "k" * 43, datetime.now(UTC).replace(microsecond=0)
    user, workspace, session = uuid4(), uuid4(), uuid4()
    token = sign_access_token(user, workspace, Role.EDITOR, session, key=key, now=now)
    read = read_access_token(token, key=key)
    assert (read.user_id, read.workspace_id, read.session_id) == (user, workspace, session)
    assert read.role is Role.EDITOR
    assert read.expires_at == now + timedelta(hours=1)
    old = sign_access_token(
        user, workspace, Role.EDITOR, session, key=key, now=now - timedelta(hours=1, seconds=1)
    )
    with pytest.raises(NotAuthenticated, match="expired"):
        read_access_token(old, key=key)


def test_secrets_are_long_and_never_the_same() -> None:
    made = {make() for make in (new_api_key, new_refresh_token) for _ in range(50)}
    assert len(made) == 100
    assert min(len(secret) for secret in made) >= 43
    assert len({digest(secret) for secret in made}) == 100
