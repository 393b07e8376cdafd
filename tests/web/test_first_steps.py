"""A newcomer's way from an empty workspace to the first alert, by the page alone."""

from __future__ import annotations

import asyncio
import os
import sys

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

    command = page.get_by_label("What to run")
    await run(await command.inner_text())
    make = page.get_by_role("button", name="Make this rule")
    await expect(make).to_be_visible(timeout=15_000)
    await expect(page.get_by_role("link", name="My Shop")).to_be_visible()
    await expect(page.get_by_text("is below 0.29")).to_be_visible()
    await make.click()
    await expect(page.get_by_text("Waiting for a point that breaks the rule")).to_be_visible()

    await run(await command.inner_text())
    await expect(page.get_by_text("then you are told")).to_be_visible()
    await expect(page.get_by_text("4 of 5 done")).to_be_visible()
    await page.get_by_role("navigation").get_by_role("link", name="Alerts").click()
    row = page.get_by_role("listitem").filter(has_text="checkout rate is low")
    await expect(row).to_contain_text("Firing")


async def test_prometheus_and_python_are_ready_to_paste(page: Page, stack: Stack) -> None:
    await sign_in(page, stack)
    await page.get_by_label("Name").fill("Shop")
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("button", name="Make a key for it").click()
    await expect(page.get_by_text("The key is in place")).to_be_visible()
    await page.get_by_role("radio", name="Prometheus").click()
    command = page.get_by_label("What to run")
    await expect(command).to_contain_text(f"url: {stack.base_url}/api/v1/prometheus/write")
    await expect(command).to_contain_text("credentials: cvx_")
    await page.get_by_role("radio", name="Python").click()
    script = await command.inner_text()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "NO_PROXY": "*"},
    )
    answer, _ = await process.communicate()
    assert b'"accepted":1' in answer
    await expect(page.get_by_role("button", name="Make this rule")).to_be_visible(timeout=15_000)


async def test_the_steps_can_be_put_away_and_come_back_with_a_reload_only_while_empty(
    page: Page, stack: Stack
) -> None:
    await sign_in(page, stack)
    heading = page.get_by_role("heading", name="Your first alert, in five minutes")
    await expect(heading).to_be_visible()
    await page.get_by_role("button", name="Hide").click()
    await expect(heading).to_have_count(0)
    await page.reload()
    await expect(heading).to_be_visible()


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
