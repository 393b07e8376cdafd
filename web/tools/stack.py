"""A running Convex with the demo's data, and a browser that is signed in to it.

The address and the sign-in are those of the home (`CONVEX_HOME`, else `.convex`), as `make demo`
and `convex up` leave them there; `CONVEX_WEB_URL`, `_EMAIL` and `_PASSWORD` name another.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

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
class Site:
    """Where it answers and who signs in."""

    url: str
    email: str
    password: str


def find_site() -> Site:
    """Exits with what to do when nothing runs."""
    home = Path(os.environ.get("CONVEX_HOME", ".convex"))
    kept = home / "sign-in.json"
    found = json.loads(kept.read_text()) if kept.is_file() else {}
    port = os.environ.get("CONVEX_API_PORT", "8000")
    url = os.environ.get("CONVEX_WEB_URL", f"http://127.0.0.1:{port}")
    email = os.environ.get("CONVEX_WEB_EMAIL", found.get("email", ""))
    password = os.environ.get("CONVEX_WEB_PASSWORD", found.get("password", ""))
    if not email:
        sys.exit("Nobody can sign in: start `make demo` first, or name CONVEX_HOME.")
    return Site(url, email, password)


@asynccontextmanager
async def browser(*more: str) -> AsyncIterator[Browser]:
    """The machine's Chromium."""
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        sys.exit("There is no Chromium on this machine.")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=program, headless=True, args=[*_ARGUMENTS, *more]
        )
        yield chromium
        await chromium.close()


async def sign_in(page: Page, site: Site) -> None:
    """Through the form, until the page is live."""
    await page.goto(f"{site.url}/")
    await page.get_by_label("E-mail").fill(site.email)
    await page.get_by_label("Password").fill(site.password)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.locator('[data-testid=connection][data-state="live"]').wait_for()


async def settled(page: Page) -> None:
    """Nothing is being loaded, and what was loaded is drawn."""
    await page.locator("main").wait_for()
    await page.wait_for_load_state("networkidle")
    await page.wait_for_function("() => document.querySelector('[data-loading]') === null")
    await page.evaluate("() => new Promise((done) => setTimeout(done, 150))")


async def first_links(context: BrowserContext, site: Site) -> dict[str, str]:
    """Addresses of pages about one thing: a framework, an alert, a rule, a pattern."""
    page = await context.new_page()
    found = {}
    for name, path, pattern in (
        ("framework", "/", "a[href^='/frameworks/']"),
        ("alert", "/history", "a[href^='/alerts/']"),
        ("rule", "/rules", "a[href^='/rules/']:not([href='/rules/new'])"),
        ("pattern", "/patterns", "a[href^='/patterns/']"),
    ):
        await page.goto(site.url + path)
        await settled(page)
        link = page.locator(f"main {pattern}").first
        if await link.count():
            found[name] = str(await link.get_attribute("href"))
    await page.close()
    return found
