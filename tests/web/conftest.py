"""The page as people see it: the built files in a real browser, on the real API."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright, expect

from tests.api.conftest import (
    PASSWORD,
    Running,
    Team,
    password_hash,
    running,
    team,
)

__all__ = ["password_hash", "running", "team"]

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True, slots=True)
class Stack:
    """A workspace of the test's own on a running API, and how to get into it."""

    base_url: str
    email: str
    password: str
    api_key: str
    team: Team


@pytest_asyncio.fixture
async def stack(running: Running, team: Team) -> Stack:
    """Signed in to as the owner; `api_key` may read and ingest."""
    return Stack(running.url, team.emails["owner"], PASSWORD, team.keys["read_ingest"], team)


@pytest_asyncio.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The machine's Chromium; without one the test is skipped, as `make test` says loudly."""
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=program, headless=True, args=list(_ARGUMENTS)
        )
        yield chromium
        await chromium.close()


@dataclass  # without slots: Playwright keeps its wrapper of a bound method on the object
class Complaints:
    """What the browser objected to. A refused policy or a broken script ends up here."""

    origin: str
    found: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        # Answers such as 401 are reported as errors too; tests provoke those on purpose.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.found.append(message.text)

    def watch(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.found.append(f"asked another host: {request.url}")


@pytest_asyncio.fixture
async def page(browser: Browser, stack: Stack) -> AsyncIterator[Page]:
    """A fresh browser profile; afterwards the browser must have had nothing to complain about."""
    context = await browser.new_context(
        base_url=stack.base_url, viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
    )
    page = await context.new_page()
    complaints = Complaints(stack.base_url)
    page.on("console", complaints.hear)
    page.on("pageerror", lambda error: complaints.found.append(str(error)))
    page.on("request", complaints.watch)
    yield page
    await context.close()
    assert complaints.found == []


async def sign_in(page: Page, stack: Stack, path: str = "/") -> None:
    """Through the form, as a person does, until the page is live."""
    await page.goto(path)
    await page.get_by_label("E-mail").fill(stack.email)
    await page.get_by_label("Password").fill(stack.password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
