"""Pages that load nothing from elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from convex.quality.report import localise, publish, write_index

BROWSER = Path("/usr/bin/chromium")
PAGE = (
    '<link rel="stylesheet" href="https://maxcdn.bootstrapcdn.com/bootstrap/4.3.1/css/'
    'bootstrap.min.css"/><script src="https://code.jquery.com/jquery-3.7.1.min.js"></script>'
    '<img src="https://great-expectations-web-assets.s3.us-east-2.amazonaws.com/logo-long.png?d=1">'
    '<footer>\n<p>News</p>\n</footer><a href="https://greatexpectations.io">about</a>'
)


def test_links_lead_up_to_the_assets() -> None:
    text = localise(PAGE, depth=2)
    assert 'href="../../assets/css/bootstrap.min.css"' in text
    assert 'src="../../assets/js/jquery.min.js"' in text
    assert 'src="../../static/images/logo-long.png"' in text
    assert "News" not in text
    assert 'href="https://greatexpectations.io"' in text  # to be followed, not loaded


def test_integrity_of_a_remote_file_is_not_asked_of_ours() -> None:
    text = localise('<script src="a.js" integrity="sha384-x" crossorigin="anonymous">', depth=0)
    assert text == '<script src="a.js">'


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="https://example.com/new.js"></script>',
        '<link rel="stylesheet" href="https://example.com/new.css">',
        "<style>a { background: url('https://example.com/new.png') }</style>",
    ],
)
def test_something_new_from_elsewhere_is_noticed(markup: str) -> None:
    with pytest.raises(LookupError, match=r"example\.com/new"):
        localise(markup, depth=0)


def test_every_asset_that_a_page_may_ask_for_is_there(tmp_path: Path) -> None:
    from convex.quality.report import _REMOTE

    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text(PAGE)
    assert publish(tmp_path / "site", tmp_path / "out") == ["index.html"]
    for local in _REMOTE.values():
        assert (tmp_path / "out" / "assets" / local).is_file(), local
    fonts = tmp_path / "out" / "assets" / "webfonts"
    assert {path.name for path in fonts.iterdir()} >= {"fa-solid-900.woff2", "fa-regular-400.woff2"}


def test_the_index_names_a_workspace_safely(tmp_path: Path) -> None:
    page = write_index(tmp_path, [("1", "<b>Shop</b>", "points passed")])
    assert '<a href="1/index.html">&lt;b&gt;Shop&lt;/b&gt;</a>' in page.read_text()


def test_the_index_tells_no_workspace_of_another(tmp_path: Path) -> None:
    text = write_index(tmp_path, [("1", "Shop", "passed"), ("2", "Mill", "failed")]).read_text()
    assert "Shop" not in text
    assert "Mill" not in text


@pytest.mark.browser
@pytest.mark.skipif(not BROWSER.exists(), reason="no Chromium on this machine")
async def test_a_page_looks_right_without_the_internet(tmp_path: Path) -> None:
    from playwright.async_api import async_playwright

    page_path = await asyncio.to_thread(write_index, tmp_path, [("1", "Shop", "points passed")])
    asked: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(BROWSER),
            args=[
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--host-resolver-rules=MAP * ~NOTFOUND",
            ],
        )
        page = await browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(page_path.as_uri())
        border = await page.locator(".list-group-item").first.evaluate(
            "item => getComputedStyle(item).borderTopWidth"
        )
        await browser.close()
    assert border == "1px"
    assert all(url.startswith("file:") for url in asked)
    assert any(url.endswith("bootstrap.min.css") for url in asked)
