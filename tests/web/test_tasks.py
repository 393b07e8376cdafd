"""What people come to a page for, done by the page alone on the real API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, Route, expect

from tests.web.conftest import Stack, sign_in
from tests.web.test_accessibility import measure

pytestmark = pytest.mark.browser

_SERIES = 6


async def several_alerts(stack: Stack) -> None:
    """One rule that fires on each of some series."""
    owner = stack.team.owner
    await owner.post("/api/v1/frameworks", json={"slug": "shop", "name": "Shop"})

    async def push(value: float, at: datetime) -> None:
        points = [
            {
                "framework": "shop",
                "metric": "errors",
                "labels": {"till": str(number)},
                "timestamp": at.isoformat(),
                "value": value,
            }
            for number in range(_SERIES)
        ]
        answer = await owner.post("/api/v1/points", json={"points": points})
        assert answer.json()["accepted"] == _SERIES, answer.text

    now = datetime.now(UTC)
    await push(0.0, now - timedelta(minutes=2))
    metric = (await owner.get("/api/v1/metrics")).json()["items"][0]
    await owner.post(
        "/api/v1/alert-rules",
        json={
            "name": "Errors",
            "framework_id": metric["framework_id"],
            "metric_id": metric["id"],
            "condition": "above",
            "threshold_value": 1,
            "severity": "warning",
        },
    )
    await push(5.0, now)


async def states(stack: Stack) -> list[str]:
    """Of all triggers."""
    answer = await stack.team.owner.get("/api/v1/alert-triggers", params={"limit": 100})
    return sorted(item["state"] for item in answer.json()["items"])


async def test_chosen_alerts_are_acknowledged_and_resolved_at_once(
    page: Page, stack: Stack
) -> None:
    await several_alerts(stack)
    await sign_in(page, stack)
    await page.goto("/alerts")
    boxes = page.get_by_role("checkbox", name="Choose Errors of Shop")
    await expect(boxes).to_have_count(_SERIES)
    await boxes.nth(0).check()
    await boxes.nth(1).check()
    bar = page.get_by_role("toolbar")
    await expect(bar).to_contain_text("2 chosen")
    await bar.get_by_role("button", name="Acknowledge").click()
    await expect(page.get_by_text("2 alerts changed.")).to_be_visible()
    assert (await states(stack)).count("acknowledged") == 2

    await page.get_by_role("button", name="Choose all").click()
    await expect(bar).to_contain_text(f"{_SERIES} chosen")
    await bar.get_by_role("button", name="Resolve").click()
    await page.get_by_label("Note").fill("The network was down")
    await page.get_by_role("button", name="Resolve them").click()
    await expect(page.get_by_text("Nothing is firing")).to_be_visible()
    await expect(page.get_by_text(f"{_SERIES} alerts changed.")).to_be_visible()
    assert await states(stack) == ["resolved"] * _SERIES


async def test_what_the_server_refuses_is_shown_as_it_was(page: Page, stack: Stack) -> None:
    await several_alerts(stack)
    await sign_in(page, stack)
    await page.goto("/alerts")
    await expect(page.get_by_role("checkbox")).to_have_count(_SERIES)

    async def refuse(route: Route) -> None:
        await route.abort()

    await page.route("**/api/v1/alert-triggers/bulk", refuse)
    await page.get_by_role("button", name="Choose all").click()
    await page.get_by_role("toolbar").get_by_role("button", name="Acknowledge").click()
    await expect(page.get_by_text("Nothing was changed")).to_be_visible()
    await expect(page.get_by_role("listitem").filter(has_text="Firing")).to_have_count(_SERIES)


async def test_an_alert_is_assigned(page: Page, stack: Stack) -> None:
    await several_alerts(stack)
    await sign_in(page, stack)
    await page.goto("/alerts")
    await page.get_by_role("link", name="Errors").first.click()
    await page.get_by_label("Assigned to").select_option(label="Owner (me)")
    await expect(page.get_by_text("Assigned").first).to_be_visible()
    await page.reload()
    await expect(page.get_by_label("Assigned to")).to_have_value(str(stack.team.users["owner"]))


async def test_a_rule_is_removed_and_brought_back(page: Page, stack: Stack) -> None:
    await measure(stack)
    await sign_in(page, stack)
    await page.goto("/rules")
    await page.get_by_role("link", name="Too many cancellations").click()
    await page.get_by_text("As code").click()
    await expect(page.get_by_label("The rule as YAML")).to_contain_text("threshold_value: 0.2")
    await page.get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("No rules yet")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_role("link", name="Too many cancellations")).to_be_visible()


async def test_a_file_of_rules_is_planned_and_applied(page: Page, stack: Stack) -> None:
    await measure(stack)
    await sign_in(page, stack)
    await page.goto("/rules?tab=code")
    await expect(page.get_by_label("Rules as YAML")).to_contain_text("Too many cancellations")
    file = page.get_by_label("File of rules")
    rule = "rules:\n  - name: From a file\n    framework: ewr\n    metric: cancel_rate\n"
    await file.fill(rule + "    treshold: 1\n")
    await page.get_by_role("button", name="Plan").click()
    await expect(page.get_by_text("rules[0].treshold")).to_be_visible()
    await file.fill(rule + "    threshold_value: 0.5\n")
    await page.get_by_role("button", name="Plan").click()
    await expect(page.get_by_text("Create", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Apply").click()
    await expect(page.get_by_text("Applied: 1 change.")).to_be_visible()
    await expect(page.get_by_label("Rules as YAML")).to_contain_text("From a file")


async def test_hours_are_muted_every_week(page: Page, stack: Stack) -> None:
    await sign_in(page, stack)
    await page.goto("/silences")
    await page.get_by_role("button", name="New mute window").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Nightly imports")
    await dialog.get_by_label("Value").fill("ewr")
    await dialog.get_by_role("button", name="Sat").click()
    await dialog.get_by_role("button", name="Sun").click()
    await dialog.get_by_label("From").fill("01:30")
    await dialog.get_by_role("button", name="Mute these hours").click()
    row = page.get_by_role("listitem").filter(has_text="Nightly imports")
    await expect(row).to_contain_text("Sat, Sun 01:30–06:00")
    await row.get_by_role("button", name="Remove").click()
    await row.get_by_role("button", name="Really").click()
    await expect(page.get_by_text("No mute windows")).to_be_visible()


async def test_one_alert_is_made_to_speak_for_others(page: Page, stack: Stack) -> None:
    await sign_in(page, stack)
    await page.goto("/silences")
    await page.get_by_role("button", name="New inhibition rule").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Closed airport")
    await dialog.get_by_label("Value").first.fill("Airport is closed")
    await dialog.get_by_role("button", name="Save").click()
    row = page.get_by_role("listitem").filter(has_text="Closed airport")
    await expect(row).to_contain_text("with the same framework")


async def test_a_source_is_added_and_switched_off(page: Page, stack: Stack) -> None:
    await sign_in(page, stack)
    await page.goto("/data?tab=sources")
    await page.get_by_role("button", name="New source").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("orders")
    await dialog.get_by_label("Path or address").fill("orders/*.csv")
    await dialog.get_by_label("Framework").fill("shop")
    await dialog.get_by_role("button", name="Add the source").click()
    row = page.get_by_role("listitem").filter(has_text="orders")
    await expect(row).to_contain_text("*/5 * * * *")
    switch = row.get_by_role("switch", name="orders is on")
    await switch.click()
    await expect(row.get_by_text("Off", exact=True)).to_be_visible()


async def test_a_channel_may_be_only_a_heartbeat(page: Page, stack: Stack) -> None:
    await sign_in(page, stack)
    await page.goto("/notifications?tab=channels")
    await page.get_by_role("button", name="Add").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("watchdog")
    await dialog.get_by_label("Address").fill("https://watch.example.com/beat")
    await dialog.get_by_label("Only a heartbeat").check()
    await dialog.get_by_role("button", name="Add", exact=True).click()
    await expect(dialog.get_by_text("signing key")).to_be_visible()
    await page.keyboard.press("Escape")
    row = page.get_by_role("listitem").filter(has_text="watchdog")
    await expect(row.get_by_text("Heartbeat", exact=True)).to_be_visible()


async def test_a_link_to_a_framework_keeps_range_and_forecast(page: Page, stack: Stack) -> None:
    framework = await measure(stack)
    await sign_in(page, stack, f"/frameworks/{framework}?days=30&forecast=off")
    await expect(page.get_by_role("radio", name="30 d")).to_be_checked()
    forecast = page.get_by_role("button", name="Forecast")
    await expect(forecast).to_have_attribute("aria-pressed", "false")
    await forecast.click()
    await expect(page.get_by_text("No forecast: ")).to_be_visible()
    await page.get_by_role("radio", name="24 h").click()
    assert page.url.endswith("?days=1")
