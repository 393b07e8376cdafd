"""The main job in the browser: an alert arrives by itself, somebody cares, it is over."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.web.conftest import Stack, sign_in

pytestmark = pytest.mark.browser


@pytest_asyncio.fixture
async def rule(stack: Stack) -> str:
    """More than a fifth cancelled is critical; the framework has had one harmless point."""
    owner = stack.team.owner
    await owner.post("/api/v1/frameworks", json={"slug": "ewr", "name": "Newark"})
    await push(stack, 0.01)
    metric = (await owner.get("/api/v1/metrics", params={"framework": "ewr"})).json()["items"][0]
    answer = await owner.post(
        "/api/v1/alert-rules",
        json={
            "name": "Too many cancellations",
            "framework_id": metric["framework_id"],
            "metric_id": metric["id"],
            "condition": "above",
            "threshold_value": 0.2,
            "severity": "critical",
        },
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def push(stack: Stack, value: float) -> None:
    """One point now, as a program that has the key would send it."""
    point = {
        "framework": "ewr",
        "metric": "cancel_rate",
        "timestamp": datetime.now(UTC).isoformat(),
        "value": value,
    }
    async with httpx.AsyncClient(
        base_url=stack.base_url, headers={"authorization": f"Bearer {stack.api_key}"}
    ) as client:
        answer = await client.post("/api/v1/points", json={"points": [point]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == 1


async def triggers(stack: Stack) -> list[dict[str, object]]:
    """As the API has them."""
    answer = await stack.team.owner.get("/api/v1/alert-triggers")
    return list(answer.json()["items"])


async def test_an_alert_arrives_live_and_is_acknowledged_and_resolved(
    page: Page, stack: Stack, rule: str
) -> None:
    await sign_in(page, stack, "/alerts")
    await expect(page.get_by_text("Nothing is firing")).to_be_visible()

    await push(stack, 0.575)
    row = page.get_by_role("listitem").filter(has_text="Too many cancellations")
    await expect(row).to_be_visible()
    await expect(row).to_contain_text("Firing")
    await expect(page).to_have_title("(1) Alerts · Convex")

    await row.get_by_role("button", name="Acknowledge").click()
    await expect(row).to_contain_text("Acknowledged")
    await expect(row.get_by_role("button", name="Acknowledge")).to_have_count(0)

    await row.get_by_role("link", name="Too many cancellations").click()
    await expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    await expect(page.get_by_text("by Owner")).to_be_visible()
    [trigger] = await triggers(stack)
    assert trigger["state"] == "acknowledged"

    await page.get_by_role("button", name="Resolve").click()
    await page.get_by_role("dialog").get_by_label("Note").fill("It was the snow.")
    await page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    await expect(page.get_by_text("It was the snow.")).to_be_visible()
    await expect(page.get_by_role("button", name="Reopen")).to_be_visible()
    [trigger] = await triggers(stack)
    assert trigger["state"] == "resolved"


async def test_what_happened_while_the_connection_was_gone_is_there_after_it(
    page: Page, stack: Stack, rule: str
) -> None:
    await sign_in(page, stack, "/alerts")
    await expect(page.get_by_text("Nothing is firing")).to_be_visible()
    await page.context.set_offline(True)
    await page.evaluate("window.dispatchEvent(new Event('online'))")  # ask at once: still there?
    await push(stack, 0.575)
    await page.context.set_offline(False)
    row = page.get_by_role("listitem").filter(has_text="Too many cancellations")
    await expect(row).to_be_visible(timeout=20_000)


async def test_a_refused_acknowledgement_is_taken_back(page: Page, stack: Stack, rule: str) -> None:
    await push(stack, 0.575)
    await sign_in(page, stack, "/alerts")
    row = page.get_by_role("listitem").filter(has_text="Too many cancellations")
    await expect(row).to_contain_text("Firing")

    await page.context.set_offline(True)
    await row.get_by_role("button", name="Acknowledge").click()
    await expect(page.get_by_text("Not acknowledged")).to_be_visible()
    await expect(row).to_contain_text("Firing")
    await page.context.set_offline(False)
    [trigger] = await triggers(stack)
    assert trigger["state"] == "firing"


async def test_a_viewer_sees_alerts_and_is_offered_no_action(
    page: Page, stack: Stack, rule: str
) -> None:
    await push(stack, 0.575)
    viewer = Stack(
        stack.base_url, stack.team.emails["viewer"], stack.password, stack.api_key, stack.team
    )
    await sign_in(page, viewer, "/alerts")
    await expect(page.get_by_text("Too many cancellations")).to_be_visible()
    await expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    await page.goto("/rules/new")
    await expect(page.get_by_text("You may not see this")).to_be_visible()


async def test_the_history_keeps_its_filters_in_the_address(
    page: Page, stack: Stack, rule: str
) -> None:
    await push(stack, 0.575)
    await sign_in(page, stack, "/history")
    await expect(page.get_by_text("Too many cancellations")).to_be_visible()
    await page.get_by_role("button", name="Severity: any").click()
    await page.get_by_role("menuitemcheckbox", name="Info").click()
    await expect(page.get_by_text("Nothing matches")).to_be_visible()
    assert page.url.endswith("/history?severity=info")
    await page.reload()
    await expect(page.get_by_text("Nothing matches")).to_be_visible()
    await page.get_by_role("button", name="Clear filters").click()
    await expect(page.get_by_text("Too many cancellations")).to_be_visible()


async def test_a_rule_is_made_and_switched_off_in_the_page(
    page: Page, stack: Stack, rule: str
) -> None:
    await sign_in(page, stack, "/rules/new")
    await page.get_by_label("Name").fill("Any cancellation")
    await page.get_by_label("Framework").select_option(label="Newark")
    await page.get_by_label("Metric").select_option(label="Cancel rate")
    await page.get_by_label("Threshold").fill("0.05")
    await page.get_by_role("button", name="Save rule").click()
    await expect(page.get_by_text("Made: Any cancellation")).to_be_visible()

    await page.get_by_role("navigation").get_by_role("link", name="Rules").click()
    switch = page.get_by_role("switch", name="Any cancellation is enabled")
    await expect(switch).to_be_checked()
    await switch.click()
    await expect(switch).not_to_be_checked()
    await page.reload()
    await expect(switch).not_to_be_checked()
