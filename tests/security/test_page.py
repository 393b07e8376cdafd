"""Names and comments of an attacker in the page: shown as text, never run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, expect

from tests.web.conftest import Stack, sign_in

SCRIPT = "<script>window.ran = 1</script>"
IMAGE = '<img src="x:" onerror="window.ran = 1">'
LINK = "[click](javascript:window.ran=1)"


async def attack(stack: Stack) -> str:
    """A framework, a metric, a label, a rule, a trigger and a comment that would be a script."""
    post = stack.team.owner.post
    framework = await post(
        "/api/v1/frameworks", json={"slug": "f", "name": f"A {IMAGE}", "description": SCRIPT}
    )
    assert framework.status_code == 201, framework.text
    metric = await post(
        "/api/v1/metrics",
        json={"framework_id": framework.json()["id"], "name": IMAGE, "description": SCRIPT},
    )
    assert metric.status_code == 201, metric.text
    rule = {
        "name": f"R {IMAGE}",
        "description": f"{SCRIPT} {LINK}",
        "framework_id": framework.json()["id"],
        "metric_id": metric.json()["id"],
        "threshold_value": 1,
    }
    refused = await post(
        "/api/v1/alert-rules", json={**rule, "runbook_url": "javascript:window.ran=1"}
    )
    assert refused.status_code == 422, refused.text
    assert (await post("/api/v1/alert-rules", json=rule)).status_code == 201
    point = {
        "framework": "f",
        "metric": IMAGE,
        "labels": {"gate": SCRIPT},
        "timestamp": (datetime.now(UTC) - timedelta(seconds=2)).isoformat(),
        "value": 5,
    }
    sent = await post("/api/v1/points", json={"points": [point]})
    trigger = str(sent.json()["triggers"][0])
    said = await post(
        f"/api/v1/alert-triggers/{trigger}/comment", json={"note": f"C {IMAGE}{LINK}"}
    )
    assert said.status_code == 200, said.text
    return trigger


async def test_what_an_attacker_writes_is_text(page: Page, stack: Stack) -> None:
    trigger = await attack(stack)
    await sign_in(page, stack, "/alerts")
    for path, seen in (
        ("/alerts", f"R {IMAGE}"),
        (f"/alerts/{trigger}", f"C {IMAGE}{LINK}"),
        ("/frameworks/f", f"A {IMAGE}"),
        ("/rules", f"R {IMAGE}"),
        ("/", f"R {IMAGE}"),
    ):
        await page.goto(path)
        await expect(page.get_by_text(seen).first).to_be_visible(timeout=20_000)
        assert await page.evaluate("window.ran") is None, path
        assert await page.locator('a[href^="javascript:"]').count() == 0, path
        assert await page.locator('img[src="x:"]').count() == 0, path


async def test_a_script_in_the_address_is_not_run(page: Page, stack: Stack) -> None:
    await sign_in(page, stack, "/alerts")
    for path in ("/alerts?state=%3Cscript%3Ewindow.ran=1%3C/script%3E", f"/frameworks/{SCRIPT}"):
        await page.goto(path)
        await expect(page.locator("main")).to_be_visible()
        assert await page.evaluate("window.ran") is None


async def test_the_policy_of_the_page_lets_nothing_inline(page: Page, stack: Stack) -> None:
    answer = await page.goto("/")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
