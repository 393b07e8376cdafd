"""How fast the page draws: prints a table, exits with 1 when a limit is passed.

    make web-speed

Ten thousand triggers are scrolled through and a hundred thousand points are drawn in the real page
of a running stack; only those two answers of the API are replaced, since no demo has as many.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.async_api import Page, Route

from web.tools.stack import Site, browser, find_site, first_links, sign_in

_TRIGGERS, _POINTS = 10_000, 100_000
_ROUNDS = 5
_LIMITS = {
    "draw 100,000 points, ms": 100.0,
    "rows in the page of 10,000": 100.0,
    "frame p95, ms": 50.0,
}

_MEASURED = "performance.getEntriesByName('chart drawn')"
_SCROLL = """async () => {
  const frames = [];
  let last = performance.now();
  for (let step = 0; step < 240; step += 1) {
    scrollBy(0, 400);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  return { frames, rows: document.querySelectorAll("[data-trigger]").length, y: scrollY };
}"""


async def _triggers(page: Page, site: Site) -> dict[str, float]:
    """Scroll the history of ten thousand: the frames' length, and how many rows exist meanwhile."""

    async def answer(route: Route) -> None:
        real = await route.fetch()
        body = await real.json()
        model: dict[str, Any] = body["items"][0]
        opened = datetime.now(UTC)
        items = [
            {
                **model,
                "id": f"00000000-0000-4000-8000-{number:012d}",
                "opened_at": (opened - timedelta(minutes=number)).isoformat(),
            }
            for number in range(_TRIGGERS)
        ]
        await route.fulfill(response=real, body=json.dumps({"items": items, "next_cursor": None}))

    await page.route("**/api/v1/alert-triggers?*", answer)
    await page.goto(f"{site.url}/history")
    await page.locator("[data-trigger]").first.wait_for()
    found = await page.evaluate(_SCROLL)
    await page.unroute("**/api/v1/alert-triggers?*")
    frames = sorted(found["frames"])
    return {
        "rows in the page of 10,000": float(found["rows"]),
        "frame p50, ms": statistics.median(frames),
        "frame p95, ms": frames[int(len(frames) * 0.95)],
    }


async def _points(page: Page, site: Site, framework: str) -> dict[str, float]:
    """From the points in hand to the drawn chart: the page's own measure, over some rounds."""

    async def answer(route: Route) -> None:
        real = await route.fetch()
        body = await real.json()
        end = datetime.now(UTC)
        step = timedelta(days=7) / _POINTS
        body["step_seconds"] = 6
        body["points"] = [
            {
                "timestamp": (end - step * (_POINTS - number)).isoformat(),
                "value": (value := (number * 7919) % 1000 / 10),
                "min": value,
                "max": value,
                "count": 1,
            }
            for number in range(_POINTS)
        ]
        await route.fulfill(response=real, body=json.dumps(body))

    async def metrics(route: Route) -> None:
        real = await route.fetch()
        body = await real.json()
        await route.fulfill(response=real, body=json.dumps({**body, "items": body["items"][:1]}))

    await page.route("**/api/v1/series/*/points?*", answer)
    await page.route("**/api/v1/metrics?*", metrics)
    took = []
    for _ in range(_ROUNDS):
        await page.goto(f"{site.url}{framework}?forecast=off")
        await page.wait_for_function(f"() => {_MEASURED}.length > 0")
        took.append(float(await page.evaluate(f"() => {_MEASURED}[0].duration")))
    return {
        "draw 100,000 points, ms": min(took),
        "draw 100,000 points, median ms": statistics.median(took),
    }


async def main() -> int:
    """The table, and whether every limit is kept."""
    site = find_site()
    async with browser() as chromium:
        context = await chromium.new_context(viewport={"width": 1440, "height": 900})
        page = await context.new_page()
        await sign_in(page, site)
        links = await first_links(context, site)
        figures = await _triggers(page, site)
        figures |= await _points(page, site, links["framework"])
    passed = True
    for name, value in figures.items():
        limit = _LIMITS.get(name)
        kept = limit is None or value <= limit
        passed = passed and kept
        bound = "" if limit is None else f"  limit {limit:g}{'' if kept else '  MISSED'}"
        print(f"{name:34} {value:8.1f}{bound}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
