"""All of a workspace, by the page: taken along as a file, scheduled to be deleted, and kept."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Locator, Page, expect

from convex.db import SYSTEM, Database
from convex.workspaces import exports
from convex.workspaces.export import export_workspace
from tests.api.conftest import Running, tenant_of
from tests.web.conftest import Stack, sign_in

pytestmark = pytest.mark.browser


def banner(page: Page) -> Locator:
    """What says on every page that the workspace ends."""
    return page.get_by_role("region", name="The workspace's deletion")


async def test_an_owner_asks_for_an_export_and_downloads_it(
    page: Page, stack: Stack, running: Running, worker: Database
) -> None:
    team = stack.team
    await sign_in(page, stack)
    await page.goto("/workspace?tab=data")
    await page.get_by_role("radio", name="Parquet").click()
    ask = page.get_by_role("button", name="Export everything")
    await ask.click()
    row = page.get_by_role("list", name="Exports").get_by_role("listitem")
    await expect(row).to_contain_text("Waiting")
    await expect(ask).to_be_disabled()

    async with worker.transaction(SYSTEM) as connection:  # as the flows do it
        taken = await exports.take_requests(connection)
    await expect(row).to_contain_text("At work", timeout=30_000)
    (asked,) = (one for one, workspace_id in taken if workspace_id == team.workspace_id)
    target = exports.file_of(running.resources.settings.home, team.workspace_id, asked)
    made = await export_workspace(
        worker, team.workspace_id, target, form="parquet", now=datetime.now(UTC)
    )
    async with worker.transaction(tenant_of(team).flow) as connection:
        await exports.finish_export(connection, asked, made)
    await expect(row).to_contain_text("Ready", timeout=30_000)
    await expect(row).to_contain_text(made.sha256)
    async with page.expect_download() as downloading:
        await row.get_by_role("button", name="Download").click()
    download = await downloading.value
    assert download.suggested_filename.startswith(team.slug)
    with zipfile.ZipFile(await download.path()) as archive:
        assert archive.testzip() is None
        assert "manifest.json" in archive.namelist()


async def test_a_deletion_is_confirmed_said_on_every_page_and_undone(
    page: Page, stack: Stack
) -> None:
    owner, url = stack.team.owner, f"/api/v1/workspaces/{stack.team.workspace_id}/deletion"
    zone = "Asia/Tokyo"
    assert (await owner.patch("/api/v1/me", json={"timezone": zone})).is_success
    await sign_in(page, stack)
    await page.goto("/workspace?tab=data")
    await page.get_by_role("button", name="Delete this workspace").click()
    dialog = page.get_by_role("dialog")
    schedule = dialog.get_by_role("button", name="Schedule the deletion")
    await dialog.get_by_label("Slug of the workspace").fill("another")
    await expect(schedule).to_be_disabled()
    await dialog.get_by_label("Slug of the workspace").fill(stack.team.slug)
    await dialog.get_by_label("Your password").fill("guess")
    await schedule.click()
    await expect(dialog.get_by_text("The password is wrong.")).to_be_visible()
    assert (await owner.get(url)).status_code == 404
    await dialog.get_by_label("Your password").fill(stack.password)
    await schedule.click()
    await expect(dialog).to_be_hidden()
    await expect(banner(page)).to_be_visible()

    local = datetime.fromisoformat((await owner.get(url)).json()["purge_at"]).astimezone(
        ZoneInfo(zone)
    )
    for path in ("/", "/alerts", "/workspace?tab=data"):
        await page.goto(path)
        await expect(banner(page)).to_contain_text(f"on {local.day} {local:%b}")
        await expect(banner(page)).to_contain_text(f"{local:%Y, %H:%M:%S} ({zone})")
    await banner(page).get_by_role("button", name="Undo").click()
    await expect(page.get_by_text("The workspace stays.")).to_be_visible()
    await expect(banner(page)).to_be_hidden()
    await expect(page.get_by_role("button", name="Delete this workspace")).to_be_enabled()
    assert (await owner.get(url)).status_code == 404


@pytest.mark.parametrize("role", ["editor", "viewer"])
async def test_others_see_that_it_ends_and_change_nothing(
    page: Page, stack: Stack, role: str
) -> None:
    team = stack.team
    scheduled = await team.owner.post(
        f"/api/v1/workspaces/{team.workspace_id}/deletion",
        json={"slug": team.slug, "password": stack.password},
    )
    assert scheduled.status_code == 202, scheduled.text
    await sign_in(page, replace(stack, email=team.emails[role]))
    await expect(banner(page)).to_contain_text("An owner can undo it.")
    await expect(banner(page).get_by_role("button")).to_have_count(0)
    await page.goto("/workspace?tab=data")
    await expect(page.get_by_text("Owners export and delete the workspace")).to_be_visible()
    await expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)
