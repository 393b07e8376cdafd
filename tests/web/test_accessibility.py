"""Every page, in both themes and at phone width, has nothing that axe objects to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.web.conftest import Stack, sign_in

pytestmark = pytest.mark.browser

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def measure(stack: Stack) -> str:
    """A day of one metric, a rule on it, an alert that fires; the framework's id."""
    owner = stack.team.owner
    answer = await owner.post("/api/v1/frameworks", json={"slug": "ewr", "name": "Newark"})
    framework = answer.json()["id"]
    now = datetime.now(UTC)

    async def push(values: list[tuple[timedelta, float]]) -> None:
        points = [
            {
                "framework": "ewr",
                "metric": "cancel_rate",
                "timestamp": (now - ago).isoformat(),
                "value": value,
            }
            for ago, value in values
        ]
        answer = await owner.post("/api/v1/points", json={"points": points})
        assert answer.json()["accepted"] == len(points), answer.text

    await push([(timedelta(hours=hours), 0.01 * (hours % 5)) for hours in range(24, 0, -1)])
    metric = (await owner.get("/api/v1/metrics")).json()["items"][0]
    await owner.post(
        "/api/v1/alert-rules",
        json={
            "name": "Too many cancellations",
            "framework_id": framework,
            "metric_id": metric["id"],
            "condition": "above",
            "threshold_value": 0.2,
            "severity": "critical",
        },
    )
    await push([(timedelta(), 0.575)])
    return str(framework)


async def check(page: Page, where: str) -> None:
    """Fails with what axe found."""
    found = await Axe().run(page, options={"runOnly": _RULES})
    problems = [
        f"{where}: {violation['id']}: {[node['html'][:120] for node in violation['nodes'][:3]]}"
        for violation in found.response["violations"]
    ]
    assert problems == []


@pytest.mark.parametrize(("theme", "width"), [("Light", 1440), ("Dark", 1440), ("Light", 390)])
async def test_every_page(page: Page, stack: Stack, theme: str, width: int) -> None:
    framework = await measure(stack)
    await page.set_viewport_size({"width": width, "height": 844})
    await page.emulate_media(color_scheme="dark" if theme == "Dark" else "light")
    await page.goto("/")
    await expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
    await check(page, "sign-in")
    await sign_in(page, stack)
    await expect(page.locator("html")).to_have_attribute("data-theme", theme.lower())

    alert = page.get_by_role("link", name="Too many cancellations")
    await expect(alert.first).to_be_visible()
    await check(page, "overview")

    for path, sign in (
        ("/alerts", "Too many cancellations"),
        ("/history", "Too many cancellations"),
        ("/rules", "Too many cancellations"),
        ("/rules?tab=code", "threshold_value"),
        ("/rules/new", "What it watches"),
        ("/inbox", "Nothing yet"),
        ("/silences", "Nothing is silenced"),
        ("/patterns", "Nothing was looked at yet"),
        ("/predictions", "Nothing to score yet"),
        ("/insights", "Nothing written yet"),
        ("/insights?tab=recommendations", "Nothing to recommend"),
        ("/notifications", "What I am told"),
        ("/notifications?tab=channels", "Nothing was told here"),
        ("/data", "Nothing was checked yet"),
        ("/data?tab=rejected", "Every point was taken"),
        ("/data?tab=sources", "Nothing is pulled"),
        ("/system", "Points taken"),
        ("/workspace", "Members"),
        ("/workspace?tab=keys", "API keys"),
        ("/workspace?tab=audit", "Check the chain"),
        ("/workspace?tab=data", "No exports yet"),
        ("/analytics", "Time to acknowledge"),
        ("/nowhere", "There is no such page"),
        ("/alerts/00000000-0000-0000-0000-000000000000", "There is nothing here"),
    ):
        await page.goto(path)
        await expect(page.get_by_text(sign).first).to_be_visible()
        await check(page, path)

    await page.goto(f"/frameworks/{framework}")
    await expect(page.locator("canvas").first).to_be_visible()
    await expect(page.get_by_role("main").get_by_text("Firing", exact=True)).to_be_visible()
    await check(page, "framework")

    for tab, sign in (
        ("health", "Health is not known yet"),
        ("strategy", "No strategy yet"),
        ("insights", "Nothing written yet"),
    ):
        await page.goto(f"/frameworks/{framework}?tab={tab}")
        await expect(page.get_by_text(sign).first).to_be_visible()
        await check(page, f"framework {tab}")

    for path, button in (
        ("/silences", "New silence"),
        ("/silences", "New mute window"),
        ("/silences", "New inhibition rule"),
        ("/data?tab=sources", "New source"),
        ("/notifications?tab=channels", "Add"),
        ("/workspace?tab=keys", "New"),
        ("/workspace?tab=data", "Delete this workspace"),
    ):
        await page.goto(path)
        await page.get_by_role("button", name=button).click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await check(page, f"{path}: {button}")

    await page.goto("/alerts")
    await page.get_by_role("checkbox", name="Choose Too many cancellations").check()
    await expect(page.get_by_role("toolbar")).to_be_visible()
    await check(page, "chosen alerts")
    await page.get_by_role("button", name="Clear").click()
    await page.get_by_role("button", name="Resolve").click()
    await check(page, "resolve dialog")
    await page.keyboard.press("Escape")
    await alert.first.click()
    await expect(page.locator("canvas")).to_be_visible()
    await check(page, "trigger")
    await page.get_by_role("button", name="Menu of Owner").click()
    await check(page, "user menu")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Go to").click()
    await expect(page.get_by_role("option").first).to_be_visible()
    await check(page, "palette")
    await page.get_by_role("combobox", name="Go to a page").fill("newark")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Newark")).to_be_visible()

    owner, url = stack.team.owner, f"/api/v1/workspaces/{stack.team.workspace_id}"
    assert (await owner.post(f"{url}/exports", json={})).status_code == 202
    ending = {"slug": stack.team.slug, "password": stack.password}
    assert (await owner.post(f"{url}/deletion", json=ending)).status_code == 202
    await page.goto("/workspace?tab=data")
    await expect(page.get_by_role("button", name="Undo the deletion")).to_be_visible()
    await expect(page.get_by_text("Waiting", exact=True)).to_be_visible()
    await check(page, "a workspace that ends")
