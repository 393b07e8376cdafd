"""Signing in and out, in the browser."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.web.conftest import Stack, sign_in

pytestmark = pytest.mark.browser


async def test_a_wrong_password_is_told_and_the_right_one_opens_the_page_that_was_asked_for(
    page: Page, stack: Stack
) -> None:
    await page.goto("/history?severity=critical")
    await page.get_by_label("E-mail").fill(stack.email)
    await page.get_by_label("Password").fill("not this one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_have_text("E-mail or password is not right.")

    await page.get_by_label("Password").fill(stack.password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    await expect(page).to_have_url(re.compile(r"/history\?severity=critical$"))


async def test_a_session_survives_a_reload_and_ends_with_signing_out(
    page: Page, stack: Stack
) -> None:
    await sign_in(page, stack)
    await page.reload()
    await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")

    await page.get_by_role("button", name="Menu of Owner").click()
    await page.get_by_role("menuitem", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in to Convex")).to_be_visible()
    await page.goto("/alerts")
    await expect(page.get_by_role("heading", name="Sign in to Convex")).to_be_visible()


async def test_two_pages_of_one_browser_share_the_session(page: Page, stack: Stack) -> None:
    await sign_in(page, stack)
    other = await page.context.new_page()
    await other.goto("/inbox")
    await page.reload()
    for each in (page, other):
        await expect(each.get_by_test_id("connection")).to_have_attribute("data-state", "live")


async def test_the_theme_is_kept(page: Page, stack: Stack) -> None:
    await sign_in(page, stack)
    root = page.locator("html")
    await expect(root).to_have_attribute("data-theme", "light")
    await page.get_by_role("button", name="Menu of Owner").click()
    await page.get_by_role("menuitemradio", name="Dark").click()
    await expect(root).to_have_attribute("data-theme", "dark")
    await page.reload()
    await expect(root).to_have_attribute("data-theme", "dark")
