"""Settings as people change them: who belongs, who is told, what is muted, what a rule would do."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.web.conftest import Stack, sign_in
from tests.web.test_accessibility import measure

pytestmark = pytest.mark.browser


async def test_an_owner_adds_a_member_who_chooses_a_password(page: Page, stack: Stack) -> None:
    await sign_in(page, stack, "/workspace")
    await page.goto("/workspace")
    await page.get_by_role("button", name="Add").click()
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("E-mail").fill(f"ada@{stack.team.slug}.example.com")
    await page.get_by_label("Role", exact=True).select_option("editor")
    await page.get_by_role("dialog").get_by_role("button", name="Add").click()
    link = page.get_by_role("dialog").locator("code")
    await expect(link).to_contain_text("/choose-password#")
    token = (await link.inner_text()).partition("#")[2]
    await page.keyboard.press("Escape")
    await expect(page.get_by_text("Never signed in")).to_be_visible()

    await page.get_by_role("button", name="Menu of Owner").click()
    await page.get_by_role("menuitem", name="Sign out").click()
    await expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
    await page.goto(f"/choose-password#{token}")
    await page.get_by_label("New password").fill("a password of Ada's own")
    await page.get_by_role("button", name="Save and sign in").click()
    await expect(page.get_by_role("button", name="Menu of Ada")).to_be_visible()


async def test_a_key_is_made_shown_once_and_revoked(page: Page, stack: Stack) -> None:
    await sign_in(page, stack)
    await page.goto("/workspace?tab=keys")
    await page.get_by_role("button", name="New").click()
    await page.get_by_label("Name").fill("exporter")
    await page.get_by_role("button", name="Make the key").click()
    await expect(page.get_by_role("dialog").locator("code")).to_contain_text("cvx_")
    await page.keyboard.press("Escape")
    row = page.get_by_role("listitem").filter(has_text="exporter")
    await row.get_by_role("button", name="Revoke").click()
    await row.get_by_role("button", name="Really").click()
    await expect(row.get_by_text("Revoked")).to_be_visible()


async def test_preferences_are_kept(page: Page, stack: Stack) -> None:
    await sign_in(page, stack)
    await page.goto("/notifications")
    await page.get_by_label("From severity").select_option("warning")
    await page.get_by_label("Keep quiet").click()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved.")).to_be_visible()
    await page.reload()
    await expect(page.get_by_label("From severity")).to_have_value("warning")
    await expect(page.get_by_label("From", exact=True)).to_have_value("22:00")
    kept = (await stack.team.owner.get("/api/v1/notification-preferences")).json()
    assert (kept["min_severity"], kept["quiet_hours_enabled"]) == ("warning", True)


async def test_a_silence_shows_what_it_mutes_and_ends(page: Page, stack: Stack) -> None:
    await measure(stack)
    await sign_in(page, stack)
    await page.goto("/silences")
    await page.get_by_role("button", name="New silence").click()
    await page.get_by_role("textbox", name="Value").fill("ewr")
    await expect(page.get_by_text("Mutes 1 open alert of 1 now")).to_be_visible()
    sure = page.get_by_text("I mean it.")
    if await sure.count():
        await sure.click()
    await page.get_by_label("Why").fill("Snow is expected")
    await page.get_by_role("button", name="Silence", exact=True).click()
    await expect(page.get_by_text("Snow is expected")).to_be_visible()
    await page.get_by_role("button", name="End now").click()
    await expect(page.get_by_text("Expired")).to_be_visible()


async def test_a_rule_is_replayed_while_it_is_written(page: Page, stack: Stack) -> None:
    framework = await measure(stack)
    await sign_in(page, stack)
    await page.goto(f"/rules/new?framework={framework}")
    await page.get_by_label("Metric").select_option(label="Cancel rate")
    await page.get_by_role("textbox", name="Threshold").fill("0.03")
    await expect(page.get_by_text("on 1 series.")).to_be_visible(timeout=30_000)
    few = await page.get_by_text("on 1 series.").inner_text()
    await page.get_by_role("textbox", name="Threshold").fill("5")
    await expect(page.get_by_text("0 alerts on 1 series.")).to_be_visible(timeout=30_000)
    assert not few.startswith("0 alerts")
