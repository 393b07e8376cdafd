"""A newcomer's way from an empty workspace to the first alert, by the page alone."""

from __future__ import annotations

import asyncio
import os

import pytest
from playwright.async_api import Page, expect

from tests.web.conftest import Stack, sign_in

pytestmark = pytest.mark.browser


async def test_from_an_empty_workspace_to_the_first_alert(page: Page, stack: Stack) -> None:
    await sign_in(page, stack)
    await page.get_by_label("Name").fill("My Shop")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_text("Push the first point of My Shop")).to_be_visible()
    await page.get_by_role("button", name="Make a key for it").click()
    await expect(page.get_by_text("The key is in place")).to_be_visible()

    command = await page.get_by_label("What to run").inner_text()
    await run(command)
    await expect(page.get_by_role("link", name="My Shop")).to_be_visible(timeout=15_000)

    await page.get_by_role("link", name="My Shop").click()
    await expect(page.get_by_text("1 metric, 1 series")).to_be_visible()
    await page.get_by_role("link", name="New rule").click()
    await page.get_by_label("Name").fill("Checkout is low")
    await page.get_by_label("Metric").select_option(label="Checkout rate")
    await page.get_by_label("Condition").select_option(label="is below")
    await page.get_by_label("Of the").select_option(label="Last")
    await page.get_by_label("Threshold").fill("0.5")
    await page.get_by_role("button", name="Save rule").click()
    await expect(page.get_by_text("Made: Checkout is low")).to_be_visible()

    await page.get_by_role("navigation").get_by_role("link", name="Alerts").click()
    await run(command)
    row = page.get_by_role("listitem").filter(has_text="Checkout is low")
    await expect(row).to_contain_text("Firing")


async def run(command: str) -> None:
    """In a shell, as a newcomer pastes it."""
    process = await asyncio.create_subprocess_shell(
        command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        executable="/bin/bash",
        env={**os.environ, "NO_PROXY": "*"},
    )
    answer, complaint = await process.communicate()
    assert process.returncode == 0, complaint
    assert b'"accepted":1' in answer, answer
