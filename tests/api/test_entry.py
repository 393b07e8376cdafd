"""Ways in besides a known password: a real OpenID provider, real mail, links that work once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from convex.db import SYSTEM, Database, Role
from convex.settings import OidcSettings, Settings, SmtpSettings
from convex.workspaces import service
from tests.api.conftest import PASSWORD, Running, Team, serve
from tests.api.provider import CLIENT, SECRET, OpenIdProvider, new_key, open_provider
from tests.convex.notifications.receivers import MailReceiver, open_mail

NEW_PASSWORD = "a better one than before"


@pytest_asyncio.fixture(scope="module")
async def mailbox() -> AsyncIterator[MailReceiver]:
    async with open_mail() as server:
        yield server


@pytest_asyncio.fixture(scope="module")
async def provider() -> AsyncIterator[OpenIdProvider]:
    async with open_provider() as server:
        yield server


@pytest_asyncio.fixture(scope="module")
async def open_house(
    settings: Settings, provider: OpenIdProvider, mailbox: MailReceiver
) -> AsyncIterator[Running]:
    """The application with a provider and a mail server; it knows its own address."""
    port = 18_731
    configured = settings.model_copy(
        update={
            "public_url": f"http://127.0.0.1:{port}",
            "oidc": OidcSettings(issuer=provider.issuer, client_id=CLIENT, client_secret=SECRET),
            "smtp": SmtpSettings(host="127.0.0.1", port=mailbox.port, starttls=False),
        }
    )
    async with serve(configured, port) as running:
        yield running


@asynccontextmanager
async def browser(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=running.url, follow_redirects=False) as client:
        yield client


async def arrive(client: httpx.AsyncClient) -> str:
    """Through the provider and back; where the browser ends."""
    begun = await client.get("/api/v1/auth/oidc")
    assert begun.status_code == 302, begun.text
    back = await client.get(begun.headers["location"])
    ended = await client.get(back.headers["location"])
    assert ended.status_code == 302
    return str(ended.headers["location"])


async def test_somebody_whom_the_provider_vouches_for_signs_in_once(
    open_house: Running, provider: OpenIdProvider, team: Team
) -> None:
    provider.email, provider.twist = team.emails["editor"].upper(), {}
    async with browser(open_house) as client:
        methods = (await client.get("/api/v1/auth/methods")).json()
        assert methods == {"password": True, "oidc": "single sign-on", "email": True}
        assert await arrive(client) == "/sign-in?arrived=1"
        session = await client.post("/api/v1/auth/oidc/session", json={})
        assert session.status_code == 200
        assert session.json()["role"] == "editor"
        token = session.json()["access_token"]
        me = await client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert me.json()["user"]["email"] == team.emails["editor"]
        again = await client.post("/api/v1/auth/oidc/session", json={})
        assert again.status_code == 401


@pytest.mark.parametrize(
    "twist",
    [
        {"nonce": "of another sign-in"},
        {"aud": "somebody else"},
        {"aud": [CLIENT, "somebody else"]},
        {"iss": "https://elsewhere.example.com"},
        {"exp": int(time.time()) - 3600},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email": None},
    ],
    ids=["nonce", "audience", "audiences", "issuer", "expired", "unverified", "text", "no address"],
)
async def test_a_token_that_does_not_hold_is_refused(
    twist: dict[str, Any], open_house: Running, provider: OpenIdProvider, team: Team
) -> None:
    provider.email, provider.twist = team.emails["owner"], twist
    async with browser(open_house) as client:
        assert await arrive(client) == "/sign-in?refused=not_authenticated"
        assert (await client.post("/api/v1/auth/oidc/session", json={})).status_code == 401


async def test_a_token_signed_by_a_key_that_is_not_listed_is_refused(
    open_house: Running, provider: OpenIdProvider, team: Team
) -> None:
    provider.email, provider.twist, right = team.emails["owner"], {}, provider.key
    provider.key, provider.listed = new_key(), right
    try:
        async with browser(open_house) as client:
            assert await arrive(client) == "/sign-in?refused=not_authenticated"
    finally:
        provider.key, provider.listed = right, None


async def test_an_address_without_an_account_is_refused(
    open_house: Running, provider: OpenIdProvider
) -> None:
    provider.email, provider.twist = "stranger@example.com", {}
    async with browser(open_house) as client:
        assert await arrive(client) == "/sign-in?refused=not_found"


async def test_a_sign_in_belongs_to_the_browser_that_began_it(
    open_house: Running, provider: OpenIdProvider, team: Team
) -> None:
    provider.email, provider.twist = team.emails["owner"], {}
    async with browser(open_house) as mine, browser(open_house) as theirs:
        begun = await mine.get("/api/v1/auth/oidc")
        back = await mine.get(begun.headers["location"])
        stolen = await theirs.get(back.headers["location"])
        assert stolen.headers["location"] == "/sign-in?refused=not_authenticated"


async def test_without_a_provider_there_is_a_clear_answer(running: Running) -> None:
    async with browser(running) as client:
        answer = await client.get("/api/v1/auth/oidc")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_configured")
        assert (await client.get("/api/v1/auth/methods")).json()["oidc"] is None


async def invited(running: Running, team: Team, name: str) -> tuple[str, UUID]:
    """A new member without a password: their address and id."""
    email = f"{name}-{team.slug}@example.com"
    owner = {"Authorization": f"Bearer {team.token('owner')}"}
    async with browser(running) as client:
        made = await client.post(
            "/api/v1/members", json={"email": email, "name": name.title()}, headers=owner
        )
        assert made.status_code == 201
        return email, UUID(made.json()["id"])


async def test_an_invitation_is_shown_and_mailed_and_good_once(
    open_house: Running, team: Team, mailbox: MailReceiver
) -> None:
    email, user_id = await invited(open_house, team, "ada")
    path = f"/api/v1/members/{user_id}/invitation"
    owner = {"Authorization": f"Bearer {team.token('owner')}"}
    viewer = {"Authorization": f"Bearer {team.token('viewer')}"}
    async with browser(open_house) as client:
        assert (await client.post(path, headers=viewer)).status_code == 403
        made = await client.post(path, headers=owner)
        assert made.status_code == 201
        url = made.json()["url"]
        assert made.json()["mailed"] is True
        assert mailbox.mails[-1]["To"] == email
        assert url in mailbox.mails[-1].get_content()
        choice = {"token": url.partition("#")[2], "password": NEW_PASSWORD}
        session = await client.post("/api/v1/auth/choose-password", json=choice)
        assert session.status_code == 200
        assert session.json()["user"]["email"] == email
        assert (await client.post("/api/v1/auth/choose-password", json=choice)).status_code == 401
        signed_in = await client.post(
            "/api/v1/auth/sign-in", json={"email": email, "password": NEW_PASSWORD}
        )
        assert signed_in.status_code == 200
        assert (await client.post(path, headers=owner)).status_code == 409


async def test_a_link_does_not_lead_into_a_workspace_joined_later(
    open_house: Running, team: Team, other_team: Team, worker: Database
) -> None:
    _, user_id = await invited(open_house, team, "eve")
    owner = {"Authorization": f"Bearer {team.token('owner')}"}
    path = f"/api/v1/members/{user_id}/invitation"
    async with browser(open_house) as client:
        url = (await client.post(path, headers=owner)).json()["url"]
        async with worker.transaction(SYSTEM) as connection:
            await service.add_member(connection, other_team.workspace_id, user_id, Role.VIEWER)
        choice = {"token": url.partition("#")[2], "password": NEW_PASSWORD}
        assert (await client.post("/api/v1/auth/choose-password", json=choice)).status_code == 401
        only_mailed = await client.post(path, headers=owner)
        assert only_mailed.json()["url"] is None


async def test_a_forgotten_password_is_replaced_through_the_mail(
    open_house: Running, team: Team, mailbox: MailReceiver
) -> None:
    mailbox.mails.clear()
    email = team.emails["viewer"]
    async with browser(open_house) as client:
        for address in (email, "nobody@example.com"):
            asked = await client.post("/api/v1/auth/forgot-password", json={"email": address})
            assert asked.status_code == 204
        assert len(mailbox.mails) == 1
        token = mailbox.mails[0].get_content().partition("/choose-password#")[2].split()[0]
        chosen = await client.post(
            "/api/v1/auth/choose-password", json={"token": token, "password": NEW_PASSWORD}
        )
        assert chosen.status_code == 200
        old = await client.post("/api/v1/auth/sign-in", json={"email": email, "password": PASSWORD})
        assert old.status_code == 401
        before = {"Authorization": f"Bearer {team.token('viewer')}"}
        assert (await client.get("/api/v1/me", headers=before)).status_code == 401


async def test_without_mail_a_password_cannot_be_asked_for(running: Running, team: Team) -> None:
    async with browser(running) as client:
        asked = await client.post(
            "/api/v1/auth/forgot-password", json={"email": team.emails["owner"]}
        )
        assert (asked.status_code, asked.json()["code"]) == (409, "not_configured")
